//! The state cookie (RFC 9260 §5.1.3): all that an answered INIT leaves behind, kept by the peer.

use std::time::{Duration, Instant};

use ring::hmac;

use crate::{
    Tsn,
    packet::{Reader, Write},
};

/// What is needed to make an association when the cookie comes back. It has no addresses and no pointers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    /// When it was made, since the association object was.
    pub(crate) created: Duration,
    pub(crate) local_tag: u32,
    pub(crate) peer_tag: u32,
    pub(crate) local_tsn: Tsn,
    pub(crate) peer_tsn: Tsn,
    pub(crate) peer_window: u32,
    pub(crate) outbound: u16,
    pub(crate) inbound: u16,
    pub(crate) forward_tsn: bool,
    pub(crate) reconfig: bool,
    pub(crate) zero_checksum: bool,
    pub(crate) interleaving: bool,
}

/// The key under which cookies are authentic, and the origin of their time.
#[derive(Debug)]
pub(crate) struct CookieKey {
    key: hmac::Key,
    origin: Instant,
}

impl CookieKey {
    pub(crate) fn new(secret: &[u8; 32], origin: Instant) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self { key, origin }
    }

    pub(crate) fn time(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.origin)
    }

    pub(crate) fn seal(&self, cookie: &Cookie) -> Vec<u8> {
        let mut bytes = cookie.write();
        let tag = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        bytes
    }

    /// The cookie, if it is ours and unchanged. The comparison takes the same time wherever it differs.
    pub(crate) fn open(&self, bytes: &[u8]) -> Option<Cookie> {
        let (content, tag) = bytes.split_last_chunk::<TAG>()?;
        hmac::verify(&self.key, content, tag).ok()?;
        Cookie::parse(content)
    }
}

impl Cookie {
    fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LEN + TAG);
        let millis = u64::try_from(self.created.as_millis()).unwrap_or(u64::MAX);
        bytes.put_u64(millis);
        let words = [
            self.local_tag,
            self.peer_tag,
            self.local_tsn.0,
            self.peer_tsn.0,
            self.peer_window,
            u32::from(self.outbound) << 16 | u32::from(self.inbound),
            u32::from(self.interleaving) << 3
                | u32::from(self.zero_checksum) << 2
                | u32::from(self.forward_tsn) << 1
                | u32::from(self.reconfig),
        ];
        words.iter().for_each(|word| bytes.put_u32(*word));
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let cookie = Self {
            created: Duration::from_millis(reader.u64()?),
            local_tag: reader.u32()?,
            peer_tag: reader.u32()?,
            local_tsn: Tsn(reader.u32()?),
            peer_tsn: Tsn(reader.u32()?),
            peer_window: reader.u32()?,
            outbound: reader.u16()?,
            inbound: reader.u16()?,
            forward_tsn: false,
            reconfig: false,
            zero_checksum: false,
            interleaving: false,
        };
        let flags = reader.u32()?;
        Some(Self {
            interleaving: flags & 8 != 0,
            zero_checksum: flags & 4 != 0,
            forward_tsn: flags & 2 != 0,
            reconfig: flags & 1 != 0,
            ..cookie
        })
    }
}

const LEN: usize = 36;
const TAG: usize = 32;

#[cfg(test)]
mod tests {
    use oxirtc_netsim::epoch;

    use super::*;

    #[test]
    fn every_changed_bit_is_noticed() {
        let key = CookieKey::new(&[7; 32], epoch());
        let cookie = Cookie {
            created: Duration::from_millis(1234),
            local_tag: 1,
            peer_tag: 2,
            local_tsn: Tsn(3),
            peer_tsn: Tsn(4),
            peer_window: 5,
            outbound: 6,
            inbound: 7,
            forward_tsn: true,
            reconfig: false,
            zero_checksum: true,
            interleaving: false,
        };
        let sealed = key.seal(&cookie);
        assert_eq!(sealed.len(), LEN + TAG);
        assert_eq!(key.open(&sealed), Some(cookie));
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(&changed), None);
        }
        for length in 0..sealed.len() {
            assert_eq!(key.open(&sealed[..length]), None);
        }
    }
}
