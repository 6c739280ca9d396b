use std::fmt;

/// Gets the secrets of connections, for who has to read their traffic. Whoever has them can read and change
/// everything: set one by explicit configuration only, and never in production.
pub trait KeyLog: Send + Sync {
    /// A secret, by its label in NSS' key log format, and the random of the client that names the
    /// connection. A line of that format is the label and both in hexadecimal, with blanks between.
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]);

    /// What both sides made of their key shares, and all other secrets are made of (RFC 8446 §7.4; the
    /// premaster secret of RFC 5246 §8.1). No log format has a place for it: it is for recordings that are
    /// to prove the key schedule. Unless this is implemented it is dropped.
    fn log_shared_secret(&self, client_random: &[u8; 32], secret: &[u8]) {
        let _ = (client_random, secret);
    }
}

impl fmt::Debug for dyn KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyLog")
    }
}

pub(crate) const CLIENT_RANDOM: &str = "CLIENT_RANDOM";
pub(crate) const CLIENT_HANDSHAKE: &str = "CLIENT_HANDSHAKE_TRAFFIC_SECRET";
pub(crate) const SERVER_HANDSHAKE: &str = "SERVER_HANDSHAKE_TRAFFIC_SECRET";
pub(crate) const CLIENT_TRAFFIC: &str = "CLIENT_TRAFFIC_SECRET_0";
pub(crate) const SERVER_TRAFFIC: &str = "SERVER_TRAFFIC_SECRET_0";
pub(crate) const EXPORTER: &str = "EXPORTER_SECRET";
