//! Streams to peers (RFC 6544).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    Path, Protocol, RequestId,
    framing::Deframer,
    key::{BaseId, PairKey},
};

/// A stream on which the datagrams of one pair go.
pub(crate) struct Stream {
    pub(crate) key: PairKey,
    stage: Stage,
    /// Where its datagrams end; taken out while it works.
    pub(crate) deframer: Deframer,
    /// When it was asked for, or its first bytes came.
    born: Instant,
    /// The peer has opened it.
    accepted: bool,
}

#[derive(Clone, Copy)]
enum Stage {
    Opening(RequestId),
    /// The address of this end.
    Open(SocketAddr),
}

/// The streams of an agent.
#[derive(Default)]
pub(crate) struct Streams(Vec<Stream>);

impl Streams {
    /// One was asked for.
    pub(crate) fn open(&mut self, now: Instant, id: RequestId, key: PairKey) {
        self.push(now, key, Stage::Opening(id), false);
    }

    /// Somebody has opened one. If there are too many, one of a stranger goes, the oldest of the host that has the most: its way.
    /// `kept` holds for those that are of use; whether there was room.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        (key, local): (PairKey, SocketAddr),
        kept: impl Fn(PairKey) -> bool,
    ) -> (bool, Option<Path>) {
        let accepted = self.0.iter().filter(|it| it.accepted).count();
        let mut ended = None;
        if accepted >= MAX_ACCEPTED {
            let stranger = |it: &Stream| it.accepted && !kept(it.key);
            let host = |it: &Stream| it.key.remote.ip();
            let of = |ip| {
                let its = self.0.iter().filter(|it| stranger(it) && host(it) == ip);
                its.count()
            };
            let strangers = self.0.iter().enumerate().filter(|(_, it)| stranger(it));
            // Of equal ones the last counts, which is the oldest this way round.
            let Some((at, _)) = strangers.rev().max_by_key(|(_, it)| of(host(it))) else {
                return (false, None);
            };
            ended = self.0.remove(at).path();
        }
        self.push(now, key, Stage::Open(local), true);
        (true, ended)
    }

    fn push(&mut self, now: Instant, key: PairKey, stage: Stage, accepted: bool) {
        self.0.push(Stream {
            key,
            stage,
            deframer: Deframer::default(),
            born: now,
            accepted,
        });
    }

    /// Whether one more may be asked for.
    pub(crate) fn has_room(&self) -> bool {
        let opening = self.0.iter().filter(|it| it.local().is_none()).count();
        opening < MAX_OPENING && self.0.len() < MAX_ACCEPTED + MAX_OPENED
    }

    /// Notes the answer to a request; the pair that it was for.
    pub(crate) fn answer(&mut self, id: RequestId, local: Option<SocketAddr>) -> Option<PairKey> {
        let asked = |it: &Stream| matches!(it.stage, Stage::Opening(of) if of == id);
        let at = self.0.iter().position(asked)?;
        let key = self.0.get(at)?.key;
        match (local, self.0.get_mut(at)) {
            (Some(local), Some(stream)) => stream.stage = Stage::Open(local),
            _ => drop(self.0.remove(at)),
        }
        Some(key)
    }

    pub(crate) fn get_mut(&mut self, key: PairKey) -> Option<&mut Stream> {
        self.0.iter_mut().find(|it| it.key == key)
    }

    pub(crate) fn has(&self, key: PairKey) -> bool {
        self.0.iter().any(|it| it.key == key)
    }

    /// The way of a pair, once its stream is open.
    pub(crate) fn path(&self, key: PairKey) -> Option<Path> {
        self.0.iter().find(|it| it.key == key)?.path()
    }

    /// The pair whose stream has these ends.
    pub(crate) fn at(&self, path: Path) -> Option<PairKey> {
        let mut streams = self.0.iter();
        Some(streams.find(|it| it.path() == Some(path))?.key)
    }

    /// Those of these bases that were asked for and have not come, and where they lead.
    pub(crate) fn opening(
        &self,
        bases: &[BaseId],
    ) -> impl Iterator<Item = (RequestId, SocketAddr)> {
        let its = self.0.iter().filter(|it| it.is_of(bases));
        its.filter_map(|it| match it.stage {
            Stage::Opening(id) => Some((id, it.key.remote)),
            Stage::Open(_) => None,
        })
    }

    /// Forgets those for which `ends` holds; the ways of those that were open.
    pub(crate) fn end(&mut self, mut ends: impl FnMut(&Stream) -> bool) -> Vec<Path> {
        let ended = self.0.extract_if(.., |it| ends(it));
        ended.filter_map(|it| it.path()).collect()
    }

    /// When the first of those that `kept` does not hold for is over: who opens a stream and says nothing of use is not
    /// waited for.
    pub(crate) fn due(&self, kept: impl Fn(PairKey) -> bool) -> Option<Instant> {
        let strange = self.0.iter().filter(|it| it.accepted && !kept(it.key));
        strange.map(|it| it.born + PATIENCE).min()
    }
}

impl Stream {
    fn local(&self) -> Option<SocketAddr> {
        match self.stage {
            Stage::Opening(_) => None,
            Stage::Open(local) => Some(local),
        }
    }

    fn path(&self) -> Option<Path> {
        Some(Path {
            local: self.local()?,
            remote: self.key.remote,
            protocol: Protocol::Tcp,
        })
    }

    pub(crate) fn is_of(&self, bases: &[BaseId]) -> bool {
        bases.contains(&self.key.base)
    }

    /// Whether it was opened by a stranger who has had his time.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.accepted && self.born + PATIENCE <= now
    }
}

/// Streams that the peer, and strangers, may have opened.
const MAX_ACCEPTED: usize = 16;
/// Streams that we have opened.
const MAX_OPENED: usize = 32;
/// Streams that are being opened at once: a peer names whom we connect to.
const MAX_OPENING: usize = 4;
/// How long who opened a stream has to say who he is.
const PATIENCE: Duration = Duration::from_secs(10);
