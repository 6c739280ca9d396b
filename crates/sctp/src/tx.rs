//! Sending: what waits, what is under way, and how fast.

pub(crate) mod control;
mod ends;
mod fill;
pub(crate) mod flown;
mod found;
mod judge;
pub(crate) mod outstanding;
pub(crate) mod pacer;
pub(crate) mod pmtu;
pub(crate) mod queue;
pub(crate) mod recovery;
pub(crate) mod scheduler;
mod skip;
mod steps;
mod waiting;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use self::{
    control::{Control, Controller, Rates},
    flown::PacketNo,
    found::{TimedOut, Unfinished},
    outstanding::{Batch, Outstanding},
    pacer::{Pacer, rate_over},
    pmtu::Pmtu,
    queue::Queue,
    recovery::{Ended, Recovery},
    skip::Skip,
    waiting::Waiting,
};
use crate::{Config, Stats, Tsn, effort, packet::Data, serial::Seq};

/// The sending half of an association.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) queue: Queue,
    pub(crate) outstanding: Outstanding,
    pub(crate) control: Control,
    pub(crate) recovery: Recovery,
    pub(crate) skip: Skip,
    pub(crate) pmtu: Pmtu,
    pacer: Pacer,
    /// What the path delivers, for a controller that asks.
    rates: Option<Rates>,
    batch: Batch,
    /// SACKs of which some is still to be noted, and a verdict of which some is still to be found: while there is either, nothing
    /// that follows from it is done and no data leaves, as if all were taken at once. Since when.
    waiting: VecDeque<Waiting>,
    verdict: Option<Box<Unfinished>>,
    /// T3-rtx has expired, and not all that is lost by it is found.
    timed_out: Option<TimedOut>,
    /// More than one step of what a model knows of packets is not needed any more.
    forgetting: bool,
    /// More than one step of what is under way has outlived its time.
    expiring: bool,
    /// What left first is not found in one step, to be asked for: what was put aside is taken back before.
    returning: bool,
    since: Option<Instant>,
    /// How much of the [step](effort::STEP) that an input may cost is left, of receiving too.
    pub(crate) left: usize,
    /// What was under way before restarts, and is dropped in steps.
    before: VecDeque<Outstanding>,
    /// Bytes of chunks that left of late, and of what they carry.
    lengths: (usize, usize),
    /// The window in the peer's last SACK, or in its INIT.
    pub(crate) peer_window: usize,
    /// One packet goes out whatever the window says.
    grant: Option<Grant>,
    /// Packets before this one left while the window was all in use.
    limited: PacketNo,
    /// The highest number that was acknowledged.
    highest: Seq,
    /// How far the last SACK says what has come, if not to the end.
    horizon: Option<Seq>,
    held: Held,
    /// When a closed window is probed next, and how long after that again.
    window_probe: Option<(Instant, Duration)>,
    /// Something went out that the peer was asked to acknowledge at once.
    immediate: bool,
    last_sent: Option<Instant>,
    /// What a packet that every path carries has room for beside its header.
    packet: usize,
    /// The length of packets that the controller knows.
    measured: usize,
    settings: Settings,
}

/// What a sender begins anew with.
#[derive(Clone, Debug)]
struct Settings {
    control: crate::config::CongestionControl,
    initial_packets: u32,
    timing: crate::config::Timing,
    max_packet: usize,
    send_buffer: usize,
}

/// What sending needs to know while a packet is filled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Where the packet begins in the buffer.
    pub(crate) start: usize,
    /// How long it may become.
    pub(crate) capacity: usize,
    /// Whether the peer shall answer at once.
    pub(crate) immediate: bool,
}

/// Why a packet may pass the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// RFC 8985 §7.3.
    Probe,
    /// RFC 9260 §6.3.3 E3.
    Timeout,
    /// RFC 9260 §6.1 A.
    Window,
}

/// Why nothing more went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It was not asked for more.
    Nothing,
    /// Nothing waits.
    Empty,
    /// The congestion window is full.
    Window,
    /// The peer's window is.
    Peer,
    /// So much is under way that its numbers would be outrun.
    Numbers,
    /// It is too early.
    Pacer(Instant),
    /// Enough has left since the last input.
    Burst,
}

/// What a SACK changed.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Something was newly acknowledged.
    pub(crate) any: bool,
}

impl Sender {
    pub(crate) fn new(config: &Config, initial: Tsn) -> Self {
        let settings = Settings {
            control: config.congestion_control,
            initial_packets: config.initial_window_packets,
            timing: config.timing.clone(),
            max_packet: config.max_packet,
            send_buffer: config.send_buffer,
        };
        Self::with(settings, initial)
    }

