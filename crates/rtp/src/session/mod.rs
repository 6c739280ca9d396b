//! All RTP and RTCP of one transport.

mod control;
mod demux;
mod departed;
mod input;
mod output;
mod reports;
mod timers;
mod view;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use self::{departed::Departed, timers::Timers};
use crate::{
    Config, Encoding, Event, Ntp, Section, SectionId,
    batch::{Arena, Batch, Lane, Packet},
    config::HOUR,
    extension::{Ids, Kind, Label},
    feedback::{Feedback, Received, SentNumbers},
    payload::Codec,
    receive::{Clocks, Frame, KEYFRAME_PACE, ReceiveStream, Sources},
    rtcp::App,
    section::Carries,
    send::{Class, SendStream, Telephone},
    stats::SessionStats,
};

/// All RTP and RTCP of one transport: its SSRCs, its transport-wide numbers, its reports.
///
/// Input: `handle_rtp`, `handle_rtcp`, `handle_timeout`, and the verbs. Output, in this order: `poll_event` (facts),
/// `poll_batch` (packets that came), `read_frame`, `poll_rtcp`, `peek` and `poll_rtp` (packets to send), `poll_feedback`,
/// `poll_timeout`. What is given to it is authentic already.
#[derive(Debug)]
pub struct Session {
    pub(crate) config: Config,
    rng: ChaCha8Rng,
    origin: Instant,
    wall: Ntp,
    sections: Vec<State>,
    receivers: Vec<ReceiveStream>,
    senders: Vec<SendStream>,
    by_ssrc: HashMap<u32, Route>,
    /// Those that were in it.
    ended: VecDeque<u32>,
    /// How many streams have come.
    bound: u64,
    /// What the first of them is told from others by.
    first_stream: u32,
    /// Whether transport-wide feedback was agreed on for any section.
    gives_feedback: bool,
    /// What reports come from when nothing is sent.
    ssrc: u32,
    ids: Ids,
    arena: Arena,
    clocks: Clocks,
    /// Canonical names that came before their streams.
    names: VecDeque<(u32, usize)>,
    /// Mids that RTCP has told, by SSRC.
    mids: VecDeque<(u32, Label)>,
    /// Streams that have said goodbye.
    departed: VecDeque<Departed>,
    received: Received,
    sent: SentNumbers,
    timers: Timers,
    /// When a report on any stream of ours came last.
    heard: Option<Instant>,
    pending: Vec<(usize, Lane, Vec<Packet>)>,
    /// How many packets there are in it.
    waiting: usize,
    events: VecDeque<Event>,
    feedback: VecDeque<Feedback>,
    turn: usize,
    /// Bytes of frames and their packets that were taken in since all that is held was added up.
    grown: usize,
    stats: SessionStats,
}

/// What a section is, and what is to be done with it.
#[derive(Debug)]
struct State {
    id: SectionId,
    section: Section,
    delivery: Delivery,
    sources: Sources,
    /// The last packet, to tell silence.
    last: Option<Instant>,
    /// What we let the peer send.
    limit: Option<u64>,
    limit_due: Option<Instant>,
}

/// What is made of what a section receives. Without either nothing is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Whole frames, for [`Session::read_frame`].
    pub frames: bool,
    /// Packets, for [`Session::poll_batch`].
    pub packets: bool,
    /// How long frames wait at least, so that they can be played evenly (W3C `jitterBufferTarget`).
    pub target: Option<Duration>,
}

/// Where the packets of an SSRC go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Route {
    stream: usize,
    is_repair: bool,
}

/// The head of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What kind of packet.
    pub class: Class,
    /// How long it is, at most.
    pub len: usize,
    /// How many packets wait in its stream, itself included.
    pub backlog: usize,
}

/// A packet that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// What kind of packet.
    pub class: Class,
    /// Its transport-wide number, if it has one.
    pub transport_number: Option<u16>,
    /// How long it is.
    pub len: usize,
}

