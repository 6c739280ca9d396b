//! Settings and calls at the ends of their ranges: nothing overflows, and data that can go goes.

mod support;

use std::time::Duration;

use oxirtc_netsim::Link;
use oxirtc_sctp::{Association, Config, CongestionControl, Reliability, SendOptions};
use proptest::prelude::*;

use support::{Pair, ms, pattern};

/// A number of either end, or in between.
fn number() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u16::MAX.into()),
        Just(u32::MAX as usize),
        Just(usize::MAX),
        any::<usize>(),
        0usize..100_000,
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::from_nanos(1)),
        Just(Duration::MAX),
        any::<u32>().prop_map(|micros| Duration::from_micros(micros.into())),
    ]
}

prop_compose! {
    fn config()(
        numbers in proptest::collection::vec(number(), 9),
        times in proptest::collection::vec(duration(), 6),
        limits in any::<[Option<u32>; 2]>(),
        flags in any::<[bool; 3]>(),
        control in 0..3usize,
    ) -> Config {
        let controls = [CongestionControl::NewReno, CongestionControl::Cubic, CongestionControl::Bbr];
        let config = Config::default()
            .max_packet(numbers[0])
            .receive_window(numbers[1] as u32)
            .max_message_size(numbers[2])
            .send_buffer(numbers[3])
            .streams(numbers[4] as u16, numbers[5] as u16)
            .initial_window_packets(numbers[6] as u32)
            .rto(times[0], times[1], times[2])
            .cookie_lifetime(times[3])
            .heartbeat_interval(flags[0].then_some(times[4]))
            .delayed_ack(times[5])
            .max_retransmissions(limits[0])
            .max_init_retransmissions(limits[1])
            .zero_checksum(flags[1])
            .interleaving(flags[2]);
        config.congestion_control(controls[control])
    }
}

/// What a user may call at any time.
#[derive(Clone, Debug)]
enum Call {
    Send(u16, usize, SendOptions),
    RoundTrip(Duration),
    Path(usize),
    TooLong(usize),
    Threshold(u16, usize),
    Priority(u16, u16),
    MessageSize(usize),
    Reset(Vec<u16>),
    Add(u16),
    Consent(bool),
    NewControl,
    Connect,
    Read(u16),
    Room(u16, usize),
    Transmit(usize),
    Pass(Duration),
}

fn call() -> impl Strategy<Value = Call> {
    let lifetime = duration().prop_map(Reliability::Lifetime);
    let retransmits = any::<u16>().prop_map(Reliability::Retransmits);
    let reliability = prop_oneof![Just(Reliability::Reliable), lifetime, retransmits];
    let options = (any::<bool>(), reliability).prop_map(|(ordered, reliability)| SendOptions {
        ordered,
        reliability,
    });
    let stream = || prop_oneof![0..4u16, any::<u16>()];
    prop_oneof![
        6 => (stream(), 0..40_000usize, options).prop_map(|(at, length, how)| Call::Send(at, length, how)),
        1 => duration().prop_map(Call::RoundTrip),
        1 => number().prop_map(Call::Path),
        1 => number().prop_map(Call::TooLong),
        1 => (stream(), number()).prop_map(|(at, amount)| Call::Threshold(at, amount)),
        1 => (stream(), any::<u16>()).prop_map(|(at, weight)| Call::Priority(at, weight)),
        1 => number().prop_map(Call::MessageSize),
        1 => proptest::collection::vec(stream(), 0..4).prop_map(Call::Reset),
        1 => any::<u16>().prop_map(Call::Add),
        1 => any::<bool>().prop_map(Call::Consent),
        1 => Just(Call::NewControl),
        1 => Just(Call::Connect),
        3 => stream().prop_map(Call::Read),
        1 => (stream(), number()).prop_map(|(at, length)| Call::Room(at, length)),
        2 => number().prop_map(Call::Transmit),
        4 => (0..2000u64).prop_map(|it| Call::Pass(ms(it))),
    ]
}

fn carry_out(pair: &mut Pair, side: usize, call: &Call) {
    let now = pair.now;
    let end = &mut pair.ends[side];
    // What cannot be is answered by an error, and that is all that is asked of it here.
    match call {
        Call::Send(stream, length, options) => {
            let _refused = end.send(now, *stream, 53, pattern(*length, 1).into(), *options);
        }
        Call::RoundTrip(round_trip) => end.set_round_trip(*round_trip),
        Call::Path(longest) => end.path_changed(*longest),
        Call::TooLong(length) => end.handle_too_long(now, *length),
        Call::Threshold(stream, amount) => {
            end.set_buffered_amount_low_threshold(*stream, *amount);
        }
        Call::Priority(stream, weight) => end.set_priority(*stream, *weight),
        Call::MessageSize(size) => end.set_max_outgoing_message_size(*size),
        Call::Reset(streams) => {
            let _refused = end.reset_streams(now, streams);
        }
        Call::Add(count) => {
            let _refused = end.add_streams(now, *count);
        }
        Call::Consent(consent) => end.set_consent(*consent),
        Call::NewControl => end.reset_congestion_control(),
        Call::Connect => end.connect(now),
        Call::Read(stream) => while end.read(*stream).is_some() {},
        Call::Room(stream, length) => {
            let _refused = end.room(*stream, *length);
        }
        // It is lost.
        Call::Transmit(room) => {
            let mut buf = Vec::new();
            if end.poll_transmit(now, *room, &mut buf) {
                assert!(buf.len() <= *room);
            }
        }
        Call::Pass(time) => pair.run_for(*time),
    }
    let stats = pair.ends[side].stats();
    assert!(stats.retransmission_timeout <= Duration::from_secs(3600));
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(200))]

    /// Nothing that a user sets, says or asks makes an association panic, and no account of it goes wrong.
    #[test]
    fn settings_and_calls_at_their_extremes(
        a in config(),
        b in config(),
        calls in proptest::collection::vec((0..2usize, call()), 0..60),
    ) {
        let now = oxirtc_netsim::epoch();
        let side = |config, seed| Association::new(config, [seed; 32], now);
        let sides = [side(a, 7), side(b, 8)];
        let mut pair = support::pair_of(sides, Link::new(1).delay(ms(5)));
        for side in &mut pair.ends {
            side.room = 65_535;
        }
        for (side, call) in calls {
            carry_out(&mut pair, side, &call);
        }
        for end in &mut pair.ends {
            end.set_consent(true);
            end.connect(pair.now);
        }
        pair.run_for(Duration::from_secs(1));
    }
}
