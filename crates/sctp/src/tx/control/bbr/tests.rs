use super::{super::rate::Rates, *};

const PACKET: usize = 1000;

/// A path that delivers so many packets each millisecond, at the earliest a round trip after they left.
struct Line {
    now: Instant,
    start: Instant,
    trip: Duration,
    packets: usize,
    /// The answers come all at once, every so many milliseconds.
    every: usize,
    elapsed: usize,
    bbr: Bbr,
    rates: Rates,
    /// The packets in flight and when they left.
    flying: std::collections::VecDeque<(u64, Instant)>,
    next: u64,
    sent_at: f64,
    /// Of so many packets one is lost, from then on.
    losses: Option<u64>,
    widest: usize,
    narrowest: usize,
}

impl Line {
    #[expect(clippy::disallowed_methods, reason = "a base instant for the test")]
    fn new(trip: u64) -> Self {
        let now = Instant::now();
        Self {
            now,
            start: now,
            trip: Duration::from_millis(trip),
            packets: 1,
            every: 1,
            elapsed: 0,
            bbr: Bbr::new(PACKET, 10 * PACKET),
            rates: Rates::new(1),
            flying: std::collections::VecDeque::new(),
            next: 1,
            sent_at: 0.0,
            losses: None,
            widest: 0,
            narrowest: usize::MAX,
        }
    }

    fn flight(&self) -> usize {
        self.flying.len() * PACKET
    }

    fn run(&mut self, time: Duration) {
        (self.widest, self.narrowest) = (0, usize::MAX);
        let end = self.now + time;
        while self.now < end {
            let mut limited = false;
            let elapsed = self.now.duration_since(self.start).as_secs_f64();
            loop {
                limited = limited || self.flight() + PACKET > self.bbr.window();
                let due = self.bbr.pacing_rate().is_none() || self.sent_at <= elapsed;
                if self.flight() + PACKET > self.bbr.window() || !due {
                    break;
                }
                let rate = self.bbr.pacing_rate().unwrap_or(u64::MAX);
                self.sent_at = self.sent_at.max(elapsed - 0.002) + PACKET as f64 / rate as f64;
                let before = self.flight();
                self.flying.push_back((self.next, self.now));
                self.rates
                    .sent(self.now, self.next, (before, before + PACKET));
                self.next += 1;
            }
            self.now += Duration::from_millis(1);
            self.elapsed += 1;
            let answered = match self.elapsed.is_multiple_of(self.every) {
                true => self.packets * self.every,
                false => 0,
            };
            for _ in 0..answered {
                let arrived = self
                    .flying
                    .pop_front_if(|(_, at)| *at + self.trip <= self.now);
                if let Some((packet, at)) = arrived {
                    self.judge(packet, at, limited);
                }
            }
            self.widest = self.widest.max(self.flight());
            self.narrowest = self.narrowest.min(self.flight());
        }
    }

    fn judge(&mut self, packet: u64, at: Instant, limited: bool) {
        let gone = self
            .losses
            .is_some_and(|every| packet.is_multiple_of(every));
        let lost = match gone {
            true => self.rates.lost(1, PACKET, packet),
            false => None,
        };
        let (acked, newest) = if gone {
            (0, None)
        } else {
            (PACKET, Some(packet))
        };
        let verdict = Verdict {
            now: self.now,
            sample: self.rates.acked(self.now, (acked, 0), newest, 0),
            acked,
            flight: self.flight(),
            round_trip: newest.map(|_| self.now.duration_since(at)),
            limited,
            lost,
            unsaid: false,
        };
        self.bbr.on_verdict(&verdict);
        self.rates.forget(packet, &mut { usize::MAX });
    }
}

#[test]
fn the_model_finds_rate_and_length_of_the_path() {
    let mut line = Line::new(40);
    line.run(Duration::from_secs(2));
    assert!(line.bbr.model.full);
    line.run(Duration::from_secs(2));
    let rate = line.bbr.model.most();
    assert!((950_000..1_060_000).contains(&rate), "{rate}");
    assert_eq!(line.bbr.trip.least, Some(Duration::from_millis(40)));
    // Twice what the path holds at most, and the path is full.
    assert!(line.widest <= 100_000, "{}", line.widest);
    assert!(line.narrowest >= 30_000, "{}", line.narrowest);
}

