//! What one packet of a peer's costs beside very much of what it concerns, with the step that comes with it, and each step of what is
//! done later: in a build that is used 50 µs at most, and beside ten times as much at most fifteen times as much.

use datachannel::ppid::BINARY_PARTIAL;

use super::*;

/// What is timed: the packet with its step, and a long step of those that follow. One in ten is longer: others may have disturbed it, or
/// a table grew or went, which takes the longer the larger it is.
type Times = (Duration, Duration);

/// The best of some runs counts, as others work on the machine too.
fn stays(name: &str, few: u32, run: impl Fn(u32) -> Times) {
    let best = |state| {
        let runs = Vec::from_iter((0..5).map(|_| run(state)));
        let packets = runs.iter().map(|it| it.0);
        let steps = runs.iter().map(|it| it.1);
        (packets.min().unwrap(), steps.min().unwrap())
    };
    let (small, large) = (best(few), best(few * 10));
    println!("{name}: {small:?} at {few}, {large:?} at {}", few * 10);
    let limit = Duration::from_micros(50);
    for (small, large) in [(small.0, large.0), (small.1, large.1)] {
        let most = small.max(Duration::from_micros(1)) * 15;
        assert!(large <= most, "{name}");
        assert!(cfg!(debug_assertions) || large <= limit, "{name}");
    }
}

/// The time of a packet and of the steps that follow, which are more the more there is.
fn timed(wire: &mut Wire, packet: &[u8], least: u32) -> Times {
    let first = wire.takes(packet);
    followed(wire, first, least)
}

fn followed(wire: &mut Wire, first: Duration, least: u32) -> Times {
    (first, long(wire.times_steps(), least))
}

/// Of so many steps at least the one that nine in ten are shorter than.
fn long(mut steps: Vec<Duration>, least: u32) -> Duration {
    assert!(steps.len() >= least as usize, "{} steps", steps.len());
    steps.sort_unstable();
    let long = steps.get(steps.len() * 9 / 10).copied();
    long.unwrap_or_default()
}

/// So many channels, on each of which something reliable is on its way.
fn sending(channels: u32) -> Wire {
    let mut wire = Wire::new(&Settings::default());
    let streams = 0..u16::try_from(channels).unwrap();
    let ids: Vec<_> = streams.map(|id| wire.opens(Some(id), "")).collect();
    for id in ids {
        wire.sends(id, vec![1; 10]);
    }
    wire
}

/// A channel that so many messages of a byte have come on and that nobody reads.
fn unread(messages: u32) -> (Wire, ChannelId) {
    let mut wire = Wire::new(&Settings::default());
    let id = wire.opens(Some(6), "");
    for _ in 0..messages {
        wire.peer_sends(6, BINARY, vec![1]);
    }
    wire.pass(Duration::from_secs(2));
    (wire, id)
}

/// A packet that ends such a channel, or its association: all can be read still, and moves so many messages a step at most.
fn beside_unread(name: &str, most: u32, packet: fn(&mut Wire) -> Vec<u8>) {
    stays(name, 1000, |messages| {
        let (mut wire, id) = unread(messages);
        let packet = packet(&mut wire);
        let times = timed(&mut wire, &packet, messages / most);
        let read = std::iter::from_fn(|| wire.read(id)).count();
        assert_eq!(read, messages as usize);
        times
    });
}

#[test]
fn an_abort() {
    stays("an ABORT beside channels", 300, |channels| {
        let mut wire = sending(channels);
        let abort = wire.abort();
        timed(&mut wire, &abort, channels / steps::TAKEN as u32)
    });
    beside_unread("an ABORT beside what nobody read", 100, Wire::abort);
}

#[test]
fn carrying_channels_over() {
    let most = if cfg!(debug_assertions) { 300 } else { 6500 };
    stays("carrying channels over", most, |channels| {
        let mut wire = sending(channels);
        wire.data.another = Some([3; 32]);
        let abort = wire.abort();
        // And what was under way is dropped.
        let steps = channels / steps::TAKEN as u32 + channels / 200;
        let times = timed(&mut wire, &abort, steps);
        assert!(wire.data.another.is_none() && wire.data.carrying.is_none());
        assert_eq!(wire.data.session.channels().count(), 0, "all have lost");
        times
    });
    beside_unread("carrying over what nobody read", 100, |wire| {
        wire.data.another = Some([3; 32]);
        wire.abort()
    });
}

