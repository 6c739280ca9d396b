//! Flights against scripted peers.

use super::*;
use crate::{
    CipherSuite, Version,
    crypto::{aead::RecordKey, hkdf::Secret},
    message::Fragment,
    record,
};

#[expect(
    clippy::disallowed_methods,
    reason = "a base instant for simulated time"
)]
fn base() -> Instant {
    Instant::now()
}

fn flight(len: usize) -> Outgoing {
    let mut flight = Outgoing::new();
    flight.begin(Ends::Answer, None);
    flight.push(0, 11, &vec![0x30; len + 6]);
    flight.push(0, 14, &[]);
    flight.push_change_cipher_spec();
    flight
}

fn drain(flight: &mut Outgoing, now: Instant, room: usize, records: &mut Records) -> Vec<usize> {
    let mut lens = Vec::new();
    let mut buf = Vec::new();
    while flight.poll_transmit(now, room, records, &mut buf) {
        lens.push(buf.len());
        buf.clear();
    }
    lens
}

#[test]
fn datagrams_fit_in_the_room_and_are_few() {
    let now = base();
    for (len, room, count) in [(300, 1200, 1), (2_000, 1200, 2), (2_000, 300, 8)] {
        let lens = drain(&mut flight(len), now, room, &mut Records::new(u64::MAX));
        assert!(lens.iter().all(|len| *len <= room), "{lens:?}");
        assert_eq!(lens.len(), count, "{lens:?}");
    }
    for room in 0..=25 {
        assert!(drain(&mut flight(9), now, room, &mut Records::new(u64::MAX)).is_empty());
    }
    assert!(!drain(&mut flight(9), now, 26, &mut Records::new(u64::MAX)).is_empty());
}

#[test]
fn retransmissions_double_up_to_three_seconds_while_there_is_consent() {
    let (mut now, mut records, mut flight) = (base(), Records::new(u64::MAX), flight(300));
    assert_eq!(flight.poll_timeout(), None, "nothing was sent yet");
    let mut waits = Vec::new();
    flight.set_round_trip(Duration::from_millis(200));
    for _ in 0..6 {
        assert_eq!(drain(&mut flight, now, 1200, &mut records).len(), 1);
        let at = flight.poll_timeout().unwrap();
        assert!(!flight.handle_timeout(at - Duration::from_millis(1)));
        waits.push((at - now).as_millis());
        now = at;
        assert!(flight.handle_timeout(now));
    }
    assert_eq!(waits, [400, 800, 1600, 3000, 3000, 3000]);
    drain(&mut flight, now, 1200, &mut records);
    flight.set_consent(false);
    for wait in [25_600, 51_200, 60_000, 60_000] {
        let at = flight.poll_timeout().unwrap();
        assert_eq!(at - now, Duration::from_millis(wait));
        now = at;
        assert!(flight.handle_timeout(now));
        drain(&mut flight, now, 1200, &mut records);
    }
    for (round_trip, first) in [(0, 50), (10, 50), (40, 80), (60_000, 3_000)] {
        flight.set_round_trip(Duration::from_millis(round_trip));
        flight.handshake.resume();
        drain(&mut flight, now, 1200, &mut records);
        assert_eq!(
            flight.poll_timeout().unwrap() - now,
            Duration::from_millis(first)
        );
    }
}

#[test]
fn less_room_cuts_the_flight_anew() {
    let (now, mut records, mut flight) = (base(), Records::new(u64::MAX), flight(2_000));
    let mut buf = Vec::new();
    assert!(flight.poll_transmit(now, 1200, &mut records, &mut buf));
    assert!(
        !flight.poll_transmit(now, 20, &mut records, &mut buf),
        "nothing fits"
    );
    let lens = drain(&mut flight, now, 500, &mut records);
    assert!(
        lens.len() == 2 && lens.iter().all(|len| *len <= 500),
        "what has left does not leave again: {lens:?}"
    );
}

