//! Resetting and adding streams (RFC 6525).

use std::time::{Duration, Instant};

use crate::{
    Association, Error, Event, State, StreamId, Tsn, effort,
    packet::{Chunk, Reconfig, Request, ResetResult, Write},
    rx::Deferred,
    streams::StreamSet,
    tcb::{Ours, Told, Want},
    timer::Timer,
};

impl Association {
    /// Resets our direction of these streams behind what was sent on them: the request leaves with the last of it. Nothing more
    /// is taken for them until [`Event::OutgoingReset`]. A stream that is being reset already is passed over.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::InvalidStream`], [`Error::ReconfigurationUnsupported`]; nothing is reset then.
    pub fn reset_streams(&mut self, now: Instant, streams: &[StreamId]) -> Result<(), Error> {
        self.check_reconfiguration()?;
        let limit = self.peer.outbound;
        if let Some(&stream) = streams.iter().find(|stream| **stream >= limit) {
            return Err(Error::InvalidStream { stream, limit });
        }
        for stream in streams {
            self.reset.over.remove(*stream);
            self.tx.queue.begin_reset(*stream);
        }
        self.settle_resets(now);
        Ok(())
    }

    /// Asks for more streams in our direction; [`Event::StreamsAdded`] tells when they are there, [`Event::StreamsDenied`] that
    /// they are not going to be.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::ReconfigurationUnsupported`], and [`Error::InvalidStream`] if that would be more
    /// than 65535.
    pub fn add_streams(&mut self, now: Instant, outgoing: u16) -> Result<(), Error> {
        self.check_reconfiguration()?;
        let limit = u16::MAX;
        let total = self.peer.outbound.checked_add(self.reset.add);
        let total = total.and_then(|total| total.checked_add(outgoing));
        if total.is_none() {
            return Err(Error::InvalidStream {
                stream: limit,
                limit,
            });
        }
        self.reset.add += outgoing;
        self.settle_resets(now);
        Ok(())
    }

    fn check_reconfiguration(&self) -> Result<(), Error> {
        if self.ended.is_some() || self.life.closing.is_some() {
            return Err(Error::Closed);
        }
        if !self.peer.reconfig {
            return Err(Error::ReconfigurationUnsupported);
        }
        Ok(())
    }

    /// The next streams to be reset, as many as a request takes. Those that were asked for before the peer said that it does
    /// not know RFC 6525, or takes fewer streams, are denied: one that it does not know would have it refuse them all.
    fn next_streams(&mut self, now: Instant) -> Vec<StreamId> {
        let limit = match self.peer.reconfig {
            true => self.peer.outbound,
            false => 0,
        };
        let room = (self.config.max_packet - REQUEST_OVERHEAD) / 2;
        let count = room.min(MAX_STREAMS).min(self.reset.ready.len());
        let next = self.reset.ready.drain(..count);
        let (streams, unknown): (Vec<_>, Vec<_>) = next.partition(|stream| *stream < limit);
        for stream in unknown {
            self.tx.queue.end_reset(stream, false);
            self.events.push(Event::OutgoingResetDenied { stream });
        }
        if streams.is_empty() && !self.reset.ready.is_empty() {
            self.timers.set(Timer::Sweep, now);
        }
        streams
    }

    /// Begins our next request, and sees to what is left of the peer's.
    pub(crate) fn settle_resets(&mut self, now: Instant) {
        let ends = !self.reset.answered.is_empty();
        if ends || self.rx.is_sweeping() || (self.has_peer() && self.tx.is_dropping()) {
            self.timers.set(Timer::Sweep, now);
        }
        if !self.tx.queue.quiet.is_empty() {
            self.reset.ready.append(&mut self.tx.queue.quiet);
        }
        // Asked with each packet: mostly nothing is wanted.
        let wanted = !self.reset.ready.is_empty() || self.reset.add > 0;
        let waits = ends || self.reset.request.is_some();
        if !wanted || waits || self.state != State::Established {
            return;
        }
        let streams = self.next_streams(now);
        if !self.peer.reconfig && self.reset.add > 0 {
            let count = std::mem::take(&mut self.reset.add);
            self.events.push(Event::StreamsDenied { count });
        }
        let want = if !streams.is_empty() {
            Want::Reset(streams, self.tx.begin_reset())
        } else if self.reset.add > 0 {
            Want::Add(std::mem::take(&mut self.reset.add))
        } else {
            return;
        };
        self.reset.request = Some(Ours {
            sequence: self.reset.next,
            want,
            in_progress: false,
            behind_all: false,
        });
        self.reset.next = self.reset.next.wrapping_add(1);
        self.control.reset_request = true;
        self.timers
            .set(Timer::Reconfiguration, now + self.tx.recovery.rtt.timeout());
    }

