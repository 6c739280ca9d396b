/// Counters of one connection. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams handed in.
    pub datagrams_received: u64,
    /// Application records that were opened and handed up.
    pub records_received: u64,
    /// Bytes of their payload.
    pub bytes_received: u64,
    /// Application records sealed.
    pub records_sent: u64,
    /// Bytes of their payload.
    pub bytes_sent: u64,
    /// Records dropped because they are malformed, out of place, or more than what may be held.
    pub records_dropped: u64,
    /// Records dropped because they do not authenticate.
    pub records_forged: u64,
    /// Records dropped because their sequence number was seen or is too old.
    pub records_replayed: u64,
    /// Handshake messages or fragments dropped because they are malformed or unexpected.
    pub messages_dropped: u64,
    /// Times a whole flight was sent again.
    pub retransmissions: u64,
    /// Alerts that were put on the wire.
    pub alerts_sent: u64,
    /// Alerts received, those in the clear included.
    pub alerts_received: u64,
    /// Most bytes held at once of handshake messages that are not complete, or not their turn yet, and of
    /// records that came before their keys, together. At most 65,536.
    pub reassembly_peak: u64,
}
