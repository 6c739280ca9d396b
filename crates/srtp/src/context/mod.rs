//! Both directions of one association's keys.

mod direction;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod vectors;

use std::fmt;

use byteorder::{BigEndian, ByteOrder};

use self::direction::Direction;
use crate::{
    Config, Error, Role, Stats,
    cipher::{ENCRYPTED, Extent},
    config::MOST_RTP,
    cryptex,
    header::{Header, RTCP_HEADER, rtcp_ssrc},
    index,
    stream::Stream,
};

/// Protects what is sent and opens what is received, with the keys of one DTLS association, in place.
///
/// It is not clonable: two that protect with the same keys would use indices twice.
pub struct Context {
    config: Config,
    local: Direction,
    remote: Direction,
    stats: Stats,
}

impl Context {
    /// A context with the keying material as the exporter of DTLS lays it out (RFC 5764 §4.2): the client's key, the
    /// server's key, the client's salt, the server's salt. The caller wipes `material`.
    ///
    /// # Errors
    /// [`Error::MaterialLength`] if it is not [`Profile::material_len`](crate::Profile::material_len) bytes long.
    pub fn new(config: Config, material: &[u8], role: Role) -> Result<Self, Error> {
        let profile = config.profile;
        let wrong = Error::MaterialLength {
            profile: profile.name(),
            wanted: profile.material_len(),
            given: material.len(),
        };
        if material.len() != profile.material_len() {
            return Err(wrong);
        }
        let (keys, salts) = material
            .split_at_checked(2 * profile.key_len())
            .ok_or(wrong)?;
        let (client_key, server_key) = keys.split_at_checked(profile.key_len()).ok_or(wrong)?;
        let (client_salt, server_salt) = salts.split_at_checked(profile.salt_len()).ok_or(wrong)?;
        let client = Direction::new(profile, client_key, client_salt).ok_or(wrong)?;
        let server = Direction::new(profile, server_key, server_salt).ok_or(wrong)?;
        let (local, remote) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Ok(Self {
            config,
            local,
            remote,
            stats: Stats::default(),
        })
    }

    /// By how many bytes [`protect_rtp`](Self::protect_rtp) makes a packet longer at most.
    pub fn tailroom(&self) -> usize {
        let marked = if self.config.cryptex {
            Header::EXTENSION
        } else {
            0
        };
        self.config.profile.rtp_tag() + marked
    }

    /// By how many bytes [`protect_rtcp`](Self::protect_rtcp) makes a packet longer.
    pub fn tailroom_rtcp(&self) -> usize {
        self.config.profile.rtcp_tag() + 4
    }

    /// An SSRC of the peer has ended: it counts no more among those that are remembered. How far its indices had come stays known, for 256
    /// times as many SSRCs, so that nothing of it is taken twice; when it comes again it goes on from there. Those that end beyond that
    /// keep their places, until no new one has any: it takes another context then, by another handshake.
    pub fn end(&mut self, ssrc: u32) {
        let most = self.config.streams.saturating_mul(ENDED);
        self.remote.streams.end(ssrc, most);
    }

    /// The ids of header extensions that are encrypted from now on, as [`Config::encrypted`] has them.
    pub fn set_encrypted(&mut self, ids: &[u8]) {
        self.config.set_encrypted(ids);
    }

    /// Whether header extensions and contributing sources are encrypted whole from now on, as [`Config::cryptex`] has it.
    pub fn set_cryptex(&mut self, on: bool) {
        self.config.cryptex = on;
    }

    /// What was counted.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Encrypts the RTP packet at `buf[start..]` in place and appends the tag. What stands before `start` is not
    /// touched. Packets of an SSRC need not come in order, but each sequence number comes once, and the first is below
    /// 2^15, so that the peer guesses its roll-over counter right when the first packets are lost.
    ///
    /// # Errors
    /// [`Error::NotAPacket`], [`Error::IndexUsed`], [`Error::KeyExhausted`], [`Error::Appbits`]; `buf` is then as it
    /// was.
    pub fn protect_rtp(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        let packet = buf.get(start..).ok_or(Error::NotAPacket)?;
        let mut header = Header::parse(packet).ok_or(Error::NotAPacket)?;
        let window = self.config.window;
        let mark = if self.config.cryptex {
            cryptex::plan(&header)?
        } else {
            None
        };
        let known = self.local.streams.get(header.ssrc);
        // Guessed as on receipt: what fills a gap leaves late, and may be of the round before.
        let index = known
            .as_ref()
            .map_or(header.sequence.into(), |it| it.rtp.guess(header.sequence));
        if index >= MOST_RTP || self.stats.rtp.protected >= self.config.lifetime {
            return Err(Error::KeyExhausted);
        }
        if known.is_some_and(|it| !it.rtp.is_fresh(index)) {
            self.stats.rtp.refused += 1;
            return Err(Error::IndexUsed {
                ssrc: header.ssrc,
                index,
            });
        }
        let extent = match mark {
            Some(mark) => {
                header = cryptex::begin(buf, start, header, mark);
                Extent::Cryptex
            }
            None => Extent::Payload,
        };
        if extent == Extent::Payload
            && let Some(packet) = buf.get_mut(start..)
        {
            // RFC 6904 §3: before the packet is authenticated.
            self.local
                .apply_encrypted(packet, &header, index, self.config.encrypted.as_deref());
        }
        self.local
            .rtp
            .seal_rtp(buf, start, &header, extent, index)
            .ok_or(Error::NotAPacket)?;
        let new = || Stream::new(window);
        let stream = self.local.streams.get_or_insert(header.ssrc, new);
        stream.rtp.mark(index);
        self.stats.rtp.protected += 1;
        Ok(())
    }

