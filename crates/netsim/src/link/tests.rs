use super::*;
use crate::{epoch, for_each_seed, kbps, mbps, ms, percent, secs};

/// Sends `count` datagrams, one each `interval`, and returns what arrives, and when.
fn through(link: &mut Link, count: u32, interval: Duration) -> Vec<(Duration, u32)> {
    for number in 0..count {
        link.send(epoch() + interval * number, number.to_be_bytes().to_vec());
    }
    drained(link)
}

fn drained(link: &mut Link) -> Vec<(Duration, u32)> {
    let mut arrived = Vec::new();
    while let Some(now) = link.poll_timeout() {
        while let Some(datagram) = link.receive(now) {
            let number = u32::from_be_bytes(datagram.try_into().unwrap());
            arrived.push((now - epoch(), number));
        }
    }
    arrived
}

fn numbers(arrived: &[(Duration, u32)]) -> Vec<u32> {
    arrived.iter().map(|(_, number)| *number).collect()
}

fn bad_link(seed: u64) -> Link {
    Link::new(seed)
        .delay(ms(20))
        .jitter(ms(10))
        .loss(Loss::bursts(percent(5), 3.0))
        .reorder(percent(10), ms(30))
        .duplicate(percent(5))
        .rate(mbps(10))
}

#[test]
fn a_new_link_is_perfect() {
    let arrived = through(&mut Link::new(0), 1000, ms(1));
    let expected: Vec<_> = (0..1000).map(|n| (ms(n.into()), n)).collect();
    assert_eq!(arrived, expected);
}

