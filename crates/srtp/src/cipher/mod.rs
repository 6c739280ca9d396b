//! The two kinds of transform, behind one face.

mod cm;
mod gcm;

pub(crate) use self::{
    cm::{Aes, Cm, iv},
    gcm::Gcm,
};

use crate::header::Header;

/// The session key of one protocol in one direction, with all that can be prepared.
pub(crate) enum Cipher {
    Cm(Cm),
    Gcm(Box<Gcm>),
}

/// What of an RTP packet is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The payload (RFC 3711 §3.1).
    Payload,
    /// Contributing sources, header extension and payload (RFC 9335 §6.1).
    Cryptex,
}

impl Cipher {
    /// Encrypts the packet at `buf[start..]` and appends the tag.
    pub(crate) fn seal_rtp(
        &self,
        buf: &mut Vec<u8>,
        start: usize,
        header: &Header,
        extent: Extent,
        index: u64,
    ) -> Option<()> {
        match self {
            Self::Cm(cm) => cm.seal_rtp(buf, start, header, extent, index),
            Self::Gcm(gcm) => gcm.seal_rtp(buf, start, header, extent, index),
        }
    }

    /// Authenticates and decrypts; `packet` is longer than header and tag. `None` if it is not authentic.
    pub(crate) fn open_rtp(
        &self,
        packet: &mut [u8],
        header: &Header,
        extent: Extent,
        index: u64,
    ) -> Option<()> {
        match self {
            Self::Cm(cm) => cm.open_rtp(packet, header, extent, index),
            Self::Gcm(gcm) => gcm.open_rtp(packet, header, extent, index),
        }
    }

    /// Encrypts the packet at `buf[start..]` and appends the tag and the word with its index.
    pub(crate) fn seal_rtcp(
        &self,
        buf: &mut Vec<u8>,
        start: usize,
        ssrc: u32,
        index: u32,
    ) -> Option<()> {
        match self {
            Self::Cm(cm) => cm.seal_rtcp(buf, start, ssrc, index),
            Self::Gcm(gcm) => gcm.seal_rtcp(buf, start, ssrc, index),
        }
    }

    /// Authenticates and decrypts; `packet` is longer than header, tag and the word with its index.
    pub(crate) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, word: u32) -> Option<()> {
        match self {
            Self::Cm(cm) => cm.open_rtcp(packet, ssrc, word),
            Self::Gcm(gcm) => gcm.open_rtcp(packet, ssrc, word),
        }
    }
}

/// The bit beside the index of an RTCP packet that says that it is encrypted (RFC 3711 §3.4).
pub(crate) const ENCRYPTED: u32 = 1 << 31;