    /// Authenticates and decrypts an RTP packet in place. `None` means that it was dropped: [`stats`](Self::stats)
    /// says why. State of an SSRC is made and moved by authentic packets only.
    pub fn unprotect_rtp<'a>(&mut self, packet: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let tag = self.config.profile.rtp_tag();
        let header = Header::parse(packet).filter(|header| packet.len() >= header.len + tag);
        let Some(header) = header else {
            self.stats.rtp.short += 1;
            return None;
        };
        let streams = &mut self.remote.streams;
        let mut left = None;
        let (index, is_fresh) = match streams.get(header.ssrc) {
            Some(it) => {
                let index = it.rtp.guess(header.sequence);
                (index, it.rtp.is_fresh(index))
            }
            None => {
                let (highest, rtcp) = streams.ended(header.ssrc).unwrap_or_default();
                left = Some((highest, rtcp));
                let index = index::guess(highest, header.sequence);
                (index, highest.is_none_or(|highest| index > highest))
            }
        };
        if index >= MOST_RTP || !is_fresh {
            self.stats.rtp.replayed += 1;
            return None;
        }
        let extent = if self.config.cryptex && cryptex::is_marked(&header) {
            Extent::Cryptex
        } else {
            Extent::Payload
        };
        if self
            .remote
            .rtp
            .open_rtp(packet, &header, extent, index)
            .is_none()
        {
            self.stats.rtp.forged += 1;
            return None;
        }
        let stream = self.remote.known(header.ssrc, left, &self.config);
        let Some(stream) = stream else {
            self.stats.rtp.over_limit += 1;
            return None;
        };
        stream.rtp.mark(index);
        self.stats.rtp.opened += 1;
        let len = packet.len() - tag;
        let packet = packet.get_mut(..len)?;
        match extent {
            Extent::Cryptex => cryptex::end(packet, &header),
            Extent::Payload => {
                self.remote.apply_encrypted(
                    packet,
                    &header,
                    index,
                    self.config.encrypted.as_deref(),
                );
            }
        }
        Some(packet)
    }

    /// Encrypts the RTCP packet (compound or not) at `buf[start..]` in place and appends what
    /// [`tailroom_rtcp`](Self::tailroom_rtcp) says.
    ///
    /// # Errors
    /// [`Error::NotAPacket`], [`Error::KeyExhausted`]; `buf` is then as it was.
    pub fn protect_rtcp(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        let packet = buf.get(start..).ok_or(Error::NotAPacket)?;
        let ssrc = rtcp_ssrc(packet).ok_or(Error::NotAPacket)?;
        let known = self.local.streams.get(ssrc);
        let index = known.map_or(0, |it| it.next_rtcp);
        // RFC 3711 §9.2: 2^31 packets of RTCP, of all streams that share the key.
        if index >= MOST_RTCP || self.stats.rtcp.protected >= MOST_RTCP {
            return Err(Error::KeyExhausted);
        }
        self.local
            .rtcp
            .seal_rtcp(buf, start, ssrc, index as u32)
            .ok_or(Error::NotAPacket)?;
        let window = self.config.window;
        let new = || Stream::new(window);
        self.local.streams.get_or_insert(ssrc, new).next_rtcp = index + 1;
        self.stats.rtcp.protected += 1;
        Ok(())
    }

    /// Authenticates and decrypts an RTCP packet in place; as [`unprotect_rtp`](Self::unprotect_rtp).
    pub fn unprotect_rtcp<'a>(&mut self, packet: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let tag = self.config.profile.rtcp_tag();
        let parts = rtcp_ssrc(packet).zip(packet.len().checked_sub(tag + 4));
        let Some((ssrc, len)) = parts.filter(|(_, len)| *len >= RTCP_HEADER) else {
            self.stats.rtcp.short += 1;
            return None;
        };
        // RFC 7714 §9.2: under GCM the word stands behind the tag, else before it.
        let at = if self.config.profile.is_aead() {
            len + tag
        } else {
            len
        };
        let word = packet.get(at..at + 4).map(BigEndian::read_u32)?;
        let index = u64::from(word & !ENCRYPTED);
        let streams = &mut self.remote.streams;
        let mut left = None;
        let is_fresh = match streams.get(ssrc) {
            Some(it) => it.rtcp.is_fresh(index),
            None => {
                let (rtp, highest) = streams.ended(ssrc).unwrap_or_default();
                left = Some((rtp, highest));
                highest.is_none_or(|highest| index > highest)
            }
        };
        if !is_fresh {
            self.stats.rtcp.replayed += 1;
            return None;
        }
        if self.remote.rtcp.open_rtcp(packet, ssrc, word).is_none() {
            self.stats.rtcp.forged += 1;
            return None;
        }
        let Some(stream) = self.remote.known(ssrc, left, &self.config) else {
            self.stats.rtcp.over_limit += 1;
            return None;
        };
        stream.rtcp.mark(index);
        self.stats.rtcp.opened += 1;
        packet.get_mut(..len)
    }
}

impl fmt::Debug for Context {
    /// Shows no keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("profile", &self.config.profile)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// So many times as many SSRCs that have ended are remembered, at some 50 bytes each, as of those that have not.
const ENDED: usize = 256;
/// How many packets of RTCP one key may protect (RFC 3711 §9.2).
const MOST_RTCP: u64 = 1 << 31;
