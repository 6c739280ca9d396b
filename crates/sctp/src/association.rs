//! The association: its state, its verbs, and where each input goes.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use zeroize::Zeroize;

use crate::{
    Config, Event, Failure, Initiator, Message, Stats, StreamId, Tsn,
    control::Control,
    cookie::CookieKey,
    effort,
    event::Events,
    packet::{Abort, CauseCode, Causes, Chunk, ChunkKind, Data, Packet, Sack},
    rx::{Acknowledgement, Receiver},
    setup::{Setup, random_tag},
    tcb::{Consent, Ended, Heartbeat, Life, Peer, Reconfiguration},
    timer::{Timer, Timers},
    tx::{Sender, control::Controller},
};

/// One SCTP association over a lower layer that is already secure and addressed (DTLS over ICE).
///
/// It reads no clock and no socket. Feed it packets ([`handle_packet`](Self::handle_packet)) and time
/// ([`handle_timeout`](Self::handle_timeout)); then take events ([`poll_event`](Self::poll_event)), packets
/// ([`poll_transmit`](Self::poll_transmit)) and the next deadline ([`poll_timeout`](Self::poll_timeout)), in this
/// order. Handing over a batch of packets before asking for packets saves acknowledgements.
pub struct Association {
    pub(crate) config: Config,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) state: State,
    pub(crate) peer: Peer,
    pub(crate) setup: Setup,
    pub(crate) tx: Sender,
    pub(crate) rx: Receiver,
    pub(crate) reset: Reconfiguration,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) control: Control,
    pub(crate) timers: Timers,
    pub(crate) events: Events,
    pub(crate) stats: Stats,
    pub(crate) life: Life,
    /// What is left to say, once it is over.
    pub(crate) ended: Option<Ended>,
    /// When the last input came.
    pub(crate) clock: Instant,
}

/// The states of RFC 9260 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Not connected yet, or ended.
    Closed,
    /// INIT was sent.
    CookieWait,
    /// COOKIE ECHO was sent.
    CookieEchoed,
    /// Data flows.
    Established,
    /// The user wants an end; what is queued goes out first.
    ShutdownPending,
    /// SHUTDOWN was sent.
    ShutdownSent,
    /// The peer wants an end; what is queued goes out first.
    ShutdownReceived,
    /// SHUTDOWN ACK was sent.
    ShutdownAckSent,
}