    /// How many bytes our request takes.
    pub(crate) fn request_len(&self) -> usize {
        match self.reset.request.as_ref().map(|request| &request.want) {
            Some(Want::Reset(streams, _)) => REQUEST_OVERHEAD + streams.len() * 2,
            _ => REQUEST_OVERHEAD,
        }
    }

    pub(crate) fn write_request(&mut self, buf: &mut Vec<u8>) {
        self.control.reset_request = false;
        let acknowledged = self.tx.outstanding.cumulative().tsn();
        let Some(ours) = &mut self.reset.request else {
            return;
        };
        let sequence = ours.sequence;
        ours.behind_all = matches!(ours.want, Want::Reset(_, last) if last <= acknowledged);
        match &ours.want {
            Want::Reset(streams, last_tsn) => {
                let mut list = Vec::with_capacity(streams.len() * 2);
                streams.iter().for_each(|stream| list.put_u16(*stream));
                let request = Request::OutgoingReset {
                    sequence,
                    response_sequence: self.reset.expected.wrapping_sub(1),
                    last_tsn: *last_tsn,
                    streams: &list,
                };
                Reconfig::write(buf, std::iter::once(request));
            }
            Want::Add(count) => {
                let count = *count;
                Reconfig::write(
                    buf,
                    std::iter::once(Request::AddOutgoing { sequence, count }),
                );
            }
        }
    }

    pub(crate) fn handle_reconfiguration_timeout(&mut self, now: Instant) {
        let Some(ours) = &self.reset.request else {
            return;
        };
        // RFC 6525 §5.2.7 H2: while the peer is on it, asking again is no error.
        if !ours.in_progress {
            if !self.count_error() {
                return;
            }
            self.tx.recovery.rtt.back_off();
        }
        self.control.reset_request = true;
        self.timers
            .set(Timer::Reconfiguration, now + self.tx.recovery.rtt.timeout());
    }

    pub(crate) fn handle_reconfig(&mut self, now: Instant, chunk: Chunk<'_>) -> bool {
        let Some(reconfig) = Reconfig::parse(chunk.value) else {
            return false;
        };
        if !matches!(
            self.state,
            State::Established | State::ShutdownPending | State::ShutdownReceived
        ) {
            return true;
        }
        for request in reconfig.requests().flatten() {
            match request {
                Request::Response { sequence, result } => {
                    self.handle_response(now, sequence, result)
                }
                Request::OutgoingReset { sequence, .. }
                | Request::IncomingReset { sequence, .. }
                | Request::TsnReset { sequence }
                | Request::AddOutgoing { sequence, .. }
                | Request::AddIncoming { sequence, .. } => {
                    if let Some(result) = self.answer(now, sequence, request) {
                        self.respond(sequence, result);
                    }
                }
            }
        }
        true
    }

    fn respond(&mut self, sequence: u32, result: ResetResult) {
        let mut parameter = Vec::with_capacity(RESPONSE_LEN);
        Request::Response { sequence, result }.write(&mut parameter);
        self.control.response(parameter);
    }