/// §5.3.2: a queue that does not drain, as the path has become narrower meanwhile, is not waited for.
#[test]
fn what_does_not_drain_is_not_waited_for() {
    let mut line = Line::new(40);
    line.packets = 4;
    while line.bbr.state != State::Drain {
        line.run(Duration::from_millis(1));
    }
    line.packets = 1;
    line.run(Duration::from_secs(2));
    assert_ne!(line.bbr.state, State::Drain);
    line.run(Duration::from_secs(14));
    let rate = line.bbr.model.most();
    assert!((950_000..1_200_000).contains(&rate), "{rate}");
}

/// §5.3.3: it is asked for more than it has given, every few seconds.
#[test]
fn a_path_that_has_become_wider_is_found_out() {
    let mut line = Line::new(40);
    line.run(Duration::from_secs(3));
    line.packets = 2;
    line.run(Duration::from_secs(20));
    let rate = line.bbr.model.most();
    assert!((1_900_000..2_200_000).contains(&rate), "{rate}");
}

/// §5.5.9: while nothing is answered more may be in flight, so that the path does not run dry.
#[test]
fn answers_that_come_at_once_are_waited_for() {
    for (every, expected) in [(1, 0..3000), (20, 10_000..30_000)] {
        let mut line = Line::new(40);
        line.every = every;
        line.run(Duration::from_secs(10));
        let extra = line.bbr.model.extra();
        assert!(expected.contains(&extra), "{every}: {extra}");
    }
}

/// §5.5.10.3: outside of probing losses bound what the path is taken to deliver.
#[test]
fn losses_bound_the_short_view() {
    for losses in [None, Some(20)] {
        let mut line = Line::new(40);
        line.run(Duration::from_secs(3));
        line.losses = losses;
        let bounded = (0..100).any(|_| {
            line.run(Duration::from_millis(50));
            line.bbr.model.bandwidth() < line.bbr.model.most()
        });
        assert_eq!(bounded, losses.is_some());
    }
}

/// §5.3.4.3.
#[test]
fn a_path_that_has_grown_longer_is_found_out() {
    let mut line = Line::new(40);
    line.run(Duration::from_secs(3));
    line.trip = Duration::from_millis(60);
    line.run(Duration::from_secs(6));
    assert!(line.narrowest <= 24_000, "{}", line.narrowest);
    line.run(Duration::from_secs(6));
    assert_eq!(line.bbr.trip.least, Some(Duration::from_millis(60)));
}

/// §5.4: where nothing was sent no queue stood, so what is sent next is not held back to see how short the path is.
#[test]
fn a_rest_is_as_good_as_a_probe() {
    for (rest, probes) in [
        (Duration::from_millis(100), true),
        (Duration::from_secs(6), false),
    ] {
        let mut line = Line::new(40);
        line.run(Duration::from_secs(3));
        line.flying.clear();
        line.now += Duration::from_secs(6);
        line.bbr.on_idle(rest, Duration::from_millis(400));
        line.run(Duration::from_millis(60));
        assert_eq!(line.bbr.state == State::ProbeRtt, probes, "{rest:?}");
    }
}

/// §5.5.10.2: one loss in a hundred says nothing, one in twenty does.
#[test]
fn only_a_large_share_of_losses_bounds_what_is_in_flight() {
    for (every, bounded) in [(100, false), (20, true)] {
        let mut line = Line::new(200);
        line.run(Duration::from_secs(4));
        line.losses = Some(every);
        line.run(Duration::from_secs(8));
        assert_eq!(line.bbr.cycle.ceiling < usize::MAX, bounded, "1 of {every}");
        let rate = line.bbr.model.bandwidth();
        assert!(bounded || rate > 800_000, "1 of {every}: {rate}");
    }
}

/// §5.3.3.6: a round after a probe that ended without loss, losses are no longer its own.
#[test]
fn losses_after_a_probe_say_nothing_of_it() {
    let mut line = Line::new(40);
    for state in [State::Up, State::Cruise] {
        while line.bbr.state != state {
            line.run(Duration::from_millis(1));
        }
    }
    line.losses = Some(10);
    line.run(Duration::from_millis(200));
    assert_eq!(line.bbr.state, State::Cruise);
    assert!(line.bbr.model.bandwidth() < line.bbr.model.most());
    assert_eq!(line.bbr.cycle.ceiling, usize::MAX);
}

#[test]
fn a_timeout_leaves_a_packet_and_the_next_answer_brings_the_window_back() {
    let mut line = Line::new(40);
    line.run(Duration::from_secs(2));
    let before = line.bbr.window();
    line.bbr.on_timeout(line.now, false);
    line.bbr.on_timeout(line.now, true);
    assert_eq!(line.bbr.window(), PACKET);
    line.run(Duration::from_millis(50));
    assert!(line.bbr.window() >= before / 2, "{}", line.bbr.window());
}