impl Session {
    /// A session that knows of no section yet. `seed` is random and used once; `wall` is the wall clock at `now`.
    pub fn new(config: Config, seed: [u8; 32], now: Instant, wall: Ntp) -> Self {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let ssrc = rng.next_u32().max(1);
        let first = rng.next_u32() as u16 & 0x7fff;
        Self {
            config,
            rng,
            origin: now,
            wall,
            sections: Vec::new(),
            receivers: Vec::new(),
            senders: Vec::new(),
            by_ssrc: HashMap::new(),
            ended: VecDeque::new(),
            bound: 0,
            first_stream: ssrc,
            gives_feedback: false,
            ssrc,
            ids: Ids::new(),
            arena: Arena::default(),
            clocks: Clocks::default(),
            names: VecDeque::new(),
            mids: VecDeque::new(),
            departed: VecDeque::new(),
            received: Received::new(now),
            sent: SentNumbers::new(first),
            timers: Timers::default(),
            heard: None,
            pending: Vec::new(),
            waiting: 0,
            events: VecDeque::new(),
            feedback: VecDeque::new(),
            turn: 0,
            grown: 0,
            stats: SessionStats::default(),
        }
    }

    fn place(&self, id: SectionId) -> Option<usize> {
        self.sections.iter().position(|it| it.id == id)
    }

    /// What was negotiated for a section; a repeat is a change.
    pub fn set_section(&mut self, id: SectionId, section: Section) {
        match self.place(id).and_then(|at| self.sections.get_mut(at)) {
            Some(state) => {
                // What comes after a pause is told, however short that was.
                if section.receives && !state.section.receives {
                    state.last = None;
                }
                state.section = section;
            }
            None => {
                let new = State {
                    id,
                    section,
                    delivery: Delivery::default(),
                    sources: Sources::default(),
                    last: None,
                    limit: None,
                    limit_due: None,
                };
                // One that went has left its place.
                match self.sections.iter_mut().find(|it| it.id == GONE) {
                    Some(place) => *place = new,
                    None => self.sections.push(new),
                }
                // With another section a peer may make its demultiplexer anew: each stream is named again until a report
                // tells that it is known (RFC 9143 §9.2).
                self.senders.iter_mut().for_each(|it| it.reported = false);
            }
        }
        self.gives_feedback = self.gives_transport();
        self.collect_ids();
        self.allow_all(id);
    }

    /// RFC 9143 §7.1: in a bundle an id means one extension, as long as there is a section that says so.
    fn collect_ids(&mut self) {
        self.ids = Ids::new();
        for section in self.sections.iter().map(|it| &it.section) {
            for kind in Kind::ALL {
                if let Some(id) = section.ids.id(kind) {
                    self.ids.set(kind, id);
                }
            }
        }
    }

    fn gives_transport(&self) -> bool {
        let mut all = self.sections.iter().map(|it| &it.section);
        all.any(|it| !it.formats.is_empty() && it.feedback.transport)
    }

    /// A section goes: its streams end, and its SSRCs are free again.
    pub fn remove_section(&mut self, id: SectionId) {
        let Some(at) = self.place(id) else { return };
        for sender in self.senders.iter_mut().filter(|it| it.section == at) {
            self.timers.farewells.push(sender.encoding.ssrc);
        }
        self.senders.retain(|it| it.section != at);
        let receivers = &self.receivers;
        let of_section = |route: Route| {
            let stream = receivers.get(route.stream);
            stream.is_none_or(|it| it.section == at)
        };
        let gone = self.by_ssrc.extract_if(|_, route| of_section(*route));
        self.ended.extend(gone.map(|it| it.0));
        for stream in self.receivers.iter_mut().filter(|it| it.section == at) {
            (stream.ended, stream.section) = (true, NOWHERE);
        }
        self.departed.retain(|it| it.section != at);
        self.pending.retain(|it| it.0 != at);
        self.waiting = self.pending.iter().map(|it| it.2.len()).sum();
        // Places stay, so that nothing else moves, for a section that comes.
        if let Some(state) = self.sections.get_mut(at) {
            state.id = GONE;
            state.section = Section::default();
            state.delivery = Delivery::default();
        }
        self.gives_feedback = self.gives_transport();
        self.collect_ids();
    }

