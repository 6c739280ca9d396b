//! One bulk transfer over one path.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use oxirtc_netsim::{Link, Loss, earliest, epoch, mbps, percent};
use oxirtc_sctp::{
    Association, Config, CongestionControl, SendOptions, Stats,
    packet::{ChunkKind, Packet, Sack},
};

/// What lies between two ends.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    round_trip: Duration,
    rate: Option<u64>,
    /// In quarters of a bandwidth-delay product.
    queue: u64,
    loss: f64,
    bursts: f64,
    reorder: f64,
    late: Duration,
    /// Every so many packets with data one is lost.
    periodic: Option<u64>,
    /// How many packets a socket takes or gives at once.
    batch: usize,
    /// The longest packet; above what every path carries it is searched for first.
    longest: usize,
    /// How many gap ack blocks the receiver's SACKs name at most.
    blocks: usize,
    control: CongestionControl,
}

impl Path {
    pub(crate) fn new() -> Self {
        Self {
            round_trip: Duration::ZERO,
            rate: None,
            queue: 4,
            loss: 0.0,
            bursts: 0.0,
            reorder: 0.0,
            late: Duration::ZERO,
            periodic: None,
            batch: 1,
            longest: 1112,
            blocks: usize::MAX,
            control: CongestionControl::default(),
        }
    }

    pub(crate) fn round_trip(self, round_trip: Duration) -> Self {
        Self { round_trip, ..self }
    }

    pub(crate) fn rate(self, megabits: u64) -> Self {
        let rate = Some(megabits);
        Self { rate, ..self }
    }

    pub(crate) fn queue(self, queue: u64) -> Self {
        Self { queue, ..self }
    }

    pub(crate) fn loss(self, loss: f64) -> Self {
        Self { loss, ..self }
    }

    pub(crate) fn bursts(self, bursts: f64) -> Self {
        Self { bursts, ..self }
    }

    pub(crate) fn reorder(self, reorder: f64, late: Duration) -> Self {
        Self {
            reorder,
            late,
            ..self
        }
    }

    pub(crate) fn periodic(self, packets: u64) -> Self {
        let periodic = Some(packets);
        Self { periodic, ..self }
    }

    pub(crate) fn batch(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    pub(crate) fn longest(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    pub(crate) fn blocks(self, blocks: usize) -> Self {
        Self { blocks, ..self }
    }

    pub(crate) fn control(self, control: CongestionControl) -> Self {
        Self { control, ..self }
    }

    /// What chunk and record overhead leave of the rate, in MB/s. A datagram has 37 bytes of DTLS around its packet.
    pub(crate) fn most(&self) -> f64 {
        let rate = self.rate.unwrap_or_default() as f64 / 8.0;
        rate * 1084.0 / (1112 + RECORD) as f64
    }

    fn links(&self, seed: u64) -> [Link; 2] {
        let base = Link::new(seed).delay(self.round_trip / 2);
        let mut there = base.clone();
        if let Some(rate) = self.rate {
            let product = rate * 125 * self.round_trip.as_millis() as u64;
            let queue = (product * self.queue / 4).max(4000) as usize;
            there = there.rate(mbps(rate)).queue(queue);
        }
        let mut back = base.reseeded(seed + 1000);
        if self.loss > 0.0 {
            there = there.loss(percent(self.loss));
            back = back.loss(percent(self.loss));
        } else if self.bursts > 0.0 {
            there = there.loss(Loss::bursts(percent(self.bursts), 4.0));
        }
        if self.reorder > 0.0 {
            there = there.reorder(percent(self.reorder), self.late);
            back = back.reorder(percent(self.reorder), self.late);
        }
        [there, back]
    }
}

/// What a record of DTLS adds.
const RECORD: usize = 37;

/// What came of it.
pub(crate) struct Outcome {
    /// In MB/s.
    pub(crate) goodput: f64,
    pub(crate) timeouts: u64,
    pub(crate) episodes: u64,
    pub(crate) spurious: u64,
    pub(crate) probes: u64,
    pub(crate) resent: u64,
    /// The longest time in which nothing could be read.
    pub(crate) silence: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.3} MB/s | {} RTO | {} episodes, {} spurious | {} probes | {} resent | silent {} ms",
            self.goodput,
            self.timeouts,
            self.episodes,
            self.spurious,
            self.probes,
            self.resent,
            self.silence.as_millis()
        )
    }
}

/// Two ends, of which the first has always something to send.
pub(crate) struct Transfer {
    pub(crate) now: Instant,
    sides: [Association; 2],
    links: [Link; 2],
    path: Path,
    got: u64,
    last: Instant,
    silence: Duration,
    packets: u64,
    payload: Bytes,
    seed: u64,
}

