/// What a wrong call is answered with. What a peer sends wrong is never an error: it is dropped and
/// counted in [`Stats`](crate::Stats), or ends the association with
/// [`Event::Failed`](crate::Event::Failed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The handshake is not complete, the peer's certificate is not verified yet, or the association
    /// has ended.
    #[error("the association is not connected")]
    NotConnected,
    /// The connection already has the other role.
    #[error("the role is already fixed")]
    RoleFixed,
    /// A record carries at most 16,384 bytes.
    #[error("the payload does not fit in a record")]
    TooLarge,
    /// The buffer is shorter than its start and the headroom.
    #[error("the buffer has no room for the record header")]
    Layout,
    /// The key has sealed as many records as it may (RFC 6347 §4.1, RFC 9147 §4.5.3).
    #[error("the key is exhausted")]
    KeyExhausted,
    /// 1.2 has no key updates.
    #[error("this version has no key updates")]
    NoKeyUpdate,
    /// No version of a configuration has a suite, a group and a signature scheme in it.
    #[error("no version can be spoken with these settings")]
    NothingToAgreeOn,
    /// The text is not `<hash function> <hex pairs separated by colons>`, or its length is not the hash's.
    #[error("not a fingerprint")]
    InvalidFingerprint,
    /// There is no readable certificate, one of the chain is not, or there are more than ten or 32 KiB of them.
    #[error("not a certificate")]
    InvalidCertificate,
    /// The private key is missing, does not fit the certificate, or is of a type that cannot sign here.
    #[error("the private key is missing or not usable")]
    UnsupportedKey,
    /// The private key stands in an `EC PRIVATE KEY` or `RSA PRIVATE KEY` block, not in PKCS #8.
    #[error("not PKCS #8: convert it with `openssl pkcs8 -topk8 -nocrypt`")]
    KeyFormat,
    /// The private key lives elsewhere, so it cannot be written.
    #[error("the private key is external")]
    ExternalKey,
    /// The crypto library could not make a key or sign the certificate.
    #[error("a key or certificate could not be generated")]
    KeyGeneration,
    /// The label is reserved, or the context or output is too long (RFC 5705 §4).
    #[error("the exporter cannot serve this label, context or length")]
    Export,
}
