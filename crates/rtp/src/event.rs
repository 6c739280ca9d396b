//! Facts that a session tells.

use bytes::Bytes;

use crate::{SectionId, batch::Lane, breaker::CircuitBreak, extension::Label};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A stream of the peer belongs to a section.
    Bound {
        /// The section.
        section: SectionId,
        /// The stream.
        ssrc: u32,
        /// Its lane.
        lane: Lane,
        /// Its rid.
        rid: Option<Label>,
    },
    /// The first packet of a section came, or the first after silence.
    Received {
        /// The section.
        section: SectionId,
    },
    /// The peer plays an event (RFC 4733): told once, when its first packet comes.
    Telephone {
        /// The section.
        section: SectionId,
        /// Which: 0 to 9, 10 for `*`, 11 for `#`, 12 to 15 for A to D; others are no tones.
        code: u8,
    },
    /// A stream of the peer has ended.
    Bye {
        /// The section.
        section: SectionId,
        /// The stream.
        ssrc: u32,
    },
    /// A key frame is needed on a lane: the peer has asked for one, or a switch waits for one.
    KeyframeRequested {
        /// The section that sends.
        section: SectionId,
        /// Which of its encodings.
        encoding: usize,
        /// The lane of the source.
        lane: Lane,
    },
    /// The peer allows so many bits a second; `None` takes the limit away.
    Allowed {
        /// The section that sends.
        section: SectionId,
        /// Which of its encodings.
        encoding: usize,
        /// Bits a second.
        bits: Option<u64>,
    },
    /// The peer has reported on a stream of ours.
    Reported {
        /// The section that sends.
        section: SectionId,
        /// Which of its encodings.
        encoding: usize,
    },
    /// Frames wait to be read.
    Readable {
        /// The section.
        section: SectionId,
    },
    /// A stream of ours has switched its source.
    Switched {
        /// The section that sends.
        section: SectionId,
        /// Which of its encodings.
        encoding: usize,
        /// The lane that it sends now.
        lane: Lane,
    },
    /// The peer uses an SSRC of ours (RFC 3550 §8.2): ours was changed.
    Collision {
        /// The SSRC that was ours.
        old: u32,
        /// The one that we use now.
        new: u32,
    },
    /// The circuit breaker of a stream has opened, as the stream does not get through (RFC 8083): it is sent no more. Or it has closed.
    ///
    /// It closes no sooner than 15 s after it opened, when the encoding has become active again since, or
    /// [`Session::name_anew`](crate::Session::name_anew) was called.
    Broken {
        /// The section that sends.
        section: SectionId,
        /// Which of its encodings.
        encoding: usize,
        /// Why; `None` when it has closed.
        cause: Option<CircuitBreak>,
    },
    /// A packet that an application defines.
    App {
        /// Who sent it.
        ssrc: u32,
        /// Its type among those of the name.
        subtype: u8,
        /// Four letters.
        name: [u8; 4],
        /// Its data.
        data: Bytes,
    },
}
