use std::{fmt, sync::Arc};

/// Gets the secrets of a connection's transports, for who has to read its traffic: Wireshark takes a file of such lines. Whoever
/// has them can read and change everything, so nothing is logged unless [`Settings::key_log`](crate::Settings::key_log) says where.
pub trait KeyLog: Send + Sync {
    /// A secret, by its label in NSS' key log format, and the random of the DTLS client that names the association. A line of
    /// that format (of the file that `SSLKEYLOGFILE` names elsewhere) is the label and both in hexadecimal, with blanks between.
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]);

    /// What all other secrets are made of. No log format has a place for it: it is for recordings that are to prove the keys
    /// themselves. Unless this is implemented it is dropped.
    fn log_shared_secret(&self, client_random: &[u8; 32], secret: &[u8]) {
        let _ = (client_random, secret);
    }
}

/// Where secrets go. Two are equal when they are the same.
#[derive(Clone)]
pub(crate) struct KeyLogger(pub(crate) Arc<dyn KeyLog>);

impl PartialEq for KeyLogger {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for KeyLogger {}

impl fmt::Debug for KeyLogger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyLog")
    }
}