/// A read takes as long as a packet may.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is the clock that counts")]
fn reading_what_is_no_message() {
    for (name, ppid) in [
        ("reading what has no type", 99),
        ("reading parts of a message", BINARY_PARTIAL),
    ] {
        stays(name, 1000, |messages| {
            let mut wire = Wire::new(&Settings::default());
            let id = wire.opens(Some(6), "");
            for _ in 0..messages {
                wire.peer_sends(6, ppid, vec![1]);
            }
            wire.pass(Duration::from_secs(2));
            let mut times = Vec::new();
            loop {
                let start = Instant::now();
                assert_eq!(wire.read(id), None);
                times.push(start.elapsed());
                if !wire.data.goes_on() {
                    break;
                }
                times.extend(wire.times_steps());
            }
            (times[0], long(times, messages / 1000))
        });
    }
}

#[test]
fn a_reset_beside_what_nobody_read() {
    beside_unread("a reset beside what nobody read", 1000, |wire| {
        wire.peer.reset_streams(wire.now, &[6]).unwrap();
        wire.next_of_peer()
    });
}

/// The stream of a channel that nobody wants any more holds messages still.
#[test]
fn data_behind_what_is_dropped() {
    stays("data behind what is dropped", 1000, |messages| {
        let (mut wire, id) = unread(messages);
        wire.data.forget_channel(id);
        wire.peer_sends(6, BINARY, vec![1]);
        let data = wire.next_of_peer();
        let times = timed(&mut wire, &data, messages / 1000);
        assert!(wire.data.messages_dropped() > messages.into());
        times
    });
}

/// RFC 8837: a mark is that of the most important channel.
#[test]
fn a_channel_beside_others() {
    stays("a channel beside others", 100, |channels| {
        let settings = Settings::default().dscp(true).max_channels(2000);
        let mut wire = Wire::new(&settings);
        for channel in 0..channels as u16 {
            wire.peer_opens(2 * channel);
            wire.run();
        }
        wire.peer_opens(2 * channels as u16);
        let open = wire.next_of_peer();
        let times = timed(&mut wire, &open, 0);
        assert_eq!(wire.data.session.channels().count(), channels as usize + 1);
        times
    });
}

#[test]
fn the_end_of_set_up() {
    stays(
        "the end of set-up beside channels that wait",
        100,
        |channels| {
            let mut data = Data::new(&Settings::default(), Label([0, 0]));
            for _ in 0..channels {
                data.open("", &DataChannelInit::default()).unwrap();
            }
            let mut wire = Wire::connecting(data, 1 << 20, sctp::Config::default());
            // The COOKIE ACK is the last that it waits for.
            let mut took = Duration::ZERO;
            while !wire.data.is_connected() {
                let mut there = Vec::new();
                wire.data.poll_transmit(wire.now, ON, 1200, &mut there);
                wire.peer.handle_packet(wire.now, &there);
                let packet = wire.next_of_peer();
                took = wire.takes(&packet);
            }
            let times = followed(&mut wire, took, channels / steps::TAKEN as u32);
            let open = wire.data.session.stats().opened;
            assert_eq!(open, u64::from(channels));
            times
        },
    );
}

/// What came on a stream before it had a channel goes with it.
#[test]
fn an_error_behind_what_waits_for_a_channel() {
    stays(
        "an error behind what waits for a channel",
        100,
        |messages| {
            let mut wire = Wire::new(&Settings::default());
            for _ in 0..messages {
                wire.peer_sends(6, BINARY, vec![1]);
            }
            wire.pass(Duration::from_secs(2));
            assert_eq!(wire.data.backlog.unclaimed.count(), u64::from(messages));
            wire.peer_opens(6);
            let open = wire.next_of_peer();
            let times = timed(&mut wire, &open, 0);
            assert_eq!(wire.data.messages_dropped(), u64::from(messages));
            assert!(!wire.data.backlog.unclaimed.drop_some(), "all are gone");
            times
        },
    );
}