    /// RFC 6525 §5.2.1: each request is carried out once, however often it comes. What takes steps and waits for nothing has its answer
    /// with the last of them.
    fn answer(&mut self, now: Instant, sequence: u32, request: Request<'_>) -> Option<ResetResult> {
        if sequence != self.reset.expected {
            let mut results = self.reset.results.iter();
            let known = results.find(|(known, _)| *known == sequence);
            let result = known.map_or(ResetResult::BAD_SEQUENCE_NUMBER, |it| it.1);
            if result == ResetResult::IN_PROGRESS
                && let Some(deferred) = &mut self.rx.deferred
            {
                deferred.told = true;
            }
            return Some(result);
        }
        let mut later = false;
        let result = match request {
            Request::OutgoingReset {
                response_sequence,
                last_tsn,
                streams,
                ..
            } => {
                let numbers = (sequence, response_sequence);
                let performed = self.perform_outgoing_reset(now, numbers, last_tsn, streams);
                later = performed.is_none();
                performed.unwrap_or(ResetResult::IN_PROGRESS)
            }
            Request::AddOutgoing { count, .. } => match self.peer.inbound.checked_add(count) {
                Some(total) => {
                    self.peer.inbound = total;
                    self.streams_added();
                    ResetResult::PERFORMED
                }
                None => ResetResult::DENIED,
            },
            Request::AddIncoming { count, .. } => {
                let total = self.peer.outbound.checked_add(self.reset.add);
                match total.and_then(|total| total.checked_add(count)) {
                    // §5.2.6: the streams come with a request of our own.
                    Some(_) => {
                        self.reset.add += count;
                        ResetResult::PERFORMED
                    }
                    None => ResetResult::DENIED,
                }
            }
            // When our direction ends is for the layer above to say (RFC 8831 §6.7).
            _ => ResetResult::DENIED,
        };
        self.reset.expected = sequence.wrapping_add(1);
        self.reset.note(sequence, result);
        (!later).then_some(result)
    }

    /// `None` if it waits for nothing: the step that ends this packet performs it or begins to.
    fn perform_outgoing_reset(
        &mut self,
        now: Instant,
        (sequence, response_sequence): (u32, u32),
        last: Tsn,
        list: &[u8],
    ) -> Option<ResetResult> {
        if list.len() > MAX_LIST {
            return Some(ResetResult::DENIED);
        }
        let streams = StreamSet::parse(list);
        if streams.highest().is_some_and(|it| it >= self.peer.inbound) {
            return Some(ResetResult::WRONG_SSN);
        }
        if let Some(deferred) = &mut self.rx.deferred {
            if (deferred.last, &deferred.streams) != (last, &streams) {
                return Some(ResetResult::ALREADY_IN_PROGRESS);
            }
            (deferred.request, deferred.told) = (Some(sequence), true);
            return Some(ResetResult::IN_PROGRESS);
        }
        // RFC 6525 §5.2.2: a request is known by its number, and is performed again under another, as a stream may
        // have lived and ended in between without data. Only who was told to wait may be asking for the same once more, and does so
        // after a timeout.
        let asked = self.reset.told.take();
        if asked.is_some_and(|it| (it.last, &it.streams) == (last, &streams) && now < it.until)
            && !self.may_be_over_for_peer(response_sequence, &streams)
        {
            return Some(ResetResult::PERFORMED);
        }
        let mut deferred = Deferred::new(Some(sequence), last, streams);
        let waits = last > self.rx.tracker.cumulative();
        deferred.told = waits;
        self.rx.deferred = Some(deferred);
        // Not performed here, as there may be very many requests in a packet.
        waits.then_some(ResetResult::IN_PROGRESS)
    }

    /// Whether the peer has our request under way, by the number of ours that it has seen last (RFC 6525 §4.1), and that resets one of these
    /// streams: for the peer our direction may be over before we hear of it.
    fn may_be_over_for_peer(&mut self, seen: u32, streams: &StreamSet) -> bool {
        let ours = self.reset.request.as_ref();
        let Some(Want::Reset(list, _)) = ours.filter(|it| it.sequence == seen).map(|it| &it.want)
        else {
            return false;
        };
        effort::take(&mut self.tx.left, list.len() * effort::CHUNK);
        streams.has_any(list)
    }

    /// Carries out what the peer has answered to our reset. False if that was more than one step.
    fn go_on_ending(&mut self) -> bool {
        while let Some(&(stream, performed)) = self.reset.answered.front() {
            if !effort::take(&mut self.tx.left, ENDED) {
                return false;
            }
            self.reset.answered.pop_front();
            self.tx.queue.end_reset(stream, performed);
            if performed {
                self.reset.over.insert(stream);
            }
            self.events.push(match performed {
                true => Event::OutgoingReset { stream },
                false => Event::OutgoingResetDenied { stream },
            });
        }
        true
    }