/// A batch of the kernel's has datagrams of one length, and asks for no longer ones behind the first.
#[test]
fn what_left_does_not_leave_again_when_there_is_less_room() {
    let (now, mut records) = (base(), Records::new(u64::MAX));
    // The second fits behind the first, though less room is left than the flight was cut for.
    let mut whole = flight(1_200);
    let mut buf = Vec::new();
    assert!(whole.poll_transmit(now, 1_250, &mut records, &mut buf));
    let first = buf.len();
    assert!(first < 1_250);
    let (id, _) = whole.flight().unwrap();
    assert_eq!(drain(&mut whole, now, first, &mut records).len(), 1);
    assert_eq!(whole.flight().unwrap().0, id, "nothing was cut again");
    // A second that does not fit is cut alone, and each byte leaves once.
    for rooms in [&[1200, 500][..], &[700, 699], &[400, 60], &[700, 500, 300]] {
        let mut flight = flight(2_000);
        let (mut datagrams, mut room) = (Vec::new(), rooms[0]);
        let mut buf = Vec::new();
        while flight.poll_transmit(now, room, &mut records, &mut buf) {
            assert!(buf.len() <= room);
            datagrams.push(std::mem::take(&mut buf));
            room = rooms[datagrams.len().min(rooms.len() - 1)];
        }
        assert_eq!(flight.flight().unwrap().1, datagrams);
        let (mut bytes, mut done, mut specs) = (Vec::new(), 0, 0);
        for datagram in &mut datagrams {
            let mut rest = &mut datagram[..];
            while let Some((mut raw, tail)) = record::split(rest) {
                let opened = records.open(now, &mut raw).unwrap();
                rest = tail;
                if opened.content == record::CHANGE_CIPHER_SPEC {
                    specs += 1;
                    continue;
                }
                let (fragment, _) = Fragment::parse(opened.payload).unwrap();
                match fragment.kind {
                    11 => bytes.extend(fragment.offset..fragment.offset + fragment.body.len()),
                    _ => done += 1,
                }
            }
        }
        assert_eq!(bytes, (0..2_006).collect::<Vec<_>>());
        assert_eq!((done, specs), (1, 1));
    }
}

fn keyed() -> Records {
    let mut records = Records::new(u64::MAX);
    records.set_version(Version::Dtls13);
    records.install_write(2, key());
    records.install_read(2, key());
    records
}

fn key() -> RecordKey {
    let secret = Secret::new(&[7; 32]);
    RecordKey::of_traffic_secret(CipherSuite::Aes128Gcm, b"dtls13", &secret).unwrap()
}

/// Each record of a transmission: its number, and its fragments by message number, offset and length.
type Seen = Vec<(RecordNumber, Vec<(u16, usize, usize)>)>;

fn transmit(outgoing: &mut Outgoing, now: Instant, room: usize, records: &mut Records) -> Seen {
    let (mut seen, mut buf) = (Vec::new(), Vec::new());
    while outgoing.poll_transmit(now, room, records, &mut buf) {
        assert!(buf.len() <= room);
        let mut rest = &mut buf[..];
        while let Some((mut raw, tail)) = record::split(rest) {
            let opened = records.open(now, &mut raw).unwrap();
            let (mut fragments, mut payload) = (Vec::new(), &opened.payload[..]);
            while !payload.is_empty() {
                let (fragment, more) = Fragment::parse(payload).unwrap();
                fragments.push((fragment.sequence, fragment.offset, fragment.body.len()));
                payload = more;
            }
            seen.push((opened.number, fragments));
            rest = tail;
        }
        buf.clear();
    }
    seen
}

fn numbers(seen: &Seen) -> Vec<RecordNumber> {
    seen.iter().map(|(number, _)| *number).collect()
}

fn flight_1_3() -> Outgoing {
    let mut outgoing = Outgoing::new();
    outgoing.begin(Ends::Ack, None);
    for (kind, len) in [(11, 900), (15, 80), (20, 0), (24, 40)] {
        outgoing.push(2, kind, &vec![kind; len]);
    }
    outgoing
}

#[test]
fn fragments_of_1_3_share_records() {
    let now = base();
    let mut records = keyed();
    let seen = transmit(&mut flight_1_3(), now, 1200, &mut records);
    assert_eq!(seen.len(), 1, "{seen:?}");
    let all = [(0, 0, 900), (1, 0, 80), (2, 0, 0), (3, 0, 40)];
    assert_eq!(seen[0].1, all);
    let seen = transmit(&mut flight_1_3(), now, 400, &mut records);
    assert_eq!(seen.len(), 4 - 1, "{seen:?}");
}

/// However often a flight goes, the newest 64 records are known again and no more are kept.
#[test]
fn the_newest_records_are_known_by_their_numbers() {
    let (mut now, mut outgoing, mut records) = (base(), flight_1_3(), keyed());
    let mut sent = Vec::new();
    while sent.len() < 100 {
        sent.extend(numbers(&transmit(&mut outgoing, now, 1200, &mut records)));
        now = outgoing.poll_timeout().unwrap();
        assert!(outgoing.handle_timeout(now));
    }
    for (back, known) in [(65, Acknowledged::Nothing), (64, Acknowledged::Part)] {
        let number = sent[sent.len() - back];
        assert_eq!(outgoing.acknowledge(now, 2, &[number]), known);
    }
}