    fn with(settings: Settings, initial: Tsn) -> Self {
        let packet = settings.max_packet - crate::packet::HEADER;
        let outstanding = Outstanding::new(initial);
        Self {
            queue: Queue::default(),
            control: Control::new(settings.control, packet, settings.initial_packets),
            recovery: Recovery::new(&settings.timing),
            skip: Skip::new(&outstanding, (settings.max_packet - 64) / 4),
            pmtu: Pmtu::new(settings.max_packet),
            pacer: Pacer::new(packet),
            rates: rates(&settings, &outstanding),
            batch: Batch::default(),
            waiting: VecDeque::new(),
            verdict: None,
            timed_out: None,
            forgetting: false,
            expiring: false,
            returning: false,
            since: None,
            left: effort::STEP,
            before: VecDeque::new(),
            lengths: (0, 0),
            peer_window: 0,
            grant: None,
            limited: 0,
            highest: outstanding.cumulative(),
            horizon: None,
            held: Held::Nothing,
            window_probe: None,
            immediate: false,
            last_sent: None,
            packet,
            measured: packet,
            settings,
            outstanding,
        }
    }

    /// Begins at another TSN with a fresh congestion window; what is queued stays, and what is known of the path's packets.
    pub(crate) fn restart(&mut self, initial: Tsn) {
        let mut fresh = Self::with(self.settings.clone(), initial);
        self.pmtu.renumber();
        std::mem::swap(&mut fresh.pmtu, &mut self.pmtu);
        std::mem::swap(&mut fresh.queue, &mut self.queue);
        fresh.peer_window = self.peer_window;
        std::mem::swap(&mut fresh.before, &mut self.before);
        fresh.left = self.left;
        let old = std::mem::replace(&mut self.outstanding, Outstanding::new(initial));
        if !old.is_empty() {
            fresh.before.push_back(old);
        }
        *self = fresh;
    }

    /// A fresh congestion window, for what comes; what is on its way is not sent again.
    pub(crate) fn reset_control(&mut self) {
        let settings = &self.settings;
        self.control = Control::new(settings.control, self.packet, settings.initial_packets);
        self.pacer = Pacer::new(self.packet);
        self.measured = self.packet;
    }

    /// Chunks are I-DATA from now on, or DATA: nothing has been sent yet.
    pub(crate) fn set_interleaving(&mut self, interleaving: bool) {
        self.queue.set_interleaved(interleaving);
        self.outstanding.set_interleaved(interleaving);
        self.skip.set_interleaved(interleaving);
    }