    /// Goes on with our reset that was answered, and with one of the peer's that waited for data, or that is too large for one step.
    pub(crate) fn sweep_reset(&mut self, now: Instant) {
        if !self.go_on_ending() {
            return;
        }
        let (events, over, mut begins) = (&mut self.events, &mut self.reset.over, false);
        let tell = |stream| {
            events.push_incoming_reset(stream);
            begins |= over.contains(stream);
            over.remove(stream);
        };
        let performed = self.rx.sweep(&mut self.tx.left, tell);
        if let Some(deferred) = &mut self.rx.deferred {
            deferred.begins |= begins;
        }
        if let Some(performed) = performed
            && let Some(request) = performed.request
        {
            begins |= performed.begins;
            // The peer need not ask again to hear of it.
            self.reset.note(request, ResetResult::PERFORMED);
            self.respond(request, ResetResult::PERFORMED);
            if performed.streams == StreamSet::All {
                self.events.push_all_reset();
                begins |= !std::mem::take(&mut self.reset.over).is_empty();
            }
            // Only where none of its streams can have another life yet the same request is this one.
            let told = performed.told && !begins;
            self.reset.told = told.then(|| Told {
                last: performed.last,
                streams: performed.streams,
                until: now + ASKS_AGAIN,
            });
        }
    }

    fn streams_added(&mut self) {
        self.events.push_latest(Event::StreamsAdded {
            outbound: self.peer.outbound,
            inbound: self.peer.inbound,
        });
    }

    /// RFC 6525 §5.2.7.
    fn handle_response(&mut self, now: Instant, sequence: u32, result: ResetResult) {
        let known = |ours: &Ours| ours.sequence == sequence;
        if !self.reset.request.as_ref().is_some_and(known) {
            return;
        }
        self.answered();
        let Some(ours) = &mut self.reset.request else {
            return;
        };
        match result {
            ResetResult::IN_PROGRESS if !ours.behind_all => {
                ours.in_progress = true;
                self.timers
                    .set(Timer::Reconfiguration, now + self.tx.recovery.rtt.timeout());
                return;
            }
            // Another request stands in the way: ask anew, later. Or nothing does: dcSCTP before 2026 went on saying what it had said of a
            // number, and performed what had waited at the next.
            ResetResult::IN_PROGRESS | ResetResult::ALREADY_IN_PROGRESS => {
                (ours.sequence, ours.in_progress) = (self.reset.next, true);
                self.reset.next = self.reset.next.wrapping_add(1);
                self.timers
                    .set(Timer::Reconfiguration, now + self.tx.recovery.rtt.timeout());
                return;
            }
            _ => {}
        }
        self.timers.stop(Timer::Reconfiguration);
        self.control.reset_request = false;
        let done = matches!(result, ResetResult::PERFORMED | ResetResult::NOTHING_TO_DO);
        match self.reset.request.take().map(|ours| ours.want) {
            Some(Want::Reset(streams, _)) => {
                self.tx.end_reset(now, done);
                // The life that follows may end without a word, and that is no repetition then.
                let told = &mut self.reset.told;
                if told.is_some() {
                    effort::take(&mut self.tx.left, streams.len() * effort::CHUNK);
                    told.take_if(|told| told.streams.has_any(&streams));
                }
                self.reset.answered = streams.into_iter().map(|it| (it, done)).collect();
            }
            Some(Want::Add(count)) if done => {
                self.peer.outbound = self.peer.outbound.saturating_add(count);
                self.streams_added();
            }
            Some(Want::Add(count)) => self.events.push(Event::StreamsDenied { count }),
            None => {}
        }
    }
}

/// The list of a request is kept for a while, so there is a longest one: a record of DTLS has room for.
const MAX_LIST: usize = 16 << 10;
/// So many streams are in one request of ours, as its answer brings about something for each.
const MAX_STREAMS: usize = 256;
/// Who was told to wait asks again within this time, if he does not take the answer that comes without asking.
const ASKS_AGAIN: Duration = Duration::from_secs(5);
const RESPONSE_LEN: usize = 12;
/// What a stream of ours costs whose reset was answered.
const ENDED: usize = 3 * effort::MESSAGE;
/// Headers of packet, chunk and request.
const REQUEST_OVERHEAD: usize = 12 + 4 + 16 + 4;
