//! Setting up: one side, both sides, lost packets, bad and stale cookies.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod support;

use std::time::Duration;

use oxirtc_netsim::{Link, for_each_seed, percent};
use oxirtc_sctp::{
    Config, Event, Failure, State,
    packet::{Chunk, ChunkKind, Init, Packet, Parameter, ParameterKind},
};

use support::{Sides, association, kinds, ms, perfect};

/// A packet with one chunk.
fn packet(tag: u32, kind: ChunkKind, flags: u8, value: &[u8]) -> Vec<u8> {
    let mut buf = Vec::new();
    Packet::start(&mut buf, 5000, 5000, tag);
    Chunk { kind, flags, value }.write(&mut buf);
    Packet::finish(&mut buf, 0);
    buf
}

fn init<'a>(tag: u32, parameters: &'a [u8]) -> Init<'a> {
    Init {
        tag,
        window: 100_000,
        outbound: 10,
        inbound: 20,
        initial_tsn: oxirtc_sctp::Tsn(77),
        parameters,
    }
}

fn init_packet(init: &Init<'_>) -> Vec<u8> {
    let mut buf = Vec::new();
    Packet::start(&mut buf, 5000, 5000, 0);
    init.write(ChunkKind::INIT, &mut buf);
    Packet::finish(&mut buf, 0);
    buf
}

/// The cookie in an INIT ACK, and the tag it names.
fn cookie(packet: &[u8]) -> (Vec<u8>, u32) {
    let packet = Packet::parse_unsummed(packet).unwrap();
    let chunk = packet.chunks().next().unwrap();
    assert_eq!(chunk.kind, ChunkKind::INIT_ACK);
    let init = Init::parse(chunk.value).unwrap();
    let cookie = init
        .parameters()
        .find(|p| p.kind == ParameterKind::STATE_COOKIE)
        .unwrap();
    (cookie.value.to_vec(), init.tag)
}

/// Four packets, the last two with data: COOKIE ECHO carries it already.
#[test]
fn one_side_connects() {
    let mut pair = perfect(1);
    pair.keep();
    pair.ends[0].connect(pair.now);
    pair.say(0, 1, b"early");
    pair.run_for(ms(45));
    let log = pair.kept();
    assert_eq!(kinds(&log[0].1), [ChunkKind::INIT]);
    assert_eq!(kinds(&log[1].1), [ChunkKind::INIT_ACK]);
    assert_eq!(kinds(&log[2].1), [ChunkKind::COOKIE_ECHO, ChunkKind::DATA]);
    assert_eq!(kinds(&log[3].1), [ChunkKind::COOKIE_ACK, ChunkKind::SACK]);
    assert_eq!(pair.main_events(0), [Event::Connected]);
    assert_eq!(
        pair.main_events(1),
        [Event::Connected, Event::Readable { stream: 1 }]
    );
    assert_eq!(pair.read_all(1, 1).len(), 1);
    assert!(pair.ends.iter().all(|side| side.max_channels() == 65535));
}

#[test]
fn both_sides_connect_whatever_is_lost() {
    for_each_seed(200, |seed| {
        let link = Link::new(seed)
            .delay(ms(seed % 7 * 10))
            .loss(percent((seed % 4 * 15) as u32));
        let link = link.duplicate(percent(10)).reorder(percent(20), ms(30));
        let mut pair = support::pair(seed, link).connected();
        pair.say(0, 0, b"a");
        pair.say(1, 0, b"b");
        let done = pair.try_until(Duration::from_secs(600), |pair| {
            pair.ends.iter().all(|side| side.peek(0).is_some())
        });
        assert!(done, "seed {seed}: {:?}", pair.ends);
    });
}

#[test]
fn the_smaller_number_of_streams_counts() {
    let (a, b) = (
        Config::default().streams(10, 20),
        Config::default().streams(30, 5),
    );
    let pair = support::pair_with(1, Link::new(1), a, b).connected();
    let counts = pair
        .ends
        .each_ref()
        .map(|s| (s.outbound_streams(), s.inbound_streams()));
    assert_eq!(counts, [(5, 20), (20, 5)]);
}