#[test]
fn only_what_is_not_acknowledged_goes_again() {
    let (mut now, mut records) = (base(), keyed());
    let mut outgoing = flight_1_3();
    let first = transmit(&mut outgoing, now, 400, &mut records);
    let sent = numbers(&first);
    now += Duration::from_secs(2);
    let acknowledged = outgoing.acknowledge(now, 2, &sent[1..2]);
    assert_eq!(acknowledged, Acknowledged::Part);
    let second = transmit(&mut outgoing, now, 400, &mut records);
    let mut covered = [&first[1..2], &second[..]].concat();
    covered.sort();
    let mut bytes: Vec<(u16, usize)> = Vec::new();
    for (_, fragments) in &covered {
        for (sequence, offset, len) in fragments {
            bytes.extend((*offset..offset + len).map(|at| (*sequence, at)));
        }
    }
    let count = bytes.len();
    bytes.sort();
    bytes.dedup();
    assert_eq!(
        (count, bytes.len()),
        (1020, 1020),
        "no byte twice, none missing"
    );
    // The same ACK again says nothing new, nor does one of records that nobody sent.
    let unknown = RecordNumber {
        epoch: 2,
        sequence: 99,
    };
    for again in [&sent[1..2], &[unknown]] {
        let acknowledged = outgoing.acknowledge(now, 2, again);
        assert_eq!(acknowledged, Acknowledged::Nothing);
    }
    // Old and new records together make it whole.
    let last = [&sent[..1], &numbers(&second)].concat();
    assert_eq!(outgoing.acknowledge(now, 2, &last), Acknowledged::Part);
    assert_eq!(outgoing.poll_timeout(), None);
    assert!(transmit(&mut outgoing, now, 400, &mut records).is_empty());
}

/// RFC 9147 erratum 8108.
#[test]
fn an_ack_knows_nothing_of_newer_epochs() {
    let (now, mut records) = (base(), keyed());
    let mut outgoing = flight_1_3();
    let sent = numbers(&transmit(&mut outgoing, now, 1200, &mut records));
    let acknowledged = outgoing.acknowledge(now, 1, &sent);
    assert_eq!(acknowledged, Acknowledged::Nothing);
    let acknowledged = outgoing.acknowledge(now, 3, &sent);
    assert_eq!(acknowledged, Acknowledged::Part);
}

#[test]
fn acks_hurry_at_most_once_a_while() {
    let (mut now, mut records) = (base(), keyed());
    let mut outgoing = flight_1_3();
    let sent = numbers(&transmit(&mut outgoing, now, 120, &mut records));
    assert!(sent.len() > 5);
    outgoing.acknowledge(now, 2, &sent[..1]);
    assert!(!transmit(&mut outgoing, now, 120, &mut records).is_empty());
    now += Duration::from_millis(999);
    outgoing.acknowledge(now, 2, &sent[1..2]);
    assert!(transmit(&mut outgoing, now, 120, &mut records).is_empty());
    now += Duration::from_millis(1);
    outgoing.acknowledge(now, 2, &sent[2..3]);
    assert!(!transmit(&mut outgoing, now, 120, &mut records).is_empty());
}

/// Records of the handshake's flight and of the one behind it.
#[test]
fn an_epoch_is_needed_until_all_of_it_is_acknowledged() {
    let (now, mut records) = (base(), keyed());
    records.install_write(3, key());
    records.install_read(3, key());
    let mut outgoing = flight_1_3();
    outgoing.begin_after();
    for _ in 0..2 {
        outgoing.push_after(3, 24, &[0; 300]);
    }
    let sent = numbers(&transmit(&mut outgoing, now, 400, &mut records));
    let (old, new): (Vec<_>, Vec<_>) = sent.into_iter().partition(|it| it.epoch == 2);
    assert_eq!(new.len(), 2);
    let needed = |outgoing: &Outgoing| [2, 3, 4].map(|epoch| outgoing.needs(epoch));
    assert_eq!(needed(&outgoing), [true, true, false]);
    let acknowledged = outgoing.acknowledge(now, 3, &new[..1]);
    assert_eq!(acknowledged, Acknowledged::Part);
    assert_eq!(needed(&outgoing), [true, true, false]);
    let acknowledged = outgoing.acknowledge(now, 3, &new[1..]);
    assert_eq!(acknowledged, Acknowledged::After);
    assert_eq!(needed(&outgoing), [true, false, false]);
    let acknowledged = outgoing.acknowledge(now, 3, &old);
    assert_eq!(acknowledged, Acknowledged::Part);
    assert_eq!(needed(&outgoing), [false; 3]);
}