    /// The streams that a section sends. One whose SSRC was there goes on with its numbers; one that is left out ends.
    pub fn set_encodings(&mut self, id: SectionId, encodings: &[Encoding]) {
        let Some(section) = self.place(id) else {
            return;
        };
        // By the SSRC that it was set with, or by the one that it has since.
        let is = |it: &SendStream, ssrc| it.set.ssrc == ssrc || it.encoding.ssrc == ssrc;
        let kept = |it: &SendStream| encodings.iter().any(|new| is(it, new.ssrc));
        let gone = self
            .senders
            .iter()
            .filter(|it| it.section == section && !kept(it));
        self.timers
            .farewells
            .extend(gone.map(|it| it.encoding.ssrc));
        self.senders.retain(|it| it.section != section || kept(it));
        for (place, encoding) in encodings.iter().enumerate() {
            let same = |it: &&mut SendStream| is(it, encoding.ssrc);
            if let Some(sender) = self.senders.iter_mut().find(same) {
                (sender.section, sender.place) = (section, place);
                let resumes = encoding.active && !sender.encoding.active;
                sender.configure(*encoding);
                if resumes {
                    sender.breaker.retry();
                    // What the source gave meanwhile is no gap, and what comes may need it: on to a key frame.
                    sender.change_source();
                }
            } else {
                let start = std::array::from_fn(|_| self.rng.next_u32());
                let places = (section, place);
                let sender = SendStream::new(places, *encoding, start, &self.config);
                self.senders.push(sender);
            }
        }
        self.allow_all(id);
    }

    /// How long a packet may be from now on, as [`Config::largest`] has it: paths differ in what they add to one.
    pub fn set_largest(&mut self, bytes: usize) {
        self.config.largest = bytes;
    }

