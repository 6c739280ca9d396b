//! How datagrams are marked in their IP header: the code points of Differentiated Services, by what they carry and how important it is
//! (RFC 8837).

use std::collections::BTreeMap;

use byteorder::{BigEndian, ByteOrder};
use oxirtc_ice::Way;

use crate::{MediaKind, Priority};

/// How the datagrams of one transport are marked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// By SSRC, those of repairs as those of what they repair.
    streams: BTreeMap<u32, u8>,
    /// The most important of its media, sent or not.
    media: Option<u8>,
}

/// A datagram that was built and is marked otherwise than the batch that it would have stood in.
pub(super) struct Held {
    pub(super) way: Way,
    pub(super) dscp: u8,
    pub(super) datagram: Vec<u8>,
}

impl Marks {
    /// Media of this importance has a place on the transport.
    pub(super) fn weigh(&mut self, dscp: u8) {
        let known = self.media.unwrap_or(LOWER_EFFORT);
        self.media = Some(more_important(known, dscp));
    }

    pub(super) fn set_stream(&mut self, ssrc: u32, dscp: u8) {
        self.streams.insert(ssrc, dscp);
    }

    /// One of the SSRCs has made way for another.
    pub(super) fn replace_ssrc(&mut self, old: u32, new: u32) {
        if let Some(dscp) = self.streams.remove(&old) {
            self.streams.insert(new, dscp);
        }
    }

    /// Of a packet of RTP.
    pub(super) fn of_rtp(&self, packet: &[u8]) -> u8 {
        let ssrc = packet.get(8..12).map(BigEndian::read_u32);
        let known = ssrc.and_then(|it| self.streams.get(&it));
        known.copied().unwrap_or_default()
    }

    /// RFC 7657 §5.4: reports are marked as the media that they are about, or that would be sent. One packet is about all of it.
    pub(super) fn of_reports(&self) -> u8 {
        self.media.unwrap_or_default()
    }

    /// RFC 8445 §7.2.3: checks are marked as one of what they are for, so that a path that swallows marked datagrams does not
    /// pass. DTLS goes with them. `data` is the mark of data, where the transport carries it.
    pub(super) fn of_control(&self, data: Option<u8>) -> u8 {
        let most = self.media.into_iter().chain(data);
        most.reduce(more_important).unwrap_or_default()
    }
}

/// RFC 8837 §5, table 1: of a stream of media. All video is interactive, and of two code points it has the one that is dropped later.
pub(super) fn of_media(kind: MediaKind, priority: Priority) -> u8 {
    match (kind, priority) {
        (_, Priority::VeryLow) => LOWER_EFFORT,
        (_, Priority::Low) => 0,
        (MediaKind::Audio, Priority::Medium | Priority::High) => EXPEDITED,
        (MediaKind::Video, Priority::Medium) => AF42,
        (MediaKind::Video, Priority::High) => AF41,
    }
}

/// RFC 8837 §5, table 1: of data, whose channels all go with the most important one.
pub(super) fn of_data(priority: Priority) -> u8 {
    match priority {
        Priority::VeryLow => LOWER_EFFORT,
        Priority::Low => 0,
        Priority::Medium => AF11,
        Priority::High => AF21,
    }
}

fn more_important(one: u8, other: u8) -> u8 {
    let place = |dscp| ORDER.iter().position(|it| *it == dscp);
    if place(other) > place(one) {
        other
    } else {
        one
    }
}

const LOWER_EFFORT: u8 = 1;
const AF11: u8 = 10;
const AF21: u8 = 18;
const AF42: u8 = 36;
const AF41: u8 = 34;
const EXPEDITED: u8 = 46;
/// The more important last.
const ORDER: [u8; 7] = [LOWER_EFFORT, 0, AF11, AF21, AF42, AF41, EXPEDITED];

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Priority; 4] = [
        Priority::VeryLow,
        Priority::Low,
        Priority::Medium,
        Priority::High,
    ];

    /// RFC 8837 §5, table 1.
    #[test]
    fn the_table_is_that_of_the_rfc() {
        assert_eq!(ALL.map(|it| of_media(MediaKind::Audio, it)), [1, 0, 46, 46]);
        assert_eq!(ALL.map(|it| of_media(MediaKind::Video, it)), [1, 0, 36, 34]);
        assert_eq!(ALL.map(of_data), [1, 0, 10, 18]);
    }

    #[test]
    fn checks_go_with_the_most_important() {
        let mut marks = Marks::default();
        assert_eq!((marks.of_reports(), marks.of_control(None)), (0, 0));
        assert_eq!(marks.of_control(Some(1)), 1);
        marks.weigh(1);
        assert_eq!((marks.of_reports(), marks.of_control(Some(0))), (1, 0));
        for (dscp, most) in [(36, 36), (34, 34), (36, 34), (0, 34), (46, 46), (34, 46)] {
            marks.weigh(dscp);
            assert_eq!(
                (marks.of_reports(), marks.of_control(Some(18))),
                (most, most)
            );
        }
    }

    #[test]
    fn a_packet_is_marked_as_its_stream() {
        let mut marks = Marks::default();
        marks.set_stream(0x0102_0304, 46);
        let packet = [0x80, 96, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 9];
        assert_eq!(marks.of_rtp(&packet), 46);
        assert_eq!(marks.of_rtp(&packet[..11]), 0);
        assert_eq!(marks.of_rtp(&[0; 12]), 0);
    }
}