/// Hellos that somebody asked to be replaced.
#[test]
fn what_was_said_before_goes_again_every_second_time() {
    let (mut now, mut records) = (base(), keyed());
    let mut outgoing = Outgoing::new();
    let mut said = |outgoing: &mut Outgoing, now| {
        let seen = transmit(outgoing, now, 1200, &mut records);
        let messages = seen.iter().flat_map(|(_, fragments)| fragments);
        messages.map(|it| it.0).collect::<Vec<_>>()
    };
    outgoing.begin(Ends::Answer, None);
    outgoing.push(2, 1, &[1; 50]);
    assert_eq!(said(&mut outgoing, now), [0]);
    outgoing.resume();
    outgoing.push(2, 1, &[2; 50]);
    assert_eq!(said(&mut outgoing, now), [1]);
    for expected in [&[1][..], &[0, 1], &[1], &[0, 1]] {
        now = outgoing.poll_timeout().unwrap();
        assert!(outgoing.handle_timeout(now));
        assert_eq!(said(&mut outgoing, now), expected);
    }
}

#[test]
fn what_is_repeated_in_the_clear_waits_for_half_of_the_first_timeout() {
    let ms = Duration::from_millis;
    for (after, authenticated, again) in [
        (199, false, false),
        (200, false, true),
        (0, true, true),
        (200, true, true),
    ] {
        let (now, mut records, mut flight) = (base(), Records::new(u64::MAX), flight(300));
        flight.set_round_trip(ms(200));
        assert_eq!(flight.patience(), ms(400));
        drain(&mut flight, now, 1200, &mut records);
        let now = now + ms(after);
        assert_eq!(flight.handle_repetition(now, authenticated), again);
        let sent = drain(&mut flight, now, 1200, &mut records);
        assert_eq!(sent.len(), usize::from(again));
    }
}

/// An ACK of the beginning brings nothing again while the rest is still on its way out.
#[test]
fn what_is_being_sent_does_not_hurry() {
    let (now, mut records) = (base(), keyed());
    let mut outgoing = flight_1_3();
    let mut buf = Vec::new();
    for _ in 0..2 {
        assert!(outgoing.poll_transmit(now, 300, &mut records, &mut buf));
    }
    let first = RecordNumber {
        epoch: 2,
        sequence: 0,
    };
    let acknowledged = outgoing.acknowledge(now, 2, &[first]);
    assert_eq!(acknowledged, Acknowledged::Part);
    let rest = transmit(&mut outgoing, now, 300, &mut records);
    let sequences: Vec<u64> = rest.iter().map(|(number, _)| number.sequence).collect();
    assert_eq!(sequences, [2, 3], "as they were cut");
}

#[test]
fn a_flight_that_nobody_acknowledges_is_given_up() {
    let (mut now, mut records) = (base(), keyed());
    let mut outgoing = Outgoing::new();
    let until = now + Duration::from_secs(20);
    outgoing.begin(Ends::Ack, Some(until));
    outgoing.push(2, 20, &[0]);
    let mut times = 0;
    while !transmit(&mut outgoing, now, 1200, &mut records).is_empty() {
        times += 1;
        let Some(at) = outgoing.poll_timeout() else {
            break;
        };
        assert!(at <= until);
        now = at;
        outgoing.handle_timeout(now);
    }
    assert!(times > 5 && now == until, "{times}");
    assert_eq!(outgoing.poll_timeout(), None);
}

#[test]
fn what_is_held_does_not_leave() {
    let (now, mut records) = (base(), keyed());
    let mut outgoing = flight_1_3();
    outgoing.hold();
    assert!(transmit(&mut outgoing, now, 1200, &mut records).is_empty());
    assert_eq!(outgoing.poll_timeout(), None);
    outgoing.release();
    assert_eq!(transmit(&mut outgoing, now, 1200, &mut records).len(), 1);
}

#[test]
fn datagrams_stay_by_index_and_their_id_changes_with_each_cut() {
    let (now, mut records) = (base(), keyed());
    let mut outgoing = flight_1_3();
    assert!(outgoing.flight().is_none());
    transmit(&mut outgoing, now, 400, &mut records);
    let (id, datagrams) = outgoing.flight().unwrap();
    let first = (id, datagrams.to_vec());
    assert_eq!(first.1.len(), 3);
    let at = outgoing.poll_timeout().unwrap();
    outgoing.handle_timeout(at);
    transmit(&mut outgoing, at, 400, &mut records);
    let (id, datagrams) = outgoing.flight().unwrap();
    assert!(id != first.0 && datagrams != first.1);
}
