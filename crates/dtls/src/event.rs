use crate::AlertDescription;

/// What happened to the association. Small and without payload; keys are asked for with
/// [`Connection::export`](crate::Connection::export).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer has shown its certificates: [`Connection::trust`](crate::Connection::trust) is to say
    /// whether they are good. Only where the owner judges ([`Peer::Owner`](crate::Peer::Owner)). That it
    /// has their key is known with [`Connected`](Self::Connected), not before.
    CertificateReceived,
    /// The handshake is complete and the peer's certificate matches its fingerprints, or suits whoever
    /// [`Config::peer`](crate::Config::peer) names in their place.
    Connected,
    /// The association ended in good order.
    Closed {
        /// Who closed it.
        by: Initiator,
    },
    /// The association, or its handshake, is dead. A cause that anybody could have made in the clear is told when nothing
    /// better came for [`Config::doubt`](crate::Config::doubt), 5 s by default.
    Failed {
        /// Why.
        cause: Failure,
    },
}

/// Who ended an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// The owner of this side, by [`Connection::close`](crate::Connection::close).
    User,
    /// This crate.
    Library,
    /// The peer.
    Remote,
}

/// Why an association died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The peer's certificate has none of the fingerprints that were announced (RFC 8122 §5).
    /// `bad_certificate` was sent. In 1.2, where a certificate comes in the clear and may be anybody's, it is told when
    /// no other has come for [`Config::doubt`](crate::Config::doubt); in 1.3, and where the fingerprints come behind the
    /// certificate, at once.
    FingerprintMismatch,
    /// The handshake was complete, and for 30 s nobody said which certificate to expect, or whether it is
    /// good. `bad_certificate` was sent.
    FingerprintTimeout,
    /// The owner refused the peer's certificates. `certificate_unknown` was sent.
    CertificateRefused,
    /// The handshake did not end in time. `user_canceled` was sent.
    HandshakeTimeout,
    /// The peer sent a fatal alert.
    AlertReceived(AlertDescription),
    /// The peer misbehaved or has nothing in common with us, and was sent this alert.
    AlertSent(AlertDescription),
    /// A key has sealed as many records as it may, or so many forgeries were tried on it that it is worn
    /// out. `internal_error` was sent.
    KeyExhausted,
}

impl Failure {
    /// The alert that was sent for it, by number.
    pub fn sent_alert(self) -> Option<u8> {
        match self {
            Self::AlertSent(alert) => Some(alert.code()),
            Self::FingerprintMismatch | Self::FingerprintTimeout => {
                Some(AlertDescription::BAD_CERTIFICATE.code())
            }
            Self::CertificateRefused => Some(AlertDescription::CERTIFICATE_UNKNOWN.code()),
            Self::HandshakeTimeout => Some(AlertDescription::USER_CANCELED.code()),
            Self::KeyExhausted => Some(AlertDescription::INTERNAL_ERROR.code()),
            Self::AlertReceived(_) => None,
        }
    }

    /// The alert that was received, by number.
    pub fn received_alert(self) -> Option<u8> {
        match self {
            Self::AlertReceived(alert) => Some(alert.code()),
            _ => None,
        }
    }
}