/// RFC 9260 §5.1.3, §5.1.5, known failure 28: a cookie with any bit changed is dropped without a word.
/// Known failure 25.
#[test]
fn a_changed_cookie_is_dropped_silently() {
    let mut pair = perfect(1);
    let side = &mut pair.ends[0];
    side.handle_packet(pair.now, &init_packet(&init(5, &[])));
    let (cookie, tag) = cookie(&pair.take_packets(0)[0]);
    for bit in 0..cookie.len() * 8 {
        let mut changed = cookie.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let echo = packet(tag, ChunkKind::COOKIE_ECHO, 0, &changed);
        pair.ends[0].handle_packet(pair.now, &echo);
    }
    let wrong_tag = packet(tag ^ 1, ChunkKind::COOKIE_ECHO, 0, &cookie);
    pair.ends[0].handle_packet(pair.now, &wrong_tag);
    assert_eq!(pair.take_packets(0).len(), 0);
    assert_eq!(pair.ends[0].state(), State::Closed);
    assert_eq!(
        pair.ends[0].stats().dropped_cookies,
        cookie.len() as u64 * 8 + 1
    );
    let good = packet(tag, ChunkKind::COOKIE_ECHO, 0, &cookie);
    pair.ends[0].handle_packet(pair.now, &good);
    assert_eq!(kinds(&pair.take_packets(0)[0]), [ChunkKind::COOKIE_ACK]);
    assert_eq!(pair.ends[0].state(), State::Established);
}

#[test]
fn a_stale_cookie_is_answered_and_asked_anew() {
    let mut pair = support::pair(1, Link::new(1).delay(Duration::from_secs(20)));
    let config = || Config::default().cookie_lifetime(Duration::from_secs(30));
    pair.ends = [
        association(config(), 1, pair.now).into(),
        association(config(), 2, pair.now).into(),
    ];
    pair.ends[0].connect(pair.now);
    pair.run_for(Duration::from_secs(85));
    assert_eq!(pair.ends[1].state(), State::Closed, "the echo took 40 s");
    // A shorter way lets the next cookie come back in time.
    pair.wire = oxirtc_netsim::Duplex::new(Link::new(2).delay(ms(10)));
    pair.run_for(Duration::from_secs(30));
    assert!(pair.ends.iter().all(|it| it.is_established()));
}

/// RFC 9260 §5.2.4, Table 12 D: an echo that comes twice is answered twice, however old it is by then.
#[test]
fn an_old_cookie_of_this_association_is_answered() {
    let mut pair = perfect(1);
    pair.ends[0].handle_packet(pair.now, &init_packet(&init(5, &[])));
    let (cookie, tag) = cookie(&pair.take_packets(0)[0]);
    let echo = packet(tag, ChunkKind::COOKIE_ECHO, 0, &cookie);
    for _ in 0..2 {
        pair.ends[0].handle_packet(pair.now, &echo);
        assert_eq!(kinds(&pair.take_packets(0)[0]), [ChunkKind::COOKIE_ACK]);
        pair.now += Duration::from_secs(100);
    }
    assert!(pair.ends[0].is_established());
}

/// An INIT leaves nothing behind, and gets at most one answer.
#[test]
fn inits_leave_nothing_behind() {
    let mut pair = perfect(1);
    for tag in 1..5000 {
        pair.ends[1].handle_packet(pair.now, &init_packet(&init(tag, &[])));
        assert_eq!(pair.take_packets(1).len(), 1);
    }
    for tag in 1..5000 {
        pair.ends[1].handle_packet(pair.now, &init_packet(&init(tag, &[])));
    }
    assert!(
        pair.take_packets(1).len() <= 4,
        "answers that nobody fetches are bounded"
    );
    assert_eq!(
        (pair.ends[1].state(), pair.ends[1].poll_timeout()),
        (State::Closed, None)
    );
}

/// RFC 9260 §3.3.2: what an INIT may not say, on an association that lives.
#[test]
fn an_unusable_init_changes_nothing() {
    let mut pair = perfect(1).connected();
    let good = init(9, &[]);
    let cases = [
        (Init { tag: 0, ..good }, None),
        (
            Init {
                window: 1499,
                ..good
            },
            Some(ChunkKind::ABORT),
        ),
        (
            Init {
                outbound: 0,
                ..good
            },
            Some(ChunkKind::ABORT),
        ),
        (Init { inbound: 0, ..good }, Some(ChunkKind::ABORT)),
        (good, Some(ChunkKind::INIT_ACK)),
    ];
    for (init, answer) in cases {
        pair.ends[0].handle_packet(pair.now, &init_packet(&init));
        let packets = pair.take_packets(0);
        let answered = packets.first().map(|packet| kinds(packet)[0]);
        assert_eq!(answered, answer);
        if let Some(packet) = packets.first() {
            assert_eq!(Packet::parse_unsummed(packet).unwrap().tag, 9);
        }
    }
    let mut host_name = Vec::new();
    let (kind, value) = (ParameterKind::HOST_NAME, &b"a.example\0"[..]);
    Parameter { kind, value }.write(&mut host_name);
    pair.ends[0].handle_packet(pair.now, &init_packet(&init(9, &host_name)));
    assert_eq!(kinds(&pair.take_packets(0)[0]), [ChunkKind::ABORT]);
    pair.say(1, 3, b"still there");
    pair.run_for(ms(300));
    assert_eq!(pair.read_all(0, 3).len(), 1);
}