impl Association {
    /// An association that has not connected. `seed` must be unpredictable and used once: tags, initial TSNs and the
    /// key of cookies come from it.
    pub fn new(config: Config, mut seed: [u8; 32], now: Instant) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        seed.zeroize();
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        let key = CookieKey::new(&secret, now);
        secret.zeroize();
        let initial = Tsn(rng.next_u32());
        Self {
            state: State::Closed,
            peer: Peer {
                local_tag: random_tag(&mut rng),
                tag: 0,
                outbound: config.outbound_streams,
                inbound: config.inbound_streams,
                forward_tsn: true,
                reconfig: true,
                zero_checksum: false,
                interleaving: false,
            },
            setup: Setup::new(key, &config),
            tx: Sender::new(&config, initial),
            rx: Receiver::new(&config, Tsn(0)),
            reset: Reconfiguration::new(initial.0),
            heartbeat: Heartbeat::default(),
            control: Control::default(),
            timers: Timers::default(),
            events: Events::default(),
            stats: Stats::default(),
            life: Life {
                consent: Consent::Given,
                timeouts: 0,
                closing: None,
                blocked: false,
                max_outgoing: MAX_OUTGOING,
                last_activity: now,
            },
            ended: None,
            clock: now,
            rng,
            config,
        }
    }

    /// Takes one SCTP packet. What is not valid is dropped and counted.
    pub fn handle_packet(&mut self, now: Instant, bytes: &[u8]) {
        self.clock = self.clock.max(now);
        let parsed = match self.config.zero_checksum {
            true => Packet::parse_unsummed(bytes),
            false => Packet::parse(bytes),
        };
        let Ok(packet) = parsed else {
            self.stats.dropped_malformed += 1;
            return;
        };
        let ports = (self.config.remote_port, self.config.local_port);
        if (packet.source, packet.destination) != ports {
            self.stats.dropped_malformed += 1;
            return;
        }
        let Some(first) = packet.chunks().next() else {
            self.stats.dropped_malformed += 1;
            return;
        };
        if self.ended.is_some() {
            self.handle_after_end(now, &packet, first);
            return;
        }
        if !self.accepts_tag(&packet, first) {
            self.stats.dropped_wrong_tag += 1;
            return;
        }
        self.stats.packets_received += 1;
        self.stats.bytes_received += bytes.len() as u64;
        self.tx.input();
        self.handle_chunks(now, &packet);
        self.settle_input(now);
    }

    /// RFC 9260 §8.5: each packet shows by its tag that its sender knows this association; the exceptions of §8.5.1
    /// are those that cannot.
    fn accepts_tag(&self, packet: &Packet<'_>, first: Chunk<'_>) -> bool {
        let reflected = first.flags & Abort::REFLECTED != 0;
        match first.kind {
            ChunkKind::INIT => packet.tag == 0,
            ChunkKind::ABORT | ChunkKind::SHUTDOWN_COMPLETE if reflected => {
                self.peer.tag != 0 && packet.tag == self.peer.tag
            }
            // Its tag is compared with that in the cookie.
            ChunkKind::COOKIE_ECHO => true,
            // §8.5.1 E: answered as out of the blue while we are setting up.
            ChunkKind::SHUTDOWN_ACK if self.is_setting_up() => true,
            _ => self.state != State::Closed && packet.tag == self.peer.local_tag,
        }
    }

    /// Looks at the chunks that one step has room for: what is behind them is as if it were lost.
    fn handle_chunks(&mut self, now: Instant, packet: &Packet<'_>) {
        let (mut data, mut sacks) = (false, 0);
        let mut chunks = packet.chunks();
        let mut index = 0;
        while let Some(chunk) = chunks.next() {
            let is_data = matches!(chunk.kind, ChunkKind::DATA | ChunkKind::I_DATA);
            let effort = match is_data {
                true => effort::DATA,
                false => effort::of_chunk(chunk.value.len()),
            };
            if !effort::take(&mut self.tx.left, effort) {
                self.stats.dropped_chunks += 1;
                break;
            }
            data |= is_data;
            let alone = index == 0 && chunks.clone().next().is_none() && !chunks.is_broken();
            index += 1;
            let go_on = match chunk.kind {
                ChunkKind::INIT if alone => self.handle_init(chunk),
                // RFC 9260 §3.3.2: nothing may stand beside INIT, INIT ACK or SHUTDOWN COMPLETE.
                ChunkKind::INIT_ACK if alone => self.handle_init_ack(now, chunk),
                ChunkKind::SHUTDOWN_COMPLETE if alone => self.handle_shutdown_complete(),
                ChunkKind::INIT | ChunkKind::INIT_ACK | ChunkKind::SHUTDOWN_COMPLETE => false,
                ChunkKind::COOKIE_ECHO => {
                    index == 1 && self.handle_cookie_echo(now, packet.tag, chunk)
                }
                ChunkKind::SHUTDOWN_ACK => self.handle_shutdown_ack(packet.tag),
                ChunkKind::ABORT => self.handle_abort(packet.tag, chunk),
                _ if packet.tag != self.peer.local_tag => false,
                ChunkKind::SACK => {
                    let whole = Sack::parse(chunk.value).is_some();
                    sacks = if whole { index } else { sacks };
                    whole
                }
                kind => self.handle_chunk(now, kind, chunk),
            };
            if !go_on || self.ended.is_some() {
                self.stats.dropped_chunks += u64::from(!go_on);
                break;
            }
        }
        if chunks.is_broken() {
            self.stats.dropped_malformed += 1;
        }
        self.handle_sacks(now, packet.chunks().take(sacks));
        if data && self.ended.is_none() && self.rx.packet_done() {
            self.timers
                .set(Timer::Acknowledgement, now + self.config.timing.delayed_ack);
        }
    }

    /// SACKs have what the other chunks of a packet have left, as the rest of them can wait.
    fn handle_sacks<'a>(&mut self, now: Instant, chunks: impl Iterator<Item = Chunk<'a>>) {
        for chunk in chunks.filter(|chunk| chunk.kind == ChunkKind::SACK) {
            if self.ended.is_none()
                && let Some(sack) = Sack::parse(chunk.value)
            {
                self.handle_sack(now, &sack);
            }
        }
    }

    /// The chunks of an association that has its tags. False if the rest of the packet is not to be looked at.
    fn handle_chunk(&mut self, now: Instant, kind: ChunkKind, chunk: Chunk<'_>) -> bool {
        match kind {
            ChunkKind::I_DATA | ChunkKind::I_FORWARD_TSN if !self.config.interleaving => {
                self.handle_unknown(kind, chunk)
            }
            ChunkKind::DATA | ChunkKind::I_DATA => self.handle_data(now, chunk),
            ChunkKind::FORWARD_TSN | ChunkKind::I_FORWARD_TSN => {
                self.handle_forward_tsn(now, chunk)
            }
            ChunkKind::HEARTBEAT => self.handle_heartbeat(chunk),
            ChunkKind::HEARTBEAT_ACK => self.handle_heartbeat_ack(now, chunk),
            ChunkKind::SHUTDOWN => self.handle_shutdown(now, chunk),
            ChunkKind::ERROR => self.handle_error(now, chunk),
            ChunkKind::COOKIE_ACK => self.handle_cookie_ack(now),
            ChunkKind::RECONFIG => self.handle_reconfig(now, chunk),
            ChunkKind::PAD => true,
            _ => self.handle_unknown(kind, chunk),
        }
    }

    /// RFC 9260 §3.2: the two highest bits of an unknown chunk's type say what to do with it.
    fn handle_unknown(&mut self, kind: ChunkKind, chunk: Chunk<'_>) -> bool {
        if kind.report_if_unknown() {
            let mut whole = Vec::new();
            chunk.write(&mut whole);
            whole.truncate(MAX_REPORT);
            self.control.error(CauseCode::UNRECOGNIZED_CHUNK, &whole);
        }
        kind.skip_if_unknown()
    }

    /// RFC 9260 §8.5.1 B: either our tag, or the peer's own when the T bit says that it knew no better.
    fn handle_abort(&mut self, tag: u32, chunk: Chunk<'_>) -> bool {
        let abort = Abort::parse(chunk);
        let expected = if abort.reflected {
            self.peer.tag
        } else {
            self.peer.local_tag
        };
        if tag != expected || tag == 0 || self.state == State::Closed {
            return false;
        }
        let cause_code = abort.causes.clone().next().map(|cause| cause.code.0);
        let by = Initiator::Remote;
        self.end(Event::Closed { by, cause_code });
        true
    }

    /// RFC 9260 §3.3.10: of the errors that do not end an association, only a stale cookie asks for something.
    fn handle_error(&mut self, now: Instant, chunk: Chunk<'_>) -> bool {
        for cause in Causes::parse(chunk.value) {
            if cause.code == CauseCode::STALE_COOKIE {
                self.handle_stale_cookie(now);
            }
        }
        true
    }

    /// Serves the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.clock = self.clock.max(now);
        self.tx.input();
        for timer in Timer::ALL {
            if !self.timers.expire(timer, now) {
                continue;
            }
            match timer {
                Timer::Setup => self.handle_setup_timeout(now),
                Timer::Acknowledgement => self.rx.acknowledgement = Acknowledgement::Now,
                Timer::Heartbeat => self.handle_heartbeat_timeout(now),
                Timer::Shutdown => self.handle_shutdown_timeout(now),
                Timer::ShutdownGuard => self.fail(Failure::ShutdownTimeout),
                Timer::Reconfiguration => self.handle_reconfiguration_timeout(now),
                // What follows goes on with it.
                Timer::Sweep => {}
            }
        }
        if self.has_peer() {
            let silent = self.tx.handle_timeout(now, &mut self.stats);
            if silent {
                self.count_error();
            }
        }
        self.settle_input(now);
    }

    /// The next deadline; `None` if nothing is pending.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let sending = self.has_peer().then(|| self.tx.poll_timeout());
        let timers = [self.timers.next(), sending.flatten()];
        timers.into_iter().flatten().min()
    }

    /// Whether what is sent can be acknowledged.
    pub(crate) fn has_peer(&self) -> bool {
        self.state != State::Closed && !self.is_setting_up()
    }

    /// The next event. To be asked until there is none, after each input: a stream that is to be announced has its place in the
    /// receive window until then, though it may have been read.
    pub fn poll_event(&mut self) -> Option<Event> {
        let beginning = self.events.pop_beginning();
        if beginning.is_some() {
            return beginning;
        }
        if let Some(stream) = self.rx.inbox.next_readable() {
            return Some(Event::Readable { stream });
        }
        self.events.pop()
    }

    /// What follows from an input once it has been dealt with. Only here steps are done, so that an input costs one of them.
    fn settle_input(&mut self, now: Instant) {
        if self.ended.is_none() {
            self.sweep_reset(now);
        }
        self.settle(now);
    }

    /// What follows from an input, or from a packet that leaves.
    pub(crate) fn settle(&mut self, now: Instant) {
        while let Some(stream) = self.tx.queue.low.pop_front() {
            self.events.push_low(stream);
        }
        if self.life.blocked && self.tx.queue.held() <= self.config.send_buffer / 2 {
            self.life.blocked = false;
            self.events.push(Event::Writable);
        }
        if self.ended.is_some() {
            return;
        }
        self.settle_resets(now);
        self.settle_shutdown(now);
    }

    pub(crate) fn is_setting_up(&self) -> bool {
        matches!(self.state, State::CookieWait | State::CookieEchoed)
    }
}

