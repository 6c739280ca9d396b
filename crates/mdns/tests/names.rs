//! Two machines of one link.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use oxirtc_mdns::{Error, Event, Mdns, PORT, Target};

const NAME: &str = "3f6e1c7a-0000-4000-8000-000000000001.local";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Carries everything from one to the other; how many datagrams, and how many of them to all.
fn carry(now: Instant, from: (&mut Mdns, &str), to: &mut Mdns) -> (usize, usize) {
    let (mut all, mut group) = (0, 0);
    while let Some(transmit) = from.0.poll_transmit(now) {
        all += 1;
        group += usize::from(!matches!(transmit.target, Target::One(_)));
        let port = match transmit.target {
            Target::Question => ASKING,
            _ => PORT,
        };
        let from = SocketAddr::new(at(from.1).ip(), port);
        to.handle_datagram(now, from, &transmit.bytes);
    }
    (all, group)
}

const OURS: &str = "192.0.2.1:5353";
const THEIRS: &str = "192.0.2.7:5353";
/// The port that questions leave from.
const ASKING: u16 = 40_000;

#[test]
fn both_families_are_resolved() {
    for address in ["192.0.2.7", "2001:db8::7", "fe80::7"] {
        let now = oxirtc_netsim::epoch();
        let (mut ours, mut theirs) = (Mdns::new([1; 32]), Mdns::new([2; 32]));
        let address = address.parse().unwrap();
        let name = theirs.publish(now, address).unwrap();
        while theirs.poll_transmit(now).is_some() {}
        ours.resolve(now, &name.to_uppercase()).unwrap();
        assert_eq!(carry(now, (&mut ours, OURS), &mut theirs), (1, 1));
        // Who asks from a port of its own is answered alone.
        assert_eq!(carry(now, (&mut theirs, THEIRS), &mut ours), (1, 0));
        let name = name.to_uppercase();
        assert_eq!(ours.poll_event(), Some(Event::Resolved { name, address }));
        assert_eq!((ours.poll_event(), ours.poll_timeout()), (None, None));
    }
}

/// Four questions in 7 s, then patience to 10 s; a name once only.
#[test]
fn silence_ends_after_ten_seconds() {
    let start = oxirtc_netsim::epoch();
    let mut ours = Mdns::new([1; 32]);
    ours.resolve(start, NAME).unwrap();
    ours.resolve(start, NAME).unwrap();
    let (mut now, mut asked) = (start, Vec::new());
    loop {
        while ours.poll_transmit(now).is_some() {
            asked.push(now - start);
        }
        let Some(next) = ours.poll_timeout() else {
            break;
        };
        assert!(next > now);
        now = next;
        ours.handle_timeout(now);
    }
    assert_eq!(asked, [ms(0), ms(1000), ms(3000), ms(7000)]);
    assert_eq!(now - start, ms(10_000));
    let name = NAME.to_owned();
    assert_eq!(ours.poll_event(), Some(Event::Unresolved { name }));
}

#[test]
fn names_are_announced_answered_and_withdrawn() {
    let mut now = oxirtc_netsim::epoch();
    let (mut ours, mut theirs) = (Mdns::new([1; 32]), Mdns::new([2; 32]));
    let address = "192.0.2.7".parse().unwrap();
    let name = theirs.publish(now, address).unwrap();
    // Who waits for the name hears the announcement.
    ours.resolve(now, &name).unwrap();
    assert_eq!(carry(now, (&mut theirs, THEIRS), &mut ours), (1, 1));
    assert!(matches!(ours.poll_event(), Some(Event::Resolved { .. })));
    now += ms(1000);
    theirs.handle_timeout(now);
    assert_eq!(carry(now, (&mut theirs, THEIRS), &mut ours), (1, 1));
    assert_eq!(theirs.poll_timeout(), None);
    // To all, once in a second at most: the third question is answered, the same again is not.
    now += ms(5000);
    while ours.poll_transmit(now).is_some() {}
    ours.resolve(now, &name).unwrap();
    while ours.poll_transmit(now).is_some() {}
    now += ms(1000);
    ours.handle_timeout(now);
    let question = ours.poll_transmit(now).unwrap();
    for (after, answers) in [(0, 1), (500, 0), (600, 1)] {
        now += ms(after);
        theirs.handle_datagram(now, at(OURS), &question.bytes);
        let sent = std::iter::from_fn(|| theirs.poll_transmit(now)).count();
        assert_eq!(sent, answers);
    }
    theirs.withdraw(&name);
    let goodbye = theirs.poll_transmit(now).unwrap();
    ours.handle_datagram(now, at(THEIRS), &goodbye.bytes);
    assert_eq!(ours.poll_event(), None, "a goodbye is no answer");
    now += ms(2000);
    theirs.handle_datagram(now, at(OURS), &question.bytes);
    assert_eq!(theirs.poll_transmit(now), None);
}