#[test]
fn nothing_arrives_early() {
    let mut link = Link::new(0).delay(ms(50));
    link.send(epoch(), vec![1]);
    assert_eq!(link.poll_timeout(), Some(epoch() + ms(50)));
    assert_eq!(link.in_flight(), 1);
    assert_eq!(link.receive(epoch() + ms(49)), None);
    assert_eq!(link.receive(epoch() + ms(60)), Some(vec![1]));
    assert_eq!(link.receive(epoch() + secs(60)), None);
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn a_seed_is_a_course_of_events() {
    for_each_seed(10, |seed| {
        let once = through(&mut bad_link(seed), 500, ms(1));
        let again = through(&mut bad_link(0).reseeded(seed), 500, ms(1));
        assert_eq!(once, again);
        assert_ne!(once, through(&mut bad_link(seed + 1), 500, ms(1)));
    });
}

#[test]
fn loss_meets_its_rate() {
    for_each_seed(5, |seed| {
        for rate in [1.0, 10.0, 30.0] {
            let mut link = Link::new(seed).loss(percent(rate));
            let arrived = through(&mut link, 5_000, ms(1)).len() as u64;
            let stats = link.stats();
            assert_eq!((stats.sent, stats.carried), (5_000, arrived));
            assert_eq!(stats.lost, 5_000 - arrived);
            let lost = stats.lost as f64 / 50.0;
            assert!((lost - rate).abs() < 3.0, "{lost} for {rate} %");
        }
    });
}

#[test]
fn jitter_keeps_the_order() {
    for_each_seed(5, |seed| {
        let mut link = Link::new(seed).delay(ms(10)).jitter(ms(40));
        let arrived = through(&mut link, 500, ms(1));
        assert_eq!(numbers(&arrived), (0..500).collect::<Vec<_>>());
        for (at, number) in &arrived {
            let travel = *at - ms((*number).into());
            assert!(travel >= ms(10) && travel <= ms(50), "{travel:?}");
        }
        let first = arrived[0].0;
        assert!(arrived.iter().any(|(at, n)| *at - ms((*n).into()) != first));
    });
}

#[test]
fn reordered_datagrams_are_overtaken() {
    for_each_seed(5, |seed| {
        let mut link = Link::new(seed).delay(ms(10)).reorder(percent(20), ms(30));
        let arrived = numbers(&through(&mut link, 1000, ms(1)));
        assert!(!arrived.is_sorted());
        let reordered = link.stats().reordered;
        assert!((150..250).contains(&reordered), "{reordered}");
        let mut sorted = arrived;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
    });
}

#[test]
fn duplicates_come_twice() {
    let mut link = Link::new(9).duplicate(percent(10));
    let arrived = numbers(&through(&mut link, 1000, ms(1)));
    let duplicated = link.stats().duplicated;
    assert!((60..140).contains(&duplicated), "{duplicated}");
    assert_eq!(arrived.len() as u64, 1000 + duplicated);
    assert!(arrived.is_sorted());
}

#[test]
fn corruption_flips_one_bit() {
    let mut link = Link::new(9).corrupt(percent(100));
    for len in 0..100usize {
        link.send(epoch(), vec![0; len]);
        let datagram = link.receive(epoch()).unwrap();
        let bits: u32 = datagram.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!((datagram.len(), bits), (len, u32::from(len > 0)));
    }
    assert_eq!(link.stats().corrupted, 99);
}

#[test]
fn the_rate_spreads_a_burst() {
    let mut link = Link::new(0).rate(mbps(8)).delay(ms(5)).queue(10_000_000);
    for _ in 0..100 {
        link.send(epoch(), vec![0; 1000]);
    }
    let mut count = 0;
    while let Some(now) = link.poll_timeout() {
        count += 1;
        assert_eq!(now, epoch() + ms(5 + count));
        assert!(link.receive(now).is_some());
    }
    assert_eq!(count, 100);
}

#[test]
fn a_full_queue_drops_its_tail() {
    let mut link = Link::new(0).rate(kbps(80)).queue(2_000);
    for _ in 0..10 {
        link.send(epoch(), vec![0; 1000]);
    }
    let stats = link.stats();
    assert_eq!((stats.carried, stats.queue_full), (2, 8));
    link.send(epoch() + ms(100), vec![0; 1000]);
    assert_eq!(link.stats().carried, 3);
    // A datagram larger than the queue passes when nothing waits, else it never would.
    link.send(epoch() + secs(1), vec![0; 5000]);
    assert_eq!(link.stats().carried, 4);
}

#[test]
fn the_mtu_drops() {
    let mut link = Link::new(0).mtu(1200);
    link.send(epoch(), vec![0; 1200]);
    link.send(epoch(), vec![0; 1201]);
    assert_eq!((link.stats().carried, link.stats().too_big), (1, 1));
}

#[test]
fn conditions_change_on_the_way() {
    let mut link = Link::new(1).delay(ms(500));
    link.send(epoch(), 1u32.to_be_bytes().to_vec());
    link.set_conditions(&Link::new(0).delay(ms(10)));
    link.send(epoch() + ms(1), 2u32.to_be_bytes().to_vec());
    link.set_up(false);
    link.send(epoch() + ms(2), 3u32.to_be_bytes().to_vec());
    link.set_up(true);
    link.send(epoch() + ms(600), 4u32.to_be_bytes().to_vec());
    let expected = [(ms(500), 1), (ms(500), 2), (ms(610), 4)];
    assert_eq!(drained(&mut link), expected);
    assert_eq!(link.stats().lost, 1);
}

#[test]
fn both_directions_have_their_own_chance() {
    let mut duplex = Duplex::new(Link::new(4).loss(percent(50)));
    let there = numbers(&through(&mut duplex.there, 100, ms(1)));
    let back = numbers(&through(&mut duplex.back, 100, ms(1)));
    assert_ne!(there, back);
    assert_eq!(duplex.poll_timeout(), None);
    duplex.set_conditions(&Link::new(0).delay(ms(3)));
    duplex.back.send(epoch() + secs(1), vec![]);
    assert_eq!(duplex.poll_timeout(), Some(epoch() + secs(1) + ms(3)));
    duplex.set_up(false);
    duplex.there.send(epoch() + secs(1), vec![]);
    assert_eq!(duplex.there.in_flight(), 0);
}