/// Verbs and getters of the user.
impl Association {
    /// The next message of a stream. Reading is what opens the receive window again.
    pub fn read(&mut self, stream: StreamId) -> Option<Message> {
        let message = self.read_but(stream, None);
        if message.is_none() {
            self.rearm(stream);
        }
        message
    }

    /// The same, unless it has this payload protocol identifier: then it stays. After `None`, [`peek`](Self::peek) tells whether it
    /// does; if not, there is nothing, which is for [`rearm`](Self::rearm) to say.
    pub fn read_unless(&mut self, stream: StreamId, ppid: u32) -> Option<Message> {
        self.read_but(stream, Some(ppid))
    }

    fn read_but(&mut self, stream: StreamId, ppid: Option<u32>) -> Option<Message> {
        let message = self.rx.read(stream, ppid);
        if self.ended.is_some() {
            self.rx.acknowledgement = Acknowledgement::None;
        }
        message
    }

    /// Says that all that there is to read of a stream was seen, as `read` does when it returns `None`:
    /// [`Event::Readable`] comes again with the next message.
    pub fn rearm(&mut self, stream: StreamId) {
        self.rx.inbox.rearm(stream);
    }

    /// Payload protocol identifier and length of what [`read`](Self::read) would return.
    pub fn peek(&self, stream: StreamId) -> Option<(u32, usize)> {
        self.rx.inbox.peek(stream)
    }

