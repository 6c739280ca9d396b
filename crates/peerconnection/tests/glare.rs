//! Perfect negotiation (W3C §10.7): both sides negotiate when they like, over signalling that takes its time, and it always ends
//! in one agreement.
//!
//! A sample by default; 10,000 rounds with `OXIRTC_FULL=1`.

mod pair;

use std::{
    collections::VecDeque,
    env,
    time::{Duration, Instant},
};

use oxirtc_netsim::{Link, for_each_seed, ms};
use oxirtc_peerconnection::{
    DataChannelInit, DataChannelState, IceCandidateInit, SdpType, SessionDescription,
    SignalingState, engine::Event,
};
use pair::Pair;

const ROUNDS_OF_A_SEED: u64 = 20;

/// What travels over signalling.
enum Told {
    Description(SessionDescription),
    Candidate(IceCandidateInit),
}

/// Two applications that follow W3C's example, to the letter.
struct Game {
    pair: Pair,
    dice: Dice,
    /// What is under way to each side, in order, with the time of its arrival.
    under_way: [VecDeque<(Instant, Told)>; 2],
    ignores: [bool; 2],
    collisions: u32,
}

struct Dice(u64);

impl Dice {
    /// SplitMix64.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % bound
    }
}

/// Side 0 gives way.
fn polite(side: usize) -> bool {
    side == 0
}

impl Game {
    fn new(seed: u64) -> Self {
        let mut pair = Pair::new(seed, Link::new(seed).delay(ms(5)));
        for end in &mut pair.ends {
            end.trickle = false;
        }
        Self {
            pair,
            dice: Dice(seed),
            under_way: Default::default(),
            ignores: [false; 2],
            collisions: 0,
        }
    }

    fn state(&self, side: usize) -> SignalingState {
        self.pair.ends[side].engine.signaling_state()
    }

    /// Signalling keeps its order, and takes up to 60 ms.
    fn tell(&mut self, from: usize, told: Told) {
        let delay = Duration::from_millis(self.dice.below(60));
        let queue = &mut self.under_way[1 - from];
        let last = queue.back().map_or(self.pair.now, |(at, _)| *at);
        queue.push_back((last.max(self.pair.now + delay), told));
    }

    fn describe(&mut self, side: usize) {
        let now = self.pair.now;
        let engine = &mut self.pair.ends[side].engine;
        engine
            .set_local_description(now, None)
            .expect("one is always due");
        let description = engine.local_description().expect("it was set");
        self.tell(side, Told::Description(description));
    }

    fn hear(&mut self, side: usize, told: Told) {
        let now = self.pair.now;
        match told {
            Told::Description(description) => {
                let offer = description.kind == SdpType::Offer;
                let collision = offer && self.state(side) != SignalingState::Stable;
                self.collisions += u32::from(collision);
                self.ignores[side] = collision && !polite(side);
                if self.ignores[side] {
                    return;
                }
                let engine = &mut self.pair.ends[side].engine;
                engine
                    .set_remote_description(now, description)
                    .expect("what the other side says can be applied");
                if offer {
                    self.describe(side);
                }
            }
            Told::Candidate(candidate) => {
                let engine = &mut self.pair.ends[side].engine;
                let added = engine.add_ice_candidate(now, &candidate);
                if !self.ignores[side] {
                    added.expect("it belongs to a description that was applied");
                }
            }
        }
    }

    fn listen(&mut self, side: usize) {
        let tasks: Vec<_> = self.pair.ends[side].tasks.drain(..).collect();
        for event in tasks.into_iter().flatten() {
            match event {
                // As the facade does: it is not told when it was done meanwhile.
                Event::NegotiationNeeded => {
                    let engine = &self.pair.ends[side].engine;
                    if engine.is_negotiation_needed() {
                        self.describe(side);
                    }
                }
                Event::IceCandidate(Some(candidate)) => {
                    let engine = &self.pair.ends[side].engine;
                    if !engine.is_described(&candidate) {
                        continue;
                    }
                    self.tell(side, Told::Candidate(candidate.to_init()));
                }
                _ => {}
            }
        }
    }

