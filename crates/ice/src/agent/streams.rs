//! Pairs over TCP (RFC 6544): their streams are opened before they are checked, and accepted from who checks us.

use std::{net::SocketAddr, time::Instant};

use super::Agent;
use crate::{
    ChecklistSet, GenerationId, Path, Protocol, Request, State,
    base::{Base, BaseId, PairKey, Via},
};

impl Agent {
    /// Takes bytes of a stream of a peer.
    pub(super) fn handle_stream(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        path: Path,
        bytes: &mut [u8],
        sink: &mut impl FnMut(GenerationId, &mut [u8]),
    ) {
        let Some(key) = self.stream_of(now, path) else {
            self.stats.drops.unexpected += 1;
            if self.outcome.state != State::Closed {
                self.gatherer.ask(Request::Disconnect { path });
            }
            return;
        };
        let streams = &mut self.gatherer.bases.streams;
        let Some(mut deframer) = streams
            .get_mut(key)
            .map(|it| std::mem::take(&mut it.deframer))
        else {
            return;
        };
        deframer.handle_bytes(bytes, &mut |datagram| {
            self.take(now, set, key, datagram, sink)
        });
        if let Some(stream) = self.gatherer.bases.streams.get_mut(key) {
            stream.deframer = deframer;
        }
    }

    /// Whether it has this stream: that of an allocation or of a pair, or one of somebody who has not said yet who he is. Agents that
    /// accept streams at one address all have such a one, and what one of them [ends](Request::Disconnect) is to stay open while
    /// another one has it.
    pub fn has_stream(&self, path: Path) -> bool {
        let path = path.normalized();
        self.has_relay_on(path) || self.gatherer.bases.streams.at(path).is_some()
    }

    /// Whether an allocation or a pair goes on this stream. What comes there is for such agents alone.
    pub fn uses_stream(&self, path: Path) -> bool {
        let path = path.normalized();
        let pair = self.gatherer.bases.streams.at(path);
        self.has_relay_on(path) || pair.is_some_and(|it| self.tables.is_in_use(it))
    }

    fn has_relay_on(&self, path: Path) -> bool {
        let mut relays = self.gatherer.sources.relays.iter();
        path.protocol == Protocol::Tcp && relays.any(|it| it.is_on(path))
    }

    /// The pair of a stream, which is a new one when it leads to where we accept them.
    fn stream_of(&mut self, now: Instant, path: Path) -> Option<PairKey> {
        let bases = &mut self.gatherer.bases;
        if let Some(known) = bases.streams.at(path) {
            return Some(known);
        }
        let accepts = |it: &&Base| it.via == Via::Passive && it.address == path.local;
        let base = bases.iter().find(accepts)?.id;
        let key = PairKey {
            base,
            remote: path.remote,
        };
        let tables = &self.tables;
        let accepted = (key, path.local);
        let accepted = bases
            .streams
            .accept(now, accepted, |key| tables.is_in_use(key));
        if let (_, Some(path)) = accepted {
            self.gatherer.ask(Request::Disconnect { path });
        }
        accepted.0.then_some(key)
    }

    /// Begins to open and to accept streams at the address of a base.
    pub(super) fn open_tcp(&mut self, now: Instant, set: &ChecklistSet, base: BaseId) {
        let socket = self.gatherer.bases.get(base).copied();
        let socket = socket.filter(|it| self.config.tcp && it.via == Via::Socket);
        let opened = socket.and_then(|it| self.gatherer.open_tcp(it.address));
        if let Some(active) = opened {
            self.add_base(now, set, active);
        }
    }

    /// Opens the streams of pairs that wait for one.
    pub(super) fn open_streams(&mut self, now: Instant) {
        let pairs = self.tables.sessions.iter().flat_map(|it| it.list.iter());
        let shut = pairs.filter(|pair| pair.shut && pair.is_pending());
        let wanted: Vec<PairKey> = shut.map(|pair| pair.key).collect();
        for key in wanted {
            self.gatherer.open_stream(now, key);
        }
    }

    /// Ends the streams of strangers who have had their time, and of peers whose pair is of no use any more.
    pub(super) fn end_strange_streams(&mut self, now: Instant) {
        let (tables, bases) = (&self.tables, &mut self.gatherer.bases);
        let over = bases
            .streams
            .end(|it| it.is_over(now) && !tables.is_in_use(it.key));
        for path in over {
            self.gatherer.ask(Request::Disconnect { path });
        }
    }

    /// A stream was opened, or could not be.
    pub(super) fn stream_answered(&mut self, key: PairKey, local: Option<SocketAddr>) {
        for session in &mut self.tables.sessions {
            for pair in session.list.iter_mut().filter(|it| it.key == key) {
                match local {
                    Some(_) => pair.shut = false,
                    None => pair.fail(),
                }
            }
        }
    }

    /// A stream has ended: what went on it is over.
    pub(super) fn stream_ended(&mut self, now: Instant, path: Path) {
        if let Some(key) = self.gatherer.bases.streams.at(path) {
            self.gatherer.bases.streams.end(|it| it.key == key);
            for pair in self.tables.end_pairs(now, |it| it == key) {
                self.control.cancel(pair);
            }
        }
        // Whoever holds its other end in memory lets it go.
        self.gatherer.ask(Request::Disconnect { path });
    }

    /// When strangers have had their time.
    pub(super) fn streams_due(&self) -> Option<Instant> {
        let streams = &self.gatherer.bases.streams;
        streams.due(|key| self.tables.is_in_use(key))
    }
}