    /// Nothing waits and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.outstanding.is_empty()
    }

    /// The pacing rate in bytes a second, where pacing is on.
    pub(crate) fn pacing_rate(&self) -> Option<u64> {
        self.pacer.rate()
    }

    /// Compares every account with what it counts, in debug builds and where that is not much.
    fn check(&self) {
        if cfg!(debug_assertions) && self.outstanding.len() < MAX_CHECKED && !self.is_busy() {
            self.outstanding.check();
            self.queue.check(self.outstanding.unreleased());
        }
    }

    fn set_peer_window(&mut self, now: Instant, window: usize) {
        let closed = std::mem::replace(&mut self.peer_window, window) == 0;
        if window > 0 && self.window_probe.take().is_some() && closed {
            // RFC 9260 §6.1 A: what probed the window is sent again at once.
            self.last_sent = Some(now);
            if self.outstanding.flight_bytes() > 0 && self.outstanding.is_only_window_probe() {
                self.outstanding.lose_newest(now);
            }
            self.start_t3(now);
        }
    }

    /// The next deadline.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let paced = match self.held {
            Held::Pacer(at) => Some(at),
            _ => None,
        };
        let probe = self.window_probe.map(|(at, _)| at);
        let expiry = self.outstanding.next_expiry();
        let search = self.pmtu.poll_timeout();
        let step = self.next_step();
        let timers = [self.recovery.next(), paced, probe, expiry, search, step];
        timers.into_iter().flatten().min()
    }

    /// Serves what is due. True if the peer has stayed silent where it should have answered.
    pub(crate) fn handle_timeout(&mut self, now: Instant, stats: &mut Stats) -> bool {
        if matches!(self.held, Held::Pacer(at) if at <= now) {
            self.held = Held::Nothing;
        }
        if !self.go_on(now, stats) {
            return false;
        }
        self.go_on_dropping();
        stats.path_probe_losses += u64::from(self.pmtu.handle_timeout(now));
        self.give_up_expired(now, stats);
        if self.recovery.pass.take_if(|at| *at <= now).is_some() {
            self.recovery.ended = Some(Ended::Over);
        }
        self.judge(now, stats);
        if !self.is_busy() && self.recovery.is_probe_due(now) {
            self.send_probe(now, stats);
        }
        if self.is_busy() {
            return false;
        }
        let mut silent = false;
        if self.recovery.is_timeout_due(now) {
            silent = true;
            self.handle_t3(now, stats);
        }
        if let Some((at, wait)) = self.window_probe
            && at <= now
        {
            if self.outstanding.is_only_window_probe() {
                // What may not be sent again is given up, as the next probe could not leave beside it.
                self.send_again(now, stats);
                if self.outstanding.is_only_window_probe() {
                    // That is more than one step, and the next one is still due.
                    return silent;
                }
            }
            silent = true;
            self.grant = Some(Grant::Window);
            let wait = (wait * 2).min(self.recovery.rtt.max());
            self.window_probe = Some((now + wait, wait));
        }
        silent
    }

    /// T3-rtx begins anew, if there is something to wait for.
    pub(crate) fn start_t3(&mut self, now: Instant) {
        if self.recovery.t3.is_none() {
            // A probe of before it ran is late by now.
            self.recovery.probe = None;
        }
        // What probes a window that is closed has a timer of its own.
        let probes = self.window_probe.is_some() && self.outstanding.is_only_window_probe();
        let waits = self.outstanding.flight_bytes() > 0 && !probes;
        let waits = waits
            || self.skip.is_pending(&self.outstanding)
            || self.outstanding.peek_lost().is_some();
        self.recovery.t3 = waits.then(|| now + self.timeout());
    }

    /// How long T3-rtx waits: with a single packet for the answer that the peer may keep, too.
    fn timeout(&self) -> Duration {
        let timeout = self.recovery.rtt.timeout();
        let longest = self.recovery.rtt.longest();
        let kept = longest.filter(|_| self.may_be_kept());
        kept.map_or(timeout, |longest| timeout.max(longest + DELAYED_ACK))
    }

    /// Whether the peer may keep its answer, as it waits for a second packet.
    fn may_be_kept(&self) -> bool {
        self.outstanding.flight_bytes() <= self.pmtu.size() && !self.immediate
    }

    /// Takes everything in flight as lost, without blame, as far as that is one step.
    pub(crate) fn send_again(&mut self, now: Instant, stats: &mut Stats) {
        let (queue, abandoned) = (&mut self.queue, &mut stats.abandoned_sent);
        self.outstanding
            .lose_all(now, queue, abandoned, &mut self.left);
        self.update_skip(now);
    }

    fn update_skip(&mut self, now: Instant) {
        let round_trip = self
            .recovery
            .rtt
            .smoothed()
            .unwrap_or(self.recovery.rtt.timeout());
        let left = &mut self.left;
        self.skip.update(now, round_trip, &self.outstanding, left);
        if self.skip.unfinished {
            self.since = Some(now);
        }
        if self.recovery.t3.is_none() && self.skip.is_pending(&self.outstanding) {
            self.start_t3(now);
        }
    }

    fn set_pace(&mut self, now: Instant) {
        let Some(smoothed) = self.recovery.rtt.smoothed() else {
            return;
        };
        let (window, least) = (self.control.window(), self.recovery.rtt.least());
        if let Some(rate) = self.control.pacing_rate() {
            // The least window is for each round trip, whatever an outage has taught of the path.
            let floor = rate_over(control::MIN_PACKETS * self.packet, smoothed, 100);
            return self.pacer.set(now, rate.max(floor), least);
        }
        let gain = match self.control.in_slow_start() {
            true => 200,
            false => 125,
        };
        let own = rate_over(window, smoothed, gain);
        // However wide the window has become, no more leaves than what the peer has room for, and over a round trip too: the shortest,
        // as what waits in queues is no reason to send more slowly where more cannot wait.
        let bounded = self.recovery.episode.is_none() && self.peer_window > 0;
        // It counts payload, and chunks leave.
        let (chunks, carried) = (self.lengths.0.max(1), self.lengths.1.max(1));
        let peers = self.peer_window.saturating_mul(chunks) / carried;
        let peers = bounded.then(|| rate_over(peers, least, 125));
        let rate = peers.map_or(own, |peers| own.min(peers));
        self.pacer.set(now, rate, least);
    }

    /// The PMDCS of RFC 9260: what a packet of the length that the path is known to carry has room for.
    fn pmdcs(&self) -> usize {
        self.pmtu.size() - crate::packet::HEADER
    }

    /// The window counts in packets, and may have learnt of longer or shorter ones.
    fn measure_packet(&mut self) {
        let packet = self.pmdcs();
        if self.measured != packet {
            self.measured = packet;
            self.control.on_packet_size(packet);
        }
    }

    /// The largest piece that fits a packet by itself.
    fn full_payload(&self) -> usize {
        self.packet - self.outstanding.size(0)
    }
}

/// Only a model of the path needs them.
fn rates(settings: &Settings, outstanding: &Outstanding) -> Option<Rates> {
    let model = settings.control == crate::config::CongestionControl::Bbr;
    model.then(|| Rates::new(outstanding.packets.next()))
}

impl Room {
    fn left(&self, buf: &[u8]) -> usize {
        let used = buf.len().saturating_sub(self.start);
        self.capacity.saturating_sub(used)
    }

    fn flag(&self) -> u8 {
        if self.immediate { Data::IMMEDIATE } else { 0 }
    }
}

/// How long a peer may keep an acknowledgement (RFC 9260 §6.2).
const DELAYED_ACK: Duration = Duration::from_millis(200);
/// Accounts of more than that are not compared after each SACK.
const MAX_CHECKED: usize = 256;

#[cfg(test)]
mod tests;