    /// What is known of the round trip before a report has told it, as by the checks of ICE: repair goes by it from the first packet on.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.timers.round_trip.get_or_insert(round_trip.min(HOUR));
    }

    /// The peer may have another demultiplexer from now on, as behind another DTLS association: each stream is named again, by `mid` and
    /// `rid`, until a report tells that it is known (RFC 9143 §9.2). Streams that a circuit breaker has stopped are tried again. Its
    /// transport-wide numbers begin somewhere else.
    pub fn name_anew(&mut self) {
        self.received.begin_anew();
        for sender in &mut self.senders {
            sender.reported = false;
            sender.breaker.retry();
        }
    }

    /// What is to be made of what a section receives.
    pub fn set_delivery(&mut self, id: SectionId, delivery: Delivery) {
        let Some(at) = self.place(id) else { return };
        if let Some(state) = self.sections.get_mut(at) {
            state.delivery = delivery;
        }
        for stream in self.receivers.iter_mut().filter(|it| it.section == at) {
            stream.assembler.jitter.wanted = delivery.target;
            if !delivery.frames {
                stream.assembler.clear();
            }
        }
    }

    /// What a source gives, for each encoding that needs it.
    pub fn write(&mut self, now: Instant, id: SectionId, lane: Lane, batch: &Arc<Batch>) {
        let Some(section) = self.place(id) else {
            return;
        };
        let of = self.senders.iter_mut().filter(|it| it.section == section);
        for sender in of.filter(|it| it.needs(lane)) {
            sender.push(now, batch.clone());
        }
    }

    /// A section has another source: its streams keep their numbers and timestamps, and go on with what begins there, video
    /// with a key frame.
    pub fn change_source(&mut self, id: SectionId) {
        let Some(section) = self.place(id) else {
            return;
        };
        let of = self.senders.iter_mut().filter(|it| it.section == section);
        of.for_each(SendStream::change_source);
    }

    /// So many packets that were meant for this section are gone: its video goes on with a key frame.
    pub fn lag(&mut self, id: SectionId, packets: u64) {
        let Some(section) = self.place(id) else {
            return;
        };
        self.stats.lagged += packets;
        let of = self.senders.iter_mut().filter(|it| it.section == section);
        of.for_each(SendStream::lag);
    }

    /// Asks the peer for a key frame: of one lane, or of all. Requests that follow each other are one.
    pub fn request_keyframe(&mut self, now: Instant, id: SectionId, lane: Option<Lane>) {
        let Some(section) = self.place(id) else {
            return;
        };
        let of = self
            .receivers
            .iter_mut()
            .filter(|it| it.section == section && !it.ended);
        for stream in of.filter(|it| lane.is_none_or(|lane| lane == it.lane)) {
            stream.want_keyframe(now);
        }
    }

    /// Limits what the peer sends on a section, in bits a second; `None` takes the limit away.
    pub fn limit(&mut self, now: Instant, id: SectionId, bits: Option<u64>) {
        let Some(at) = self.place(id) else { return };
        if let Some(state) = self.sections.get_mut(at) {
            state.limit = bits;
            state.limit_due = Some(now);
        }
    }

    /// Plays an event (RFC 4733) on the audio of a section, for an hour at most, instead of what is written meanwhile. False if the section
    /// has no payload type for it, or plays one already.
    pub fn play_event(
        &mut self,
        now: Instant,
        id: SectionId,
        code: u8,
        duration: Duration,
    ) -> bool {
        let Some(at) = self.place(id) else {
            return false;
        };
        let Some(state) = self.sections.get(at) else {
            return false;
        };
        let sender = self
            .senders
            .iter_mut()
            .find(|it| it.section == at && it.sends());
        let Some(sender) = sender.filter(|it| it.telephone.is_none()) else {
            return false;
        };
        // RFC 4733 §2.1: the clock is that of the audio around it.
        let of_event = |it: &&crate::Format| it.role == Carries::Media(Codec::TelephoneEvent);
        let is_other = |it: &&crate::Format| matches!(it.role, Carries::Media(codec) if codec.is_audio() && !matches!(codec, Codec::TelephoneEvent | Codec::ComfortNoise));
        let codec = sender.codec().and_then(|codec| state.section.media(codec));
        let clock = codec.or(state.section.formats.iter().find(is_other).copied());
        let mut formats = state.section.formats.iter().filter(of_event);
        let same = formats
            .clone()
            .find(|it| clock.is_some_and(|clock| clock.clock == it.clock));
        let Some(format) = same.or_else(|| formats.next()) else {
            return false;
        };
        let playing = (format.payload_type, format.clock);
        sender.telephone = Some(Telephone::new(playing, code, now, duration.min(HOUR)));
        true
    }

    /// Sends a packet that an application defines (RFC 3550 §6.7) with the next report, which is due at once: four letters, a type
    /// among those of the name, 0 to 31, and whole words of data. False if it is longer than 588 bytes with those that wait already:
    /// nothing of it is sent then.
    pub fn send_app(&mut self, now: Instant, name: [u8; 4], subtype: u8, data: &[u8]) -> bool {
        let app = App {
            ssrc: self.ssrc,
            subtype,
            name,
            data,
        };
        self.timers.app(now, &app)
    }

    /// Ends all that is sent: the next [`poll_rtcp`](Self::poll_rtcp) says goodbye.
    pub fn close(&mut self) {
        let sent = self.senders.iter().map(|it| it.encoding.ssrc);
        self.timers.farewells.extend(sent);
        self.senders.clear();
    }

    /// The next SSRC of the peer that belongs to no stream any more, so that whoever remembers it need not.
    pub fn poll_ended(&mut self) -> Option<u32> {
        self.ended.pop_front()
    }

    /// The next fact.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The packets that came together, of one section and lane; shared as they are. When
    /// 4,096 of a lane wait they are dropped, and when 16,384 wait in all those of the lane of which most do.
    pub fn poll_batch(&mut self) -> Option<(SectionId, Lane, Arc<Batch>)> {
        let at = self.pending.iter().position(|it| !it.2.is_empty())?;
        let (section, lane, packets) = self.pending.get_mut(at)?;
        let room = packets.len();
        self.waiting -= room;
        let packets = std::mem::replace(packets, Vec::with_capacity(room));
        let id = self.sections.get(*section)?.id;
        Some((id, *lane, Arc::new(Batch { packets })))
    }

    /// The next frame of a section whose time has come.
    pub fn read_frame(&mut self, now: Instant, id: SectionId) -> Option<Frame> {
        let section = self.place(id)?;
        let mut of = self.receivers.iter_mut().filter(|it| it.section == section);
        of.find_map(|it| it.assembler.read(now))
    }

    /// What the peer tells of packets that we sent, for whoever controls the rate.
    pub fn poll_feedback(&mut self) -> Option<Feedback> {
        self.feedback.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let streams = self.receivers.iter().filter(|it| !it.ended);
        let streams = streams.filter_map(ReceiveStream::timeout);
        // What is not sent is not due.
        let active = self.senders.iter().filter(|it| it.sends());
        let events = active.filter_map(|it| it.telephone.as_ref());
        let heard = self.heard_on_many();
        let breakers = self.senders.iter().filter_map(|it| {
            // What a report has opened is told at once.
            let told = it.stats.broken == it.breaker.cause();
            if told {
                it.breaker.due(heard)
            } else {
                Some(self.origin)
            }
        });
        let limits = self.sections.iter().filter_map(|it| it.limit_due);
        let wakes = self.senders.iter().filter(|it| it.lacks().is_some());
        // What was found missing while sending is asked for at once.
        let wakes = wakes.map(|it| it.asked.map_or(self.origin, |at| at + again(it)));
        let wishes = self.senders.iter().filter(|it| it.wished);
        let wishes = wishes.filter_map(|it| it.wish_told.map(|at| at + KEYFRAME_PACE));
        let others = [self.timers.due(), self.received.due()];
        streams
            .chain(events.map(Telephone::due))
            .chain(limits)
            .chain(breakers)
            .chain(wakes)
            .chain(wishes)
            .chain(others.into_iter().flatten())
            .min()
    }

    /// Does what is due: frames that are given up, requests that are repeated, circuit breakers.
    pub fn handle_timeout(&mut self, now: Instant) {
        for at in 0..self.receivers.len() {
            self.assemble(now, at);
        }
        self.ask_sources(now);
        self.handle_breakers(now);
    }

    /// RFC 8083: streams that do not get through stop, each by itself, and may be tried again.
    fn handle_breakers(&mut self, now: Instant) {
        let heard = self.heard_on_many();
        for sender in &mut self.senders {
            if sender.breaker.handle_timeout(now, heard) {
                sender.change_source();
            }
            let cause = sender.breaker.cause();
            if std::mem::replace(&mut sender.stats.broken, cause) != cause
                && let Some(state) = self.sections.get(sender.section)
            {
                self.events.push_back(Event::Broken {
                    section: state.id,
                    encoding: sender.place,
                    cause,
                });
            }
        }
    }

    /// RFC 8083 §4.1: one report holds 31 streams, so of more each is reported on in its turn, and any report shows the way back.
    fn heard_on_many(&self) -> Option<Instant> {
        self.heard.filter(|_| self.senders.len() > 31)
    }

    /// Asks for the key frames that switches wait for, and that the peer wishes for: of wishes that follow each other one is told.
    fn ask_sources(&mut self, now: Instant) {
        for sender in &mut self.senders {
            let is_over = |at: Option<Instant>, pace| at.is_none_or(|at| now >= at + pace);
            let lacks = sender.lacks();
            let lacks = lacks.filter(|_| is_over(sender.asked, again(sender)));
            let wished = sender.wished && is_over(sender.wish_told, KEYFRAME_PACE);
            if lacks.is_some() {
                sender.asked = Some(now);
            }
            if wished {
                (sender.wished, sender.wish_told) = (false, Some(now));
            }
            let current = || sender.rewrite.current().unwrap_or(sender.rewrite.target());
            let lane = lacks.or_else(|| wished.then(current));
            if let Some((lane, state)) = lane.zip(self.sections.get(sender.section)) {
                let event = Event::KeyframeRequested {
                    section: state.id,
                    encoding: sender.place,
                    lane,
                };
                if !self.events.contains(&event) {
                    self.events.push_back(event);
                }
            }
        }
    }

    /// The wall clock.
    fn wall(&self, now: Instant) -> Ntp {
        self.wall.after(now.saturating_duration_since(self.origin))
    }
}

/// In the place of a section that went.
const GONE: SectionId = SectionId(u32::MAX);
/// The place of the section of a stream that ended with it.
const NOWHERE: usize = usize::MAX;

/// How long a switch waits until it asks again.
fn again(sender: &SendStream) -> Duration {
    let trips = sender.round_trip.unwrap_or_default() * 3;
    trips.max(Duration::from_secs(1))
}