impl Transfer {
    pub(crate) fn new(path: Path, seed: u64) -> Self {
        let now = epoch();
        let side = |which: u8| {
            let config = Config::default().congestion_control(path.control);
            Association::new(config, [seed as u8 * 2 + which; 32], now)
        };
        let clean = Link::new(seed).delay(path.round_trip / 2);
        let mut transfer = Self {
            now,
            sides: [side(0), side(1)],
            links: [clean.clone(), clean],
            path,
            got: 0,
            last: now,
            silence: Duration::ZERO,
            packets: 0,
            payload: Bytes::from(vec![7; 65_536]),
            seed,
        };
        // The path is what data meets; the set-up is not measured.
        for side in &mut transfer.sides {
            side.connect(now);
        }
        while !transfer.sides.iter().all(Association::is_established) {
            transfer.step();
        }
        transfer.sides[0].path_changed(path.longest);
        transfer.links = path.links(transfer.seed);
        transfer.last = transfer.now;
        transfer
    }

    fn top_up(&mut self) {
        while self.sides[0].is_established() && self.sides[0].total_unacknowledged() < 8 << 20 {
            let payload = self.payload.clone();
            let options = SendOptions::default();
            self.sides[0]
                .send(self.now, 1, 53, payload, options)
                .unwrap();
        }
        self.transmit(0);
    }

    /// The next thing that happens.
    fn step(&mut self) {
        let next = earliest([
            self.sides[0].poll_timeout(),
            self.sides[1].poll_timeout(),
            self.links[0].poll_timeout(),
            self.links[1].poll_timeout(),
        ]);
        self.now = self.now.max(next.unwrap_or(self.now));
        for index in [0, 1] {
            if self.sides[index]
                .poll_timeout()
                .is_some_and(|at| at <= self.now)
            {
                self.sides[index].handle_timeout(self.now);
            }
            for _ in 0..self.path.batch {
                let Some(packet) = self.links[1 - index].receive(self.now) else {
                    break;
                };
                let packet = &packet[..packet.len() - RECORD];
                self.sides[index].handle_packet(self.now, packet);
            }
            if index == 1 {
                while let Some(message) = self.sides[1].read(1) {
                    self.got += message.payload.len() as u64;
                    self.silence = self.silence.max(self.now - self.last);
                    self.last = self.now;
                }
            }
            while self.sides[index].poll_event().is_some() {}
            self.transmit(index);
        }
    }

    fn transmit(&mut self, index: usize) {
        let mut packet = Vec::new();
        loop {
            let mut any = false;
            for _ in 0..self.path.batch {
                packet.clear();
                let side = &mut self.sides[index];
                if !side.poll_probe(self.now, &mut packet)
                    && !side.poll_transmit(self.now, self.path.longest, &mut packet)
                {
                    break;
                }
                any = true;
                if index == 0 && packet.len() > 1000 {
                    self.packets += 1;
                    let lost = |every| self.packets.is_multiple_of(every);
                    if self.path.periodic.is_some_and(lost) {
                        continue;
                    }
                }
                if index == 1 {
                    name_fewer_blocks(&mut packet, self.path.blocks);
                }
                // A record of DTLS is around it.
                packet.resize(packet.len() + RECORD, 0);
                self.links[index].send(self.now, packet.clone());
            }
            if !any {
                return;
            }
        }
    }

    /// Runs for a time, with something to send all the while.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.top_up();
            self.step();
        }
    }

    /// How long it takes until so many bytes have been read.
    pub(crate) fn until(&mut self, bytes: u64) -> Duration {
        let start = self.now;
        while self.got < bytes {
            self.top_up();
            self.step();
        }
        self.now - start
    }

    /// The way there becomes another, as at a handover.
    pub(crate) fn becomes(&mut self, link: &Link) {
        self.links[0].set_conditions(link);
    }

    /// What comes in a time.
    pub(crate) fn measure(&mut self, time: Duration) -> Outcome {
        let (start, got, before) = (self.now, self.got, self.sides[0].stats());
        (self.last, self.silence) = (self.now, Duration::ZERO);
        self.run(time);
        let after = self.sides[0].stats();
        let since = |of: fn(&Stats) -> u64| of(&after) - of(&before);
        Outcome {
            goodput: (self.got - got) as f64 / (self.now - start).as_secs_f64() / 1e6,
            timeouts: since(|it| it.retransmission_timeouts),
            episodes: since(|it| it.fast_recoveries),
            spurious: since(|it| it.spurious_recoveries),
            probes: since(|it| it.probes),
            resent: since(|it| it.retransmissions),
            silence: self.silence.max(self.now - self.last),
        }
    }
}

