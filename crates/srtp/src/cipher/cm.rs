//! AES in counter mode and HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).

use aes::{Aes128Enc, Aes256Enc};
use byteorder::{BigEndian, ByteOrder};
use ctr::{
    Ctr128BE, CtrCore,
    cipher::{InnerIvInit, KeyInit as _, StreamCipher, StreamCipherSeek},
};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::{ENCRYPTED, Extent};
use crate::header::{Header, RTCP_HEADER};

/// A key schedule of AES for counter mode.
pub(crate) enum Aes {
    Aes128(Box<Aes128Enc>),
    Aes256(Box<Aes256Enc>),
}

/// The session keys of one protocol in one direction.
pub(crate) struct Cm {
    aes: Aes,
    salt: Zeroizing<[u8; 14]>,
    /// Keyed: the inner and outer hash of the key are done.
    mac: Hmac<Sha1>,
    tag: usize,
}

impl Aes {
    /// `None` for a key that is neither 16 nor 32 bytes long.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128Enc::new_from_slice(key)
                .ok()
                .map(|aes| Self::Aes128(Box::new(aes))),
            32 => Aes256Enc::new_from_slice(key)
                .ok()
                .map(|aes| Self::Aes256(Box::new(aes))),
            _ => None,
        }
    }

    /// Adds the keystream from byte `at` on to `bytes`.
    pub(crate) fn apply(&self, iv: &[u8; 16], at: u64, bytes: &mut [u8]) {
        match self {
            Self::Aes128(aes) => {
                let core = CtrCore::inner_iv_init(&**aes, iv.into());
                let mut stream = Ctr128BE::<&Aes128Enc>::from_core(core);
                stream.seek(at);
                stream.apply_keystream(bytes);
            }
            Self::Aes256(aes) => {
                let core = CtrCore::inner_iv_init(&**aes, iv.into());
                let mut stream = Ctr128BE::<&Aes256Enc>::from_core(core);
                stream.seek(at);
                stream.apply_keystream(bytes);
            }
        }
    }

    /// Adds one keystream to two pieces, one after the other.
    fn apply_to_both(&self, iv: &[u8; 16], first: &mut [u8], second: &mut [u8]) {
        let at = first.len() as u64;
        self.apply(iv, 0, first);
        self.apply(iv, at, second);
    }
}

impl Cm {
    /// `None` if the key has not 16 bytes.
    pub(crate) fn new(
        key: &[u8],
        salt: Zeroizing<[u8; 14]>,
        authentication: &[u8; 20],
        tag: usize,
    ) -> Option<Self> {
        Some(Self {
            aes: Aes::new(key)?,
            salt,
            mac: <Hmac<Sha1> as KeyInit>::new_from_slice(authentication).ok()?,
            tag,
        })
    }

