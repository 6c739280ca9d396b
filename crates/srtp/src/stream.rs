//! What is remembered of each SSRC.

use std::collections::BTreeMap;

use crate::index::Indices;

/// One SSRC in one direction.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) rtp: Indices,
    pub(crate) rtcp: Indices,
    /// The index of the next packet of RTCP to protect (RFC 3711 §3.4: it begins at zero).
    pub(crate) next_rtcp: u64,
}

/// What is left of an SSRC that has ended: how far its indices had come, of RTP and of RTCP.
pub(crate) type Ended = (Option<u64>, Option<u64>);

/// The SSRCs of one direction, in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    list: Vec<(u32, Stream)>,
    ended: BTreeMap<u32, Ended>,
    /// Where the last one was found: packets come in runs.
    last: usize,
}

impl Stream {
    pub(crate) fn new(window: usize) -> Self {
        Self {
            rtp: Indices::new(window),
            rtcp: Indices::new(window),
            next_rtcp: 0,
        }
    }

    /// One that goes on where it had ended.
    pub(crate) fn after((rtp, rtcp): Ended, window: usize) -> Self {
        Self {
            rtp: Indices::beyond(rtp, window),
            rtcp: Indices::beyond(rtcp, window),
            next_rtcp: 0,
        }
    }
}

impl Streams {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn get(&mut self, ssrc: u32) -> Option<&mut Stream> {
        if self.list.get(self.last).is_none_or(|it| it.0 != ssrc) {
            self.last = self.position(ssrc).ok()?;
        }
        self.list.get_mut(self.last).map(|it| &mut it.1)
    }

    /// The stream of this SSRC; `new` is kept if there is none.
    pub(crate) fn get_or_insert(&mut self, ssrc: u32, new: impl FnOnce() -> Stream) -> &mut Stream {
        let at = self.position(ssrc).unwrap_or_else(|at| {
            self.list.insert(at, (ssrc, new()));
            at
        });
        self.last = at;
        #[expect(clippy::indexing_slicing, reason = "it was found or inserted there")]
        &mut self.list[at].1
    }

    /// An SSRC has ended: of what it did only that is kept which a replay is told by, for at most so many.
    pub(crate) fn end(&mut self, ssrc: u32, most: usize) {
        if self.ended.len() < most
            && let Ok(at) = self.position(ssrc)
        {
            let (ssrc, stream) = self.list.remove(at);
            let left = (stream.rtp.highest(), stream.rtcp.highest());
            self.ended.insert(ssrc, left);
        }
    }

    /// How far an SSRC had come that has ended.
    pub(crate) fn ended(&self, ssrc: u32) -> Option<Ended> {
        self.ended.get(&ssrc).copied()
    }

    /// An SSRC that had ended is there again.
    pub(crate) fn begin(&mut self, ssrc: u32, left: Ended, window: usize) -> &mut Stream {
        self.ended.remove(&ssrc);
        self.get_or_insert(ssrc, || Stream::after(left, window))
    }

    fn position(&self, ssrc: u32) -> Result<usize, usize> {
        self.list.binary_search_by_key(&ssrc, |it| it.0)
    }
}
