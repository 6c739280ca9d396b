//! What setting up an association needs, and nothing else does.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::{Config, cookie::CookieKey};

/// What setting up needs, and nothing else does.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) key: CookieKey,
    /// The peer's cookie, to be echoed.
    pub(crate) cookie: Vec<u8>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) lifetime: Duration,
    /// When the peer that there is said who it is.
    pub(crate) taken: Duration,
}

impl Setup {
    pub(crate) fn new(key: CookieKey, config: &Config) -> Self {
        Self {
            key,
            cookie: Vec::new(),
            timeout: None,
            attempts: 0,
            lifetime: config.timing.cookie_lifetime,
            taken: Duration::ZERO,
        }
    }
}

/// RFC 9260 §5.3.1: a tag is random and not 0.
pub(crate) fn random_tag(rng: &mut ChaCha20Rng) -> u32 {
    rng.next_u32().max(1)
}
