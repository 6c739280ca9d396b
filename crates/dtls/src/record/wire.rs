//! The numbers of the record layer, and how large things are.

/// `change_cipher_spec`.
pub const CHANGE_CIPHER_SPEC: u8 = 20;
/// `alert`.
pub const ALERT: u8 = 21;
/// `handshake`.
pub const HANDSHAKE: u8 = 22;
/// `application_data`.
pub const APPLICATION_DATA: u8 = 23;
/// `ack` (RFC 9147 §7).
pub const ACK: u8 = 26;
/// DTLS 1.2, which 1.3 writes in its headers too.
pub const VERSION: u16 = 0xFEFD;
/// The most a record carries (RFC 5246 §6.2.1, RFC 8446 §5.1), in bytes.
pub const MAX_PLAINTEXT: usize = 1 << 14;
/// RFC 8446 §5.2: what protection may add to it.
pub(super) const MAX_CIPHERTEXT: usize = MAX_PLAINTEXT + 256;
/// RFC 6347 §4.1: a number must never be used twice, so the last is the end of the epoch.
pub(crate) const MAX_SEQUENCE: u64 = (1 << 48) - 1;
/// RFC 9147 §6.1: of the handshake of 1.3.
pub(crate) const HANDSHAKE_EPOCH: u16 = 2;
/// RFC 9147 §6.1: of the first payload of 1.3.
pub(crate) const APPLICATION_EPOCH: u16 = 3;
