//! What of a track a sender sends.

/// Which of a track's parallel streams a sender with one encoding sends, and up to which layers of it.
///
/// A change of the stream counts from the next key frame of the new one, which is asked for; the old one goes on until then. Layers
/// of scalable video are left out from the next frame on, and come back where the stream allows it.
///
/// A sender with several encodings sends a stream each, and of a choice only the layers count.
///
/// ```
/// use oxirtc_peerconnection::engine::Choice;
///
/// let best = Choice::rid("f");
/// let slow = Choice::rid("h").temporal(0);
/// assert_ne!(best, slow);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    stream: Stream,
    spatial: u8,
    temporal: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stream {
    Lane(u8),
    Rid(String),
}

impl Choice {
    /// The stream with this rid. One that the track does not have changes nothing, until the track has it.
    pub fn rid(rid: impl Into<String>) -> Self {
        Self::of(Stream::Rid(rid.into()))
    }

    /// The stream at this place among the track's, from 0: for peers that give their streams no rids.
    pub fn lane(lane: u8) -> Self {
        Self::of(Stream::Lane(lane))
    }

    fn of(stream: Stream) -> Self {
        Self {
            stream,
            spatial: u8::MAX,
            temporal: u8::MAX,
        }
    }

    /// The highest spatial layer, from 0. Default: all.
    #[must_use]
    pub fn spatial(mut self, highest: u8) -> Self {
        self.spatial = highest;
        self
    }

    /// The highest temporal layer, from 0. Default: all.
    #[must_use]
    pub fn temporal(mut self, highest: u8) -> Self {
        self.temporal = highest;
        self
    }

    /// The place of the stream among those with these rids.
    pub(crate) fn place(&self, rids: &[String]) -> Option<u8> {
        match &self.stream {
            Stream::Lane(lane) => Some(*lane),
            Stream::Rid(rid) => place(rids, rid),
        }
    }

    /// The highest layers: spatial, temporal.
    pub(crate) fn layers(&self) -> (u8, u8) {
        (self.spatial, self.temporal)
    }
}

impl Default for Choice {
    /// The first stream, with all its layers.
    fn default() -> Self {
        Self::lane(0)
    }
}

/// Where a rid stands among others.
pub(crate) fn place(rids: &[String], rid: &str) -> Option<u8> {
    let at = rids.iter().position(|it| it == rid)?;
    u8::try_from(at).ok()
}