    /// Whether what [`read`](Self::read) would return had come before the peer restarted the association
    /// ([`Event::Restarted`]).
    pub fn is_from_before(&self, stream: StreamId) -> bool {
        self.rx.inbox.is_from_before(stream)
    }

    /// Bytes of a stream that were taken and are not in a packet yet, but for [uncounted](crate::Room::uncounted) ones.
    pub fn buffered_amount(&self, stream: StreamId) -> usize {
        self.tx.queue.buffered(stream)
    }

    /// Bytes of a stream that were taken since it was last reset, and neither acknowledged nor given up: what the peer has reset it has.
    pub fn unacknowledged(&self, stream: StreamId) -> usize {
        self.tx.queue.unacknowledged(stream)
    }

    /// Bytes of all streams that were taken and neither acknowledged nor given up.
    pub fn total_unacknowledged(&self) -> usize {
        self.tx.queue.total_unacknowledged()
    }

    /// Whether nothing that was taken waits or is under way: the peer has acknowledged all of it in order, and passed over what was
    /// given up. What it acknowledges beyond a gap it may not hand out before that.
    pub fn is_idle(&self) -> bool {
        self.tx.is_idle()
    }

    /// At which buffered amount [`Event::BufferedAmountLow`] comes, in bytes; 0 unless set.
    pub fn set_buffered_amount_low_threshold(&mut self, stream: StreamId, threshold: usize) {
        self.tx.queue.set_threshold(stream, threshold);
    }

    /// The stream's share of bytes while others have something to send as well; 256 unless set (RFC 8831 §6.4: 128, 256, 512, 1024).
    pub fn set_priority(&mut self, stream: StreamId, priority: u16) {
        self.tx.queue.set_weight(stream, priority);
    }