    /// All that happens until this moment.
    fn run_until(&mut self, end: Instant) {
        loop {
            let mut busy = true;
            while busy {
                self.pair.step();
                busy = false;
                for side in 0..2 {
                    self.listen(side);
                    while let Some((at, _)) = self.under_way[side].front() {
                        if *at > self.pair.now {
                            break;
                        }
                        let (_, told) = self.under_way[side].pop_front().expect("it was there");
                        self.hear(side, told);
                        busy = true;
                    }
                    busy |= !self.pair.ends[side].tasks.is_empty();
                }
            }
            let arrivals = self.under_way.iter().filter_map(|it| it.front());
            let arrivals = arrivals.map(|(at, _)| *at);
            let next = arrivals.chain(self.pair.next_deadline()).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.pair.now = end;
                return;
            };
            self.pair.now = next.max(self.pair.now);
        }
    }

    /// Something that needs negotiation, if anything does.
    fn act(&mut self, side: usize) {
        let now = self.pair.now;
        let dice = self.dice.below(4);
        let engine = &mut self.pair.ends[side].engine;
        match dice {
            0 | 1 => engine.restart_ice(),
            2 => {
                let init = DataChannelInit::default();
                engine
                    .create_data_channel(now, "a", &init)
                    .expect("there are enough ids");
            }
            _ => {
                if self.state(side) == SignalingState::Stable {
                    self.describe(side);
                }
            }
        }
    }

    /// Both act within a few milliseconds, and come to rest.
    fn round(&mut self) {
        for _ in 0..2 + self.dice.below(3) {
            let pause = Duration::from_millis(self.dice.below(40));
            self.run_until(self.pair.now + pause);
            let side = usize::from(self.dice.below(2) == 1);
            self.act(side);
            if self.dice.below(3) > 0 {
                self.act(1 - side);
            }
        }
        let limit = self.pair.now + Duration::from_secs(30);
        while !self.rests() {
            assert!(
                self.pair.now < limit,
                "it does not come to rest: {:#?}",
                self.standing()
            );
            self.run_until(self.pair.now + Duration::from_millis(100));
        }
        self.check();
    }

    fn rests(&self) -> bool {
        let stable = |side| self.state(side) == SignalingState::Stable;
        let quiet = self.under_way.iter().all(VecDeque::is_empty);
        let engines = self.pair.ends.iter().map(|end| &end.engine);
        let content = engines.clone().all(|it| !it.is_negotiation_needed());
        // An offer before there is a channel describes nothing to connect.
        let empty = engines.clone().all(|it| it.transports().count() == 0);
        let connected = empty || self.pair.ends.iter().all(pair::End::is_connected);
        stable(0) && stable(1) && quiet && content && connected
    }

    /// For who reads a failure.
    fn standing(&self) -> Vec<String> {
        let stands = |side: usize| {
            let engine = &self.pair.ends[side].engine;
            let transport = engine.transports().next();
            format!(
                "{:?}, {:?}, ICE {:?}, needs negotiation: {}, hears {}",
                engine.signaling_state(),
                engine.connection_state(),
                transport.map(|it| (it.ice_state(), it.gathering_state(), it.ice_role())),
                engine.is_negotiation_needed(),
                self.under_way[side].len(),
            )
        };
        vec![stands(0), stands(1)]
    }

    /// Both speak of the same agreement.
    fn check(&self) {
        let [here, there] = self.pair.ends.each_ref().map(|end| &end.engine);
        for (a, b) in [(here, there), (there, here)] {
            assert!(a.pending_local_description().is_none());
            assert!(a.pending_remote_description().is_none());
            let mine = a.current_local_description().map(|it| credentials(&it.sdp));
            let known = b.current_remote_description();
            assert_eq!(mine, known.map(|it| credentials(&it.sdp)));
        }
    }
}

fn credentials(sdp: &str) -> Vec<String> {
    let wanted = ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=mid"];
    let lines = sdp
        .lines()
        .filter(|line| wanted.iter().any(|it| line.starts_with(it)));
    lines.map(str::to_owned).collect()
}

/// [4.4.2-35] [4.4.2-52] [4.7.3-02] However the offers cross, both sides end in the same agreement, and the channels work.
#[test]
fn perfect_negotiation_always_converges() {
    let rounds = if env::var_os("OXIRTC_FULL").is_some() {
        10_000
    } else {
        100
    };
    let (mut played, mut collisions) = (0, 0);
    for_each_seed(rounds / ROUNDS_OF_A_SEED, |seed| {
        let mut game = Game::new(seed);
        for _ in 0..ROUNDS_OF_A_SEED {
            game.round();
        }
        let init = DataChannelInit::default();
        let channel = game.pair.open(0, "last", &init);
        game.run_until(game.pair.now + Duration::from_secs(2));
        assert_eq!(game.pair.ends[0].state(channel), DataChannelState::Open);
        played += ROUNDS_OF_A_SEED;
        collisions += game.collisions;
    });
    println!("{played} rounds, {collisions} collisions");
    assert!(
        u64::from(collisions) * 5 > played,
        "they must cross often enough to matter: {collisions}"
    );
}
