//! RTCP as the application reads and writes it.

use std::{fmt, time::Instant};

use bytes::Bytes;
use oxirtc_rtp::rtcp;

/// A datagram of RTCP that came, authentic and decrypted: one packet or several (RFC 3550 §6.1, RFC 5506).
#[derive(Clone, PartialEq, Eq)]
pub struct RtcpDatagram {
    bytes: Bytes,
    received: Instant,
}

/// A packet that an application defines (RFC 3550 §6.7, `APP`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcpApp {
    /// Whose it is: four letters.
    pub name: [u8; 4],
    /// Which of those with this name: 0 to 31.
    pub subtype: u8,
    /// What it says, in whole words of four bytes; at most 512 bytes.
    pub data: Bytes,
}

impl RtcpDatagram {
    /// `None` for what is no RTCP.
    pub(crate) fn new(bytes: &[u8], received: Instant) -> Option<Self> {
        rtcp::Compound::parse(bytes).ok()?;
        Some(Self {
            bytes: Bytes::copy_from_slice(bytes),
            received,
        })
    }

    /// Its packets, in their order.
    pub fn packets(&self) -> impl Iterator<Item = rtcp::Rtcp<'_>> {
        // It was looked at when it came.
        rtcp::Compound::parse(&self.bytes).into_iter().flatten()
    }

    /// As it came, without SRTCP.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// When it came.
    pub fn received(&self) -> Instant {
        self.received
    }
}

impl RtcpApp {
    /// What is wrong with it.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.subtype > MOST_SUBTYPE {
            Some("there are 32 types of a name")
        } else if !self.data.len().is_multiple_of(4) {
            Some("data are whole words of four bytes")
        } else if self.data.len() > MOST_DATA {
            Some("data are 512 bytes at most")
        } else {
            None
        }
    }
}

impl fmt::Debug for RtcpDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.packets()).finish()
    }
}

/// Five bits.
const MOST_SUBTYPE: u8 = 31;
const MOST_DATA: usize = 512;