    /// The largest message that the peer accepts, in bytes, as its description says it (RFC 8841 §6) or its owner; 1 GiB unless set, which is
    /// also the most. A peer of this crate accepts its [`Config::max_message_size`], 256 KiB by default.
    pub fn set_max_outgoing_message_size(&mut self, size: usize) {
        self.life.max_outgoing = size.min(MAX_OUTGOING);
    }

    /// A round trip measured below, for the first timeout.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.tx.recovery.rtt.hint(round_trip);
    }

    /// The path below is another one, on which a packet can be at most so many bytes long. Whether it carries them all is
    /// found out (RFC 8899) while much is sent: see [`poll_probe`](Self::poll_probe). Until this is called, and where it is
    /// not more than [`Config::max_packet`], nothing is probed. What the path before has lost is sent again at once,
    /// and so is the last acknowledgement: the peer would else wait for it until its timer ends.
    pub fn path_changed(&mut self, longest_packet: usize) {
        self.rx.acknowledge_again();
        self.tx.pmtu.begin(longest_packet);
        match self.tx.recovery.timeouts {
            0 => self.tx.ask_at_once(self.clock),
            _ => self.revive(),
        }
    }

    /// The path treats packets otherwise from now on, as they are marked otherwise (RFC 8837 §5): what was learnt of it is forgotten, and
    /// the congestion window begins anew. What is on its way stays so.
    pub fn reset_congestion_control(&mut self) {
        self.tx.reset_control();
    }

    /// As [`Config::zero_checksum`], for a user who learns only later what his peer can take. It counts for packets that
    /// open the association after this, so it comes before [`connect`](Self::connect).
    pub fn set_zero_checksum(&mut self, accept: bool) {
        self.config.zero_checksum = accept;
    }

    /// Ends the association at once: the next packet is an ABORT that carries `reason`.
    pub fn abort(&mut self, _now: Instant, reason: &str) {
        let started = self.state != State::Closed;
        let (by, code) = (Initiator::User, CauseCode::USER_INITIATED_ABORT);
        let cause_code = started.then_some(code.0);
        let most = self.config.max_packet - 64;
        let reason = reason.as_bytes();
        let reason = reason.get(..most).unwrap_or(reason);
        self.end_with_abort(Event::Closed { by, cause_code }, code, reason);
    }

    /// Where the association stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether data can flow in both directions.
    pub fn is_established(&self) -> bool {
        self.state == State::Established
    }

    /// On how many streams we may send; what we offered, until it is negotiated.
    pub fn outbound_streams(&self) -> u16 {
        self.peer.outbound
    }

    /// On how many streams the peer may send; what we offered, until it is negotiated.
    pub fn inbound_streams(&self) -> u16 {
        self.peer.inbound
    }

    /// How many channels, which take a stream in each direction, there can be.
    pub fn max_channels(&self) -> u16 {
        self.peer.outbound.min(self.peer.inbound)
    }

    /// The largest message accepted from the peer, in bytes.
    pub fn max_message_size(&self) -> usize {
        self.rx.max_message_size()
    }

    /// Counters and measures.
    pub fn stats(&self) -> Stats {
        Stats {
            max_packet: self.tx.pmtu.size() as u64,
            congestion_window: self.tx.control.window() as u64,
            in_flight: self.tx.outstanding.flight_bytes() as u64,
            peer_window: self.tx.peer_window as u64,
            receive_window: u64::from(self.rx.window()),
            round_trip: self.tx.recovery.rtt.smoothed(),
            min_round_trip: Some(self.tx.recovery.rtt.least()).filter(|it| !it.is_zero()),
            pacing_rate: self.tx.pacing_rate(),
            retransmission_timeout: self.tx.recovery.rtt.timeout(),
            ..self.stats
        }
    }

    /// Whether the chunk's stream exists in the peer's direction.
    pub(crate) fn is_known(&self, data: &Data<'_>) -> bool {
        data.stream < self.peer.inbound
    }
}

impl std::fmt::Debug for Association {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Association");
        debug
            .field("state", &self.state)
            .field("stats", &self.stats());
        debug.finish_non_exhaustive()
    }
}

/// The most that one message may have.
const MAX_OUTGOING: usize = 1 << 30;
/// How much of an unknown chunk is sent back.
const MAX_REPORT: usize = 256;
