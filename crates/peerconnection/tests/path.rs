//! What data makes of the path: how soon it flows, and how long its datagrams are.
#![expect(clippy::unwrap_used, reason = "a failing step is a failing test")]

mod pair;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use oxirtc_netsim::{Link, mbps, ms, secs};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, SessionDescription,
    engine::{ChannelId, Path, Settings},
};
use pair::{ADDRESSES, Pair, Wired};

/// Two engines over a path of 100 ms, which have what the descriptions carry as it is after `change`; when the channel of
/// the first was open, since DTLS began to be possible.
fn opening(snap: bool, change: impl Fn(&mut SessionDescription)) -> Duration {
    let configurations = [Configuration::default(), Configuration::default()];
    let settings = Settings::default().snap(snap);
    let mut pair = Pair::with(3, Link::new(3).delay(ms(50)), configurations, settings);
    let channel = pair.open(0, "test", &DataChannelInit::default());
    let mut offer = pair.offer(0, &Default::default()).unwrap();
    assert_eq!(offer.sdp.contains("a=sctp-init:"), snap);
    change(&mut offer);
    let mut answer = pair.answer(1, offer).unwrap();
    change(&mut answer);
    let now = pair.now;
    pair.ends[0]
        .engine
        .set_remote_description(now, answer)
        .unwrap();
    pair.exchange();
    let start = pair.now;
    pair.until(secs(10), |pair| !pair.ends[1].channels.is_empty());
    let opened = pair.now - start;
    // Both can talk, and nothing was begun twice.
    let there = pair.ends[1].channels[0];
    pair.run(secs(1));
    pair.send(0, channel, "there");
    pair.send(1, there, "and back");
    pair.run(secs(2));
    assert_eq!(pair.ends.each_ref().map(|it| it.inbox.len()), [1, 1]);
    opened
}

/// draft-hancke-tsvwg-snap: INIT and INIT ACK are saved; what follows carries the OPEN of the channel either way.
#[test]
fn an_association_in_the_descriptions_opens_a_round_trip_sooner() {
    let plain = opening(false, |_| {});
    let snapped = opening(true, |_| {});
    assert_eq!(plain - snapped, ms(100), "{plain:?} and {snapped:?}");
    // What is not there or cannot be read changes nothing.
    let without = |description: &mut SessionDescription| {
        let lines = description.sdp.lines();
        let kept = lines.filter(|it| !it.starts_with("a=sctp-init:"));
        description.sdp = kept.map(|it| it.to_owned() + "\r\n").collect();
    };
    assert_eq!(opening(true, without), plain);
    for nonsense in ["a=sctp-init:AQAAFA==", "a=sctp-init:?", "a=sctp-init:"] {
        let broken = |description: &mut SessionDescription| {
            let lines = description.sdp.lines();
            let line = |it: &str| match it.starts_with("a=sctp-init:") {
                true => nonsense.to_owned() + "\r\n",
                false => it.to_owned() + "\r\n",
            };
            description.sdp = lines.map(line).collect();
        };
        assert_eq!(opening(true, broken), plain, "{nonsense}");
    }
}

/// A path that carries datagrams of so many bytes.
fn link(mtu: usize) -> Link {
    Link::new(9).delay(ms(10)).rate(mbps(20)).mtu(mtu)
}

/// Sends for a while: the longest datagram that came often.
fn bulk(pair: &mut Pair, channel: ChannelId, time: Duration) -> usize {
    pair.ends[1].inbox.clear();
    pair.ends[1].lengths.clear();
    let mut sent = 0;
    let end = pair.now + time;
    while pair.now < end {
        if pair.ends[0].engine.total_unacknowledged() < 40_000 {
            pair.send(0, channel, vec![7; 16_000]);
            sent += 1;
        }
        pair.run(ms(20));
    }
    pair.run(secs(5));
    let got = |pair: &Wired| pair.ends[1].inbox.len();
    assert_eq!(got(pair), sent);
    let mut often = pair.ends[1]
        .lengths
        .iter()
        .filter(|(_, count)| **count > 100);
    *often.next_back().unwrap().0
}

/// RFC 8899: 1,472 bytes of UDP where the path carries them, 1,452 of them over IPv6, and what it carries otherwise.
#[test]
fn datagrams_become_as_long_as_the_path_carries() {
    let over = |mtu, addresses| {
        let mut pair = Pair::between(9, link(mtu), addresses);
        let [channel, _] = pair.connect(&DataChannelInit::default());
        bulk(&mut pair, channel, secs(15))
    };
    // Packets are multiples of four, and the record of DTLS around them need not be.
    let full = over(1500, ADDRESSES);
    assert!((1469..=1472).contains(&full), "{full}");
    let less = over(1400, ADDRESSES);
    assert!((1380..=1400).contains(&less), "{less}");
    let least = over(1200, ADDRESSES);
    assert!((1130..=1200).contains(&least), "{least}");
    let six = [1, 2].map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]));
    let full = over(1500, six);
    assert!((1449..=1452).contains(&full), "{full}");
}

/// A datagram that the system refuses shortens data if it was data, of that length or less.
#[test]
fn what_the_system_refuses_says_something_of_its_kind_alone() {
    let (mut pair, [channel, _]) = Pair::connected(9, link(1500), &DataChannelInit::default());
    let full = bulk(&mut pair, channel, secs(10));
    assert!(full > 1400, "{full}");
    let [here, there] = [0, 1].map(|side| pair.ends[side].sockets[0]);
    let datagram = |first: u8, length: usize| {
        let mut datagram = vec![0; length];
        datagram[0] = first;
        datagram
    };
    // RTP; data that left when datagrams were thought to become longer; and on another path.
    let elsewhere = SocketAddr::new(there.ip(), 9);
    for (remote, refused) in [
        (there, datagram(0x80, full)),
        (there, datagram(23, full + 4)),
        (elsewhere, datagram(23, full)),
    ] {
        let now = pair.now;
        let engine = &mut pair.ends[0].engine;
        engine.handle_too_long(now, Path::udp(here, remote), &refused);
        assert_eq!(bulk(&mut pair, channel, ms(1500)), full);
    }
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.handle_too_long(now, Path::udp(here, there), &datagram(23, full));
    let less = bulk(&mut pair, channel, ms(1500));
    assert!(less < full, "{less}");
}