/// An INIT ACK with a cookie, for an end whose INIT had this tag.
fn init_ack_packet(to: u32, tag: u32, cookie: &[u8]) -> Vec<u8> {
    let mut parameters = Vec::new();
    let (kind, value) = (ParameterKind::STATE_COOKIE, cookie);
    Parameter { kind, value }.write(&mut parameters);
    let mut buf = Vec::new();
    Packet::start(&mut buf, 5000, 5000, to);
    init(tag, &parameters).write(ChunkKind::INIT_ACK, &mut buf);
    Packet::finish(&mut buf, 0);
    buf
}

/// The tag that an INIT names.
fn init_tag(packet: &[u8]) -> u32 {
    let packet = Packet::parse_unsummed(packet).unwrap();
    Init::parse(packet.chunks().next().unwrap().value)
        .unwrap()
        .tag
}

/// RFC 9260 §3.3.3: with a tag of 0 nothing could be sent to the peer.
#[test]
fn an_init_ack_without_a_tag_ends_it() {
    for (tag, state) in [(0, State::Closed), (9, State::CookieEchoed)] {
        let mut pair = perfect(1);
        pair.ends[0].connect(pair.now);
        let to = init_tag(&pair.take_packets(0)[0]);
        pair.ends[0].handle_packet(pair.now, &init_ack_packet(to, tag, b"cookie"));
        assert_eq!(pair.ends[0].state(), state, "{tag}");
        let cause = Failure::InvalidSetup;
        let failed = pair.main_events(0).contains(&Event::Failed { cause });
        assert_eq!(failed, tag == 0);
    }
}

/// RFC 9260 §5.2.3: the first INIT ACK counts, and one that comes later changes nothing.
#[test]
fn a_second_init_ack_is_dropped() {
    let mut pair = perfect(1);
    pair.keep();
    pair.filter(|_, packet| kinds(packet)[0] != ChunkKind::COOKIE_ECHO);
    pair.ends[0].connect(pair.now);
    pair.run_for(ms(100));
    let to = init_tag(&pair.kept()[0].1);
    assert_eq!(pair.ends[0].state(), State::CookieEchoed);
    pair.ends[0].handle_packet(pair.now, &init_ack_packet(to, 9, b"another cookie"));
    assert_eq!(pair.take_packets(0).len(), 0);
    pair.filter(|_, _| true);
    pair.run_for(ms(5000));
    assert!(pair.ends.iter().all(|it| it.is_established()));
}

/// RFC 8261 §6.1: addresses mean nothing over DTLS. Unknown parameters follow their highest bits.
/// Known failure 25.
#[test]
fn unknown_parameters_and_addresses() {
    let mut pair = perfect(1);
    let mut parameters = Vec::new();
    for kind in [5, 6, 0x8123, 0xc123, 0x4123, 0xc124] {
        let (kind, value) = (ParameterKind(kind), &[1, 2, 3, 4][..]);
        Parameter { kind, value }.write(&mut parameters);
    }
    pair.ends[0].handle_packet(pair.now, &init_packet(&init(9, &parameters)));
    let packets = pair.take_packets(0);
    let packet = Packet::parse_unsummed(&packets[0]).unwrap();
    let answer = Init::parse(packet.chunks().next().unwrap().value).unwrap();
    let reported = answer
        .parameters()
        .filter(|p| p.kind == ParameterKind::UNRECOGNIZED);
    let reported = Vec::from_iter(reported.map(|p| u16::from_be_bytes([p.value[0], p.value[1]])));
    // 0x4123 is reported and ends the list.
    assert_eq!(reported, [0xc123, 0x4123]);
}

