//! What can be chosen about a context.

use crate::Profile;

/// Settings of a [`Context`](crate::Context).
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) profile: Profile,
    pub(crate) encrypted: Option<Box<[bool; 256]>>,
    pub(crate) cryptex: bool,
    pub(crate) streams: usize,
    pub(crate) window: usize,
    pub(crate) lifetime: u64,
}

impl Config {
    /// The defaults, with the profile that DTLS has agreed on.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            encrypted: None,
            cryptex: false,
            streams: 256,
            window: 1024,
            lifetime: MOST_RTP,
        }
    }

    /// The ids of header extensions whose values are encrypted (RFC 6904), both ways; none by default. It costs a
    /// second keystream for each packet that carries one.
    #[must_use]
    pub fn encrypted(mut self, ids: &[u8]) -> Self {
        self.set_encrypted(ids);
        self
    }

    pub(crate) fn set_encrypted(&mut self, ids: &[u8]) {
        let mut encrypted = Box::new([false; 256]);
        for id in ids {
            if let Some(encrypted) = encrypted.get_mut(usize::from(*id)) {
                *encrypted = true;
            }
        }
        self.encrypted = (!ids.is_empty()).then_some(encrypted);
    }

    /// Whether all header extensions and contributing sources are encrypted (RFC 9335); off by default, since both
    /// sides must have agreed on it. Packets that come without are taken as well. A packet under Cryptex has no
    /// extension encrypted by RFC 6904.
    #[must_use]
    pub fn cryptex(mut self, on: bool) -> Self {
        self.cryptex = on;
        self
    }

    /// How many SSRCs of the peer are remembered; default 256. Packets of further ones are dropped, since without
    /// their indices a replay could not be told. Each costs about 300 bytes at the default window. Those that have
    /// [ended](crate::Context::end) do not count.
    #[must_use]
    pub fn streams(mut self, most: usize) -> Self {
        self.streams = most;
        self
    }

    /// How many indices behind the highest are told apart, both ways; default 1024, at least 64 (RFC 3711 §3.3.2) and at most
    /// 32,768, rounded up to a multiple of 64. A larger window lets packets be reordered further.
    #[must_use]
    pub fn window(mut self, packets: usize) -> Self {
        self.window = packets.clamp(64, 32_768).next_multiple_of(64);
        self
    }

    /// How many packets of RTP our key may protect, over all SSRCs; default 2^48, and no more (RFC 3711 §9.2).
    #[must_use]
    pub fn lifetime(mut self, packets: u64) -> Self {
        self.lifetime = packets.min(MOST_RTP);
        self
    }
}

/// How many packets of RTP one key may protect, and how far its indices go (RFC 3711 §9.2).
pub(crate) const MOST_RTP: u64 = 1 << 48;