/// Leaves the first blocks of a SACK. The packet has no checksum, as both ends are over DTLS.
fn name_fewer_blocks(packet: &mut Vec<u8>, most: usize) {
    let chunks = Packet::parse_unsummed(packet).unwrap().chunks();
    let sack = chunks.clone().find(|it| it.kind == ChunkKind::SACK);
    let Some(sack) = sack.and_then(|it| Sack::parse(it.value)) else {
        return;
    };
    if sack.gaps().count() <= most {
        return;
    }
    let mut fewer = packet[..12].to_vec();
    let head = (sack.cumulative, sack.window);
    Sack::write(
        &mut fewer,
        1100,
        head,
        sack.gaps().take(most),
        sack.duplicates(),
    );
    for chunk in chunks.filter(|it| it.kind != ChunkKind::SACK) {
        chunk.write(&mut fewer);
    }
    *packet = fewer;
}

/// In that time two associations are set up.
const SET_UP: Duration = Duration::from_secs(2);

/// Two transfers whose data goes over one link.
pub(crate) struct Shared {
    now: Instant,
    pairs: [[Association; 2]; 2],
    /// When each begins to send.
    begins: [Instant; 2],
    /// The bottleneck, and the ways back.
    there: Link,
    back: [Link; 2],
    got: [u64; 2],
    payload: Bytes,
}

impl Shared {
    /// The second begins so much later.
    pub(crate) fn new(path: Path, controls: [CongestionControl; 2], later: Duration) -> Self {
        let now = epoch();
        let [there, back] = path.links(3);
        let pair = |index: u8| {
            let side = |which: u8| {
                let control = controls[usize::from(index)];
                let config = Config::default().congestion_control(control);
                let mut side = Association::new(config, [index * 2 + which + 1; 32], now);
                side.connect(now);
                side
            };
            [side(0), side(1)]
        };
        Self {
            now,
            pairs: [pair(0), pair(1)],
            begins: [now + SET_UP, now + SET_UP + later],
            there,
            back: [back.clone(), back],
            got: [0; 2],
            payload: Bytes::from(vec![7; 16_384]),
        }
    }

    fn step(&mut self) {
        let timers = self
            .pairs
            .iter()
            .flatten()
            .filter_map(Association::poll_timeout);
        let links = [&self.there, &self.back[0], &self.back[1]];
        let begins = self.begins.into_iter().filter(|at| *at > self.now);
        let next = timers
            .chain(links.iter().filter_map(|link| link.poll_timeout()))
            .chain(begins)
            .min();
        self.now = self.now.max(next.unwrap_or(self.now));
        while let Some(mut packet) = self.there.receive(self.now) {
            // The last byte says whose it is.
            let index = usize::from(packet.pop().unwrap());
            packet.truncate(packet.len() + 1 - RECORD);
            self.pairs[index][1].handle_packet(self.now, &packet);
        }
        for (index, pair) in self.pairs.iter_mut().enumerate() {
            let [from, to] = pair;
            // A sender is asked when something of its own happens, as by its owner. Asked at all that happens, both would send at the
            // same instants, and the one that is asked first would take what place a full queue has.
            let mut woken = from.total_unacknowledged() == 0;
            while let Some(packet) = self.back[index].receive(self.now) {
                from.handle_packet(self.now, &packet);
                woken = true;
            }
            woken |= from.poll_timeout().is_some_and(|at| at <= self.now);
            for side in [&mut *from, &mut *to] {
                if side.poll_timeout().is_some_and(|at| at <= self.now) {
                    side.handle_timeout(self.now);
                }
                while side.poll_event().is_some() {}
            }
            while let Some(message) = to.read(1) {
                self.got[index] += message.payload.len() as u64;
            }
            let begun = self.now >= self.begins[index] && from.is_established();
            while begun && from.total_unacknowledged() < 1 << 20 {
                let (payload, options) = (self.payload.clone(), SendOptions::default());
                from.send(self.now, 1, 53, payload, options).unwrap();
            }
            let mut packet = Vec::new();
            while woken && from.poll_transmit(self.now, 1112, &mut packet) {
                packet.resize(packet.len() + RECORD, index as u8);
                self.there.send(self.now, std::mem::take(&mut packet));
            }
            while to.poll_transmit(self.now, 1112, &mut packet) {
                self.back[index].send(self.now, std::mem::take(&mut packet));
            }
        }
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// What came of each in a time, in MB/s.
    pub(crate) fn measure(&mut self, time: Duration) -> [f64; 2] {
        let (start, before) = (self.now, self.got);
        self.run(time);
        let took = (self.now - start).as_secs_f64();
        [0, 1].map(|index| (self.got[index] - before[index]) as f64 / took / 1e6)
    }
}