/// An INIT that finds no room waits for it, and not for a timer.
#[test]
fn an_init_waits_for_room() {
    let now = oxirtc_netsim::epoch();
    let mut side = association(Config::default(), 1, now);
    side.connect(now);
    let mut buf = Vec::new();
    assert!(!side.poll_transmit(now, 48, &mut buf) && buf.is_empty());
    assert!(side.poll_transmit(now, 64, &mut buf));
    assert_eq!(kinds(&buf), [ChunkKind::INIT]);
}

#[test]
fn setting_up_is_given_up_by_configuration_or_without_consent() {
    for (config, consent, fails) in [
        (Config::default(), true, false),
        (Config::default(), false, true),
        (
            Config::default().max_init_retransmissions(Some(3)),
            true,
            true,
        ),
    ] {
        let mut side = association(config, 1, oxirtc_netsim::epoch());
        let mut now = oxirtc_netsim::epoch();
        side.set_consent(consent);
        side.connect(now);
        let mut inits = 0;
        for _ in 0..40 {
            let mut buf = Vec::new();
            inits += usize::from(side.poll_transmit(now, 1200, &mut buf));
            let Some(next) = side.poll_timeout() else {
                break;
            };
            assert!(next - now <= Duration::from_secs(3));
            now = next;
            side.handle_timeout(now);
        }
        let failed = side.poll_event();
        let cause = Failure::SetupTimeout;
        assert_eq!(
            failed,
            fails.then_some(Event::Failed { cause }),
            "{inits} INITs"
        );
        assert_eq!(inits == 40, !fails);
    }
}

/// RFC 9260 §8.5.1 E: a SHUTDOWN ACK of an older association has a tag that nobody knows, and nothing behind it counts for that.
#[test]
fn what_stands_behind_a_shutdown_ack_of_another_is_dropped() {
    for behind in [ChunkKind::ABORT, ChunkKind::COOKIE_ACK, ChunkKind(0x5f)] {
        let mut pair = perfect(1);
        // The COOKIE ECHO is lost: side 0 waits for its answer.
        pair.filter(|_, packet| !kinds(packet).contains(&ChunkKind::COOKIE_ECHO));
        pair.ends[0].connect(pair.now);
        pair.run_for(ms(45));
        assert_eq!(pair.ends[0].state(), State::CookieEchoed);
        let mut buf = Vec::new();
        Packet::start(&mut buf, 5000, 5000, 0x1234_5678);
        for kind in [ChunkKind::SHUTDOWN_ACK, behind] {
            let (flags, value) = (0, &[][..]);
            Chunk { kind, flags, value }.write(&mut buf);
        }
        Packet::finish(&mut buf, 0);
        pair.ends[0].handle_packet(pair.now, &buf);
        let mut answer = Vec::new();
        assert!(pair.ends[0].poll_transmit(pair.now, 1200, &mut answer));
        assert_eq!(kinds(&answer), [ChunkKind::SHUTDOWN_COMPLETE]);
        assert!(!pair.ends[0].poll_transmit(pair.now, 1200, &mut answer));
        assert_eq!(pair.ends[0].state(), State::CookieEchoed, "{behind:?}");
        assert_eq!(pair.main_events(0), []);
    }
}

/// RFC 9260 §3.3.2: with something beside it, an INIT ACK or a SHUTDOWN COMPLETE is none.
#[test]
fn what_has_to_stand_alone_does() {
    let cases = [
        (
            ChunkKind::INIT_ACK,
            0,
            State::CookieWait,
            State::CookieEchoed,
        ),
        (
            ChunkKind::SHUTDOWN_COMPLETE,
            1,
            State::ShutdownAckSent,
            State::Closed,
        ),
    ];
    for (kind, to, waits, then) in cases {
        let mut pair = perfect(1);
        pair.keep();
        // It is lost.
        pair.filter(move |_, packet| !kinds(packet).contains(&kind));
        pair.ends[0].connect(pair.now);
        if kind == ChunkKind::SHUTDOWN_COMPLETE {
            pair.run_for(ms(100));
            pair.ends[0].shutdown(pair.now);
        }
        pair.run_for(ms(100));
        let log = pair.kept();
        let lost = log.iter().find(|(_, packet)| kinds(packet) == [kind]);
        let alone = lost.unwrap().1.clone();
        let mut beside = alone.clone();
        beside.extend_from_slice(&[0xbf, 0, 0, 4]);
        Packet::finish(&mut beside, 0);
        for (packet, state) in [(&beside, waits), (&alone, then)] {
            pair.ends[to].handle_packet(pair.now, packet);
            assert_eq!(pair.ends[to].state(), state, "{kind:?}");
        }
    }
}

