//! What a session allows its peer.

/// What a [`Session`](crate::Session) allows its peer: bounds of the memory that the peer can make it hold.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) max_remote_channels: usize,
    pub(crate) max_remote_text: usize,
    pub(crate) max_unclaimed: usize,
    pub(crate) max_message_size: usize,
    /// What lines of the log begin with.
    pub(crate) label: String,
}

impl Config {
    /// The defaults, named at each setter.
    pub fn new() -> Self {
        Self {
            max_remote_channels: 1024,
            max_remote_text: 4 * 1024 * 1024,
            max_unclaimed: 16,
            max_message_size: 256 * 1024,
            label: String::new(),
        }
    }

    /// How many channels that the peer opened may be there at once; further ones are rejected. An idle one takes less than
    /// 256 bytes and its label. Default: 1,024; a peer has 32,768 ids.
    #[must_use]
    pub fn max_remote_channels(mut self, count: usize) -> Self {
        self.max_remote_channels = count;
        self
    }

    /// How many bytes the labels and protocols of channels that the peer opened may take together; a channel that goes
    /// beyond is rejected. Default: 4 MiB. Below 131,070 a single channel of full lengths is rejected, which RFC 8832 §7
    /// wants to be possible.
    #[must_use]
    pub fn max_remote_text(mut self, bytes: usize) -> Self {
        self.max_remote_text = bytes;
        self
    }

    /// On how many streams without a channel user messages may wait for a negotiated channel to be opened; further
    /// streams are reset. Default: 16. With 0, each is reset at once, as RFC 8832 §6 has it, and a negotiated channel has to be
    /// opened on both sides before either sends.
    #[must_use]
    pub fn max_unclaimed(mut self, streams: usize) -> Self {
        self.max_unclaimed = streams;
        self
    }

    /// How large a message may be that comes in parts under the deprecated payload protocol identifiers 52 and 54. (The size of
    /// all others is the association's business.) Default: 256 KiB.
    #[must_use]
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// What the connection is called in the log: its lines begin with it, a colon and a blank. Default: they begin with nothing.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = format!("{label}: ");
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