/// What is wrong, from elsewhere or of no use resolves nothing; names are limited.
#[test]
fn bad_input_changes_nothing() {
    let now = oxirtc_netsim::epoch();
    let mut ours = Mdns::new([1; 32]);
    for bad in ["a.b.local", "example.org", ""] {
        assert_eq!(ours.resolve(now, bad), Err(Error::Name));
    }
    for trap in ["127.0.0.1", "0.0.0.0", "224.0.0.1", "::1"] {
        let mut theirs = Mdns::new([2; 32]);
        let name = theirs.publish(now, trap.parse().unwrap()).unwrap();
        ours.resolve(now, &name).unwrap();
        carry(now, (&mut theirs, THEIRS), &mut ours);
        assert_eq!(ours.poll_event(), None, "{trap}");
        ours.cancel(&name);
    }
    let mut theirs = Mdns::new([3; 32]);
    let name = theirs.publish(now, "192.0.2.7".parse().unwrap()).unwrap();
    ours.resolve(now, &name).unwrap();
    let answer = theirs.poll_transmit(now).unwrap();
    ours.handle_datagram(now, at("192.0.2.7:5354"), &answer.bytes);
    for length in 0..answer.bytes.len() {
        ours.handle_datagram(now, at(THEIRS), &answer.bytes[..length]);
    }
    assert_eq!(ours.poll_event(), None);
    let full = (0..100).filter(|n| ours.resolve(now, &format!("n{n}.local")) == Err(Error::Full));
    assert_eq!(full.count(), 100 - 63);
}

/// A question that stands in a message many times does not make as many answers: who asks may be forged.
#[test]
fn a_name_is_answered_once_however_often_it_stands_there() {
    let now = oxirtc_netsim::epoch();
    let mut ours = Mdns::new([1; 32]);
    let address = "192.0.2.7".parse().unwrap();
    let names = [(); 2].map(|()| ours.publish(now, address).unwrap());
    while ours.poll_transmit(now).is_some() {}
    let mut bytes = vec![0, 7, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0];
    for name in names.iter().cycle().take(60) {
        for label in name.split('.') {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend(label.as_bytes());
        }
        bytes.extend([0, 0, 1, 0x80, 1]);
    }
    ours.handle_datagram(now, at(THEIRS), &bytes);
    let sent: Vec<_> = std::iter::from_fn(|| ours.poll_transmit(now)).collect();
    assert_eq!(sent.len(), names.len());
    assert!(sent.iter().all(|it| it.target == Target::One(at(THEIRS))));
}

/// A question of the old kind for the IPv4 address of a name.
fn question(id: u16, opcode: u8, name: &str) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend([opcode << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

/// RFC 6762 §6.7: id and question are repeated, the class is that of DNS, and what is said may be kept for 10 s.
#[test]
fn a_resolver_of_the_old_kind_is_answered_in_its_way() {
    let now = oxirtc_netsim::epoch();
    let mut mdns = Mdns::new([1; 32]);
    let name = mdns.publish(now, "192.0.2.7".parse().unwrap()).unwrap();
    while mdns.poll_transmit(now).is_some() {}
    let asked = question(0xbeef, 0, &name);
    mdns.handle_datagram(now, at("192.0.2.9:40000"), &asked);
    let answer = mdns.poll_transmit(now).unwrap();
    assert_eq!(answer.target, Target::One(at("192.0.2.9:40000")));
    assert_eq!(
        answer.bytes[..12],
        [0xbe, 0xef, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]
    );
    assert_eq!(answer.bytes[12..asked.len()], asked[12..]);
    let record = &answer.bytes[asked.len()..];
    assert_eq!(
        record,
        [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 10, 0, 4, 192, 0, 2, 7]
    );
}

/// RFC 6762 §18.3, §18.11: messages of another kind, and answers with an error, are passed over.
#[test]
fn other_operations_and_errors_are_passed_over() {
    let now = oxirtc_netsim::epoch();
    let mut mdns = Mdns::new([1; 32]);
    let name = mdns.publish(now, "192.0.2.7".parse().unwrap()).unwrap();
    while mdns.poll_transmit(now).is_some() {}
    mdns.handle_datagram(now, at(THEIRS), &question(0, 2, &name));
    assert_eq!(mdns.poll_transmit(now), None);
    mdns.resolve(now, "abc.local").unwrap();
    let answer = |opcode: u8, code: u8| {
        let mut bytes = vec![0, 0, 0x84 | opcode << 3, code, 0, 0, 0, 1, 0, 0, 0, 0];
        bytes.extend(b"\x03abc\x05local\0\0\x01\x80\x01\0\0\0\x78\0\x04\xc0\0\x02\x09");
        bytes
    };
    for (opcode, code) in [(0, 3), (2, 0)] {
        mdns.handle_datagram(now, at(THEIRS), &answer(opcode, code));
        assert_eq!(mdns.poll_event(), None);
    }
    mdns.handle_datagram(now, at(THEIRS), &answer(0, 0));
    assert!(matches!(mdns.poll_event(), Some(Event::Resolved { .. })));
}