    pub(super) fn seal_rtp(
        &self,
        buf: &mut Vec<u8>,
        start: usize,
        header: &Header,
        extent: Extent,
        index: u64,
    ) -> Option<()> {
        self.apply_rtp(buf.get_mut(start..)?, header, extent, index)?;
        let tag = self.mac(buf.get(start..)?, rollovers(index));
        buf.extend_from_slice(tag.finalize().as_bytes().get(..self.tag)?);
        Some(())
    }

    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header: &Header,
        extent: Extent,
        index: u64,
    ) -> Option<()> {
        let (packet, tag) = packet.split_at_mut_checked(packet.len().checked_sub(self.tag)?)?;
        let mac = self.mac(packet, rollovers(index));
        mac.verify_truncated_left(tag).ok()?;
        self.apply_rtp(packet, header, extent, index)
    }

    pub(super) fn seal_rtcp(
        &self,
        buf: &mut Vec<u8>,
        start: usize,
        ssrc: u32,
        index: u32,
    ) -> Option<()> {
        let body = buf.get_mut(start + RTCP_HEADER..)?;
        let iv = iv(&self.salt, ssrc, index.into());
        self.aes.apply(&iv, 0, body);
        let mut word = [0; 4];
        BigEndian::write_u32(&mut word, index | ENCRYPTED);
        buf.extend_from_slice(&word);
        let tag = self.mac(buf.get(start..)?, []);
        buf.extend_from_slice(tag.finalize().as_bytes().get(..self.tag)?);
        Some(())
    }

    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, word: u32) -> Option<()> {
        let (packet, tag) = packet.split_at_mut_checked(packet.len().checked_sub(self.tag)?)?;
        self.mac(packet, []).verify_truncated_left(tag).ok()?;
        if word & ENCRYPTED != 0 {
            let end = packet.len().checked_sub(4)?;
            let iv = iv(&self.salt, ssrc, (word & !ENCRYPTED).into());
            self.aes.apply(&iv, 0, packet.get_mut(RTCP_HEADER..end)?);
        }
        Some(())
    }

    fn apply_rtp(
        &self,
        packet: &mut [u8],
        header: &Header,
        extent: Extent,
        index: u64,
    ) -> Option<()> {
        let iv = iv(&self.salt, header.ssrc, index);
        match extent {
            Extent::Payload => self.aes.apply(&iv, 0, packet.get_mut(header.len..)?),
            Extent::Cryptex => {
                // RFC 9335 §6.1: the four bytes that introduce the extension stay as they are.
                let (head, body) =
                    packet.split_at_mut_checked(header.sources_end + Header::EXTENSION)?;
                let sources = head.get_mut(Header::FIXED..header.sources_end)?;
                self.aes.apply_to_both(&iv, sources, body);
            }
        }
        Some(())
    }

    fn mac<const N: usize>(&self, packet: &[u8], tail: [u8; N]) -> Tag {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(&tail);
        Tag(mac)
    }
}

/// A tag that is not cut yet.
struct Tag(Hmac<Sha1>);

impl Tag {
    fn finalize(self) -> Whole {
        Whole(self.0.finalize().into_bytes().into())
    }

    /// In constant time.
    fn verify_truncated_left(self, tag: &[u8]) -> Result<(), ()> {
        self.0.verify_truncated_left(tag).map_err(|_| ())
    }
}

struct Whole([u8; 20]);

impl Whole {
    fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The roll-over counter, which is authenticated but not sent (RFC 3711 §4.2).
fn rollovers(index: u64) -> [u8; 4] {
    let mut bytes = [0; 4];
    BigEndian::write_u32(&mut bytes, (index >> 16) as u32);
    bytes
}

/// The initialization vector (RFC 3711 §4.1.1): salt, SSRC and index added, and 16 bits to count blocks.
pub(crate) fn iv(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let mut added = [0; 16];
    let (front, back) = added.split_at_mut(8);
    BigEndian::write_u32(front.get_mut(4..).unwrap_or_default(), ssrc);
    BigEndian::write_u64(back, index << 16);
    added
        .iter_mut()
        .zip(salt)
        .for_each(|(added, salt)| *added ^= *salt);
    added
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::vectors::{hex, read};

    fn keystream_of(key: &[u8], counter: &[u8]) -> Vec<u8> {
        let mut block = vec![0; 16];
        let counter = counter.try_into().unwrap();
        Aes::new(key).unwrap().apply(counter, 0, &mut block);
        block
    }

    #[test]
    fn keystream_of_rfc_3711_and_rfc_6188() {
        let small = read(include_str!("../../tests/vectors/rfc3711_srtp.json"));
        let large = read(include_str!("../../tests/vectors/rfc6188_srtp_aes256.json"));
        for vectors in [&small["aes_cm"], &large["aes_256_cm"]] {
            let key = hex(&vectors["session_key"]);
            for block in vectors["blocks"].as_array().unwrap() {
                let keystream = keystream_of(&key, &hex(&block["counter"]));
                assert_eq!(keystream, hex(&block["keystream"]));
            }
        }
    }

    #[test]
    fn the_vector_is_salt_ssrc_and_index() {
        let file = read(include_str!("../../tests/vectors/rfc6904_hdrext.json"));
        let salt = hex(&file["hdr_salt_label07"]);
        let made = iv(salt[..].try_into().unwrap(), 0xcafe_babe, 0x1234);
        assert_eq!(made[..], hex(&file["init_counter"]));
    }
}
