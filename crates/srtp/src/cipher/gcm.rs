//! AES-GCM (RFC 7714).

use byteorder::{BigEndian, ByteOrder};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use zeroize::Zeroizing;

use super::{ENCRYPTED, Extent};
use crate::header::{Header, RTCP_HEADER};

/// The session key of one protocol in one direction.
pub(crate) struct Gcm {
    key: LessSafeKey,
    salt: Zeroizing<[u8; 12]>,
}

impl Gcm {
    /// `None` for a key that is neither 16 nor 32 bytes long.
    pub(crate) fn new(key: &[u8], salt: Zeroizing<[u8; 12]>) -> Option<Self> {
        let algorithm = if key.len() == 16 {
            &AES_128_GCM
        } else {
            &AES_256_GCM
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
        Some(Self { key, salt })
    }

    pub(super) fn seal_rtp(
        &self,
        buf: &mut Vec<u8>,
        start: usize,
        header: &Header,
        extent: Extent,
        index: u64,
    ) -> Option<()> {
        let packet = buf.get_mut(start..)?;
        let nonce = self.nonce(header.ssrc, index);
        let clear = gather(packet, header, extent)?;
        let (clear, body) = packet.split_at_mut_checked(clear)?;
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(&*clear), body)
            .ok()?;
        scatter(packet, header, extent)?;
        buf.extend_from_slice(tag.as_ref());
        Some(())
    }

    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header: &Header,
        extent: Extent,
        index: u64,
    ) -> Option<()> {
        let nonce = self.nonce(header.ssrc, index);
        let clear = gather(packet, header, extent)?;
        let (clear, body) = packet.split_at_mut_checked(clear)?;
        self.key
            .open_in_place(nonce, Aad::from(&*clear), body)
            .ok()?;
        scatter(packet, header, extent)
    }

    pub(super) fn seal_rtcp(
        &self,
        buf: &mut Vec<u8>,
        start: usize,
        ssrc: u32,
        index: u32,
    ) -> Option<()> {
        let mut word = [0; 4];
        BigEndian::write_u32(&mut word, index | ENCRYPTED);
        let (head, body) = buf.get_mut(start..)?.split_at_mut_checked(RTCP_HEADER)?;
        let clear = associated(head, word)?;
        let nonce = self.nonce(ssrc, index.into());
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(clear), body)
            .ok()?;
        buf.extend_from_slice(tag.as_ref());
        buf.extend_from_slice(&word);
        Some(())
    }

    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, word: u32) -> Option<()> {
        let nonce = self.nonce(ssrc, (word & !ENCRYPTED).into());
        if word & ENCRYPTED == 0 {
            // RFC 7714 §9.2: all of it is associated data, the word too, which stands behind the tag.
            let tail = packet.len().checked_sub(16 + 4)?;
            packet.get_mut(tail..)?.rotate_right(4);
            let (clear, tag) = packet.split_at_mut_checked(tail + 4)?;
            let tag = Tag::try_from(&*tag).ok()?;
            let clear = Aad::from(&*clear);
            let opened = self
                .key
                .open_in_place_separate_tag(nonce, clear, tag, &mut [], 0..);
            return opened.ok().map(|_| ());
        }
        let (packet, word) = packet.split_at_mut_checked(packet.len().checked_sub(4)?)?;
        let (head, body) = packet.split_at_mut_checked(RTCP_HEADER)?;
        let clear = associated(head, word.first_chunk().copied()?)?;
        let opened = self.key.open_in_place(nonce, Aad::from(clear), body);
        opened.ok().map(|_| ())
    }

    /// RFC 7714 §8.1, §9.1: two zero bytes, the SSRC and 48 bits of index, and the salt added.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let mut nonce = [0; 12];
        let (front, back) = nonce.split_at_mut(6);
        BigEndian::write_u32(front.get_mut(2..).unwrap_or_default(), ssrc);
        BigEndian::write_uint(back, index & 0xffff_ffff_ffff, 6);
        nonce
            .iter_mut()
            .zip(self.salt.iter())
            .for_each(|(nonce, salt)| *nonce ^= *salt);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// RFC 9335 §6.1: what is not encrypted is the fixed header and the four bytes that introduce the extension, with the
/// contributing sources between them. They change places while the cipher works. Returns how much is not encrypted.
fn gather(packet: &mut [u8], header: &Header, extent: Extent) -> Option<usize> {
    if extent == Extent::Payload {
        return Some(header.len);
    }
    let between = packet.get_mut(Header::FIXED..header.sources_end + Header::EXTENSION)?;
    between.rotate_right(Header::EXTENSION);
    Some(Header::FIXED + Header::EXTENSION)
}

fn scatter(packet: &mut [u8], header: &Header, extent: Extent) -> Option<()> {
    if extent == Extent::Cryptex {
        let between = packet.get_mut(Header::FIXED..header.sources_end + Header::EXTENSION)?;
        between.rotate_left(Header::EXTENSION);
    }
    Some(())
}

/// The associated data of an encrypted RTCP packet (RFC 7714 §9.2).
fn associated(head: &[u8], word: [u8; 4]) -> Option<[u8; RTCP_HEADER + 4]> {
    let mut clear = [0; RTCP_HEADER + 4];
    let (front, back) = clear.split_at_mut_checked(RTCP_HEADER)?;
    front.copy_from_slice(head);
    back.copy_from_slice(&word);
    Some(clear)
}