/// RFC 9260 §5.2.4, Table 12: rows without an action leave the association as it is.
#[test]
fn a_cookie_of_another_time_is_dropped() {
    let mut pair = perfect(1);
    pair.ends[1].handle_packet(pair.now, &init_packet(&init(5, &[])));
    let (old, tag) = cookie(&pair.take_packets(1)[0]);
    let mut pair = pair.connected();
    let dropped = pair.ends[1].stats().dropped_cookies;
    pair.ends[1].handle_packet(pair.now, &packet(tag, ChunkKind::COOKIE_ECHO, 0, &old));
    assert_eq!(pair.ends[1].stats().dropped_cookies, dropped + 1);
    assert_eq!(pair.take_packets(1).len(), 0);
    assert!(pair.ends[1].is_established());
}

/// RFC 9653: where both ends are over DTLS packets have no checksum, but those that open an association; where one is
/// not, all have.
#[test]
fn checksums_are_left_out_where_dtls_has_its_own() {
    for (ours, theirs) in [(true, true), (true, false), (false, true)] {
        let config = |zero| Config::default().zero_checksum(zero);
        let link = Link::new(1).delay(ms(10));
        let mut pair = support::pair_with(1, link, config(ours), config(theirs));
        pair.keep();
        let mut pair = pair.connected();
        pair.say(0, 1, b"there");
        pair.say(1, 1, b"back");
        pair.run_for(ms(500));
        assert_eq!(pair.read_all(0, 1).len() + pair.read_all(1, 1).len(), 2);
        let mut without = 0;
        for (_, packet) in pair.kept() {
            let kinds = kinds(&packet);
            let opens = [ChunkKind::INIT, ChunkKind::INIT_ACK, ChunkKind::COOKIE_ECHO];
            if packet[8..12] == [0; 4] {
                without += 1;
                assert!(!kinds.iter().any(|kind| opens.contains(kind)), "{kinds:?}");
            } else {
                Packet::parse(&packet).unwrap();
                let data =
                    kinds.contains(&ChunkKind::DATA) && !kinds.contains(&ChunkKind::COOKIE_ECHO);
                assert!(!(ours && theirs && data), "{kinds:?}");
            }
        }
        assert_eq!(without > 0, ours && theirs);
    }
}

/// A checksum of 0 is taken from nobody who was not offered it, and never with a cookie.
#[test]
fn a_missing_checksum_is_not_taken_from_everyone() {
    let unsummed = |mut packet: Vec<u8>| {
        packet[8..12].fill(0);
        packet
    };
    for offered in [true, false] {
        let config = || Config::default().zero_checksum(offered);
        let mut pair =
            support::pair_with(1, Link::new(1).delay(ms(10)), config(), config()).connected();
        pair.say(0, 1, b"x");
        let taken = pair.take_packets(0);
        let dropped = pair.ends[1].stats().dropped_malformed;
        pair.ends[1].handle_packet(pair.now, &unsummed(taken[0].clone()));
        assert_eq!(pair.read_all(1, 1).len(), usize::from(offered));
        let init = init_packet(&init(5, &[]));
        pair.ends[1].handle_packet(pair.now, &unsummed(init));
        let count = pair.ends[1].stats().dropped_malformed - dropped;
        assert_eq!(count, 2 - u64::from(offered));
    }
}

/// Whatever a setting of time is, nothing is added up that is no time any more.
#[test]
fn the_longest_settings_are_taken() {
    let longest = Duration::MAX;
    for config in [
        Config::default().rto(longest, longest, longest),
        Config::default().cookie_lifetime(longest),
        Config::default().heartbeat_interval(Some(longest)),
    ] {
        let link = Link::new(1).delay(ms(10));
        let mut pair = support::pair_with(1, link, config.clone(), config).connected();
        pair.say(0, 1, b"x");
        pair.run_for(ms(5000));
        assert_eq!(pair.read_all(1, 1).len(), 1);
        let now = pair.now;
        pair.ends[0].shutdown(now);
        pair.run_for(ms(5000));
        assert_eq!(pair.ends[1].state(), State::Closed);
    }
}
