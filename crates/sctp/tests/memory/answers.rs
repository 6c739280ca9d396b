//! What waits to be said, to the peer and to the owner.

use oxirtc_sctp::{
    Config, Event,
    packet::{ChunkKind, Data, Reconfig, Request, ResetResult, Sack},
};

use crate::{
    acknowledge_much, held, most_of_steps, reset, send_much, support::Sides as _, victim::Victim,
};

/// No record of DTLS carries lists of that length.
pub(crate) fn lists_longer_than_a_record_are_not_kept() {
    let mut victim = Victim::new(Config::default());
    let before = held();
    let refused = victim.pair.ends[0].stats().dropped_chunks;
    victim.forward(1, (0..4097).map(|it| (it, 5)));
    assert_eq!(victim.pair.ends[0].stats().dropped_chunks, refused + 1);
    let list = Vec::from_iter((0..16_000u16).flat_map(u16::to_be_bytes));
    let sequence = victim.tsn.0.wrapping_sub(1);
    let request = Request::OutgoingReset {
        sequence,
        response_sequence: 0,
        last_tsn: victim.tsn.advanced(60_000),
        streams: &list,
    };
    victim.put(|buf| Reconfig::write(buf, std::iter::once(request)));
    drop(list);
    let answer = victim.answer();
    let answer = answer.iter().find(|it| it.0 == ChunkKind::RECONFIG);
    let answer = answer.and_then(|it| Reconfig::parse(&it.1));
    let answer = answer.and_then(|it| it.requests().next().flatten());
    let result = ResetResult::DENIED;
    assert_eq!(answer, Some(Request::Response { sequence, result }));
    let left = held() - before;
    println!("lists longer than a record: {left}");
    assert!(left < 2 << 10, "{left}");
}

/// He reads what comes, and streams become readable again and again.
pub(crate) fn an_owner_who_asks_for_no_events_holds_little() {
    let mut victim = Victim::new(Config::default());
    let before = held();
    for message in 0..70_000 {
        let stream = (message % 100) as u16;
        victim.whole(message, Data::UNORDERED, (stream, 0), b"x");
        assert_eq!(victim.pair.read_all(0, stream).len(), 1);
    }
    victim.answer();
    let most = held() - before;
    println!("an owner who asks for no events: {most}");
    assert!(most < 64 << 10, "{most}");
}

/// The peer resets all streams that there can be, by name; the owner resets his direction of each in turn, and the peer says nothing to that.
pub(crate) fn resets_in_return_are_little() {
    let mut victim = Victim::new(Config::default());
    let before = held();
    let mut told = 0;
    for part in 0..9u32 {
        let first = (part * 8000) as u16;
        reset(
            &mut victim,
            (part, u32::MAX),
            first..first.saturating_add(8000).min(65_534),
        );
        loop {
            victim.answer();
            let now = victim.pair.now;
            for event in victim.pair.main_events(0) {
                if let Event::IncomingReset { stream } = event {
                    let reset = victim.pair.ends[0].reset_streams(now, &[stream]);
                    assert_eq!(reset, Ok(()));
                    told += 1;
                }
            }
            let side = &mut victim.pair.ends[0];
            if side.poll_timeout().is_none_or(|at| at > now) {
                break;
            }
            side.handle_timeout(now);
        }
    }
    let most = held() - before;
    println!("resets of {told} streams in return: {most}");
    assert!(told >= 65_000 && most < 320 << 10, "{told}, {most}");
}

/// With each of his messages the amount that is buffered becomes low once more.
pub(crate) fn an_owner_who_sends_and_asks_for_no_events_holds_little() {
    let mut victim = Victim::new(Config::default());
    let before = held();
    for message in 0..70_000 {
        victim.pair.say(0, (message % 100) as u16, b"x");
        victim.answer();
        let head = (victim.last.advanced(message + 1), 1 << 20);
        victim.put(|buf| Sack::write(buf, 100, head, std::iter::empty(), std::iter::empty()));
    }
    let most = held() - before;
    println!("an owner who sends and asks for no events: {most}");
    assert!(most < 64 << 10, "{most}");
    // The first are told one by one, and what follows once for each stream.
    assert!((200..=228).contains(&victim.pair.events(0).len()));
}

/// The peer restarts the association again and again.
pub(crate) fn restarts_leave_nothing() {
    let mut victim = Victim::new(Config::default());
    let (before, mut most) = (held(), 0);
    for _ in 0..10_000 {
        victim.init();
        let cookie = victim.cookie.clone();
        victim.chunk(ChunkKind::COOKIE_ECHO, &cookie);
        victim.answer();
        most = most.max(held() - before);
    }
    assert!(victim.pair.events(0).contains(&Event::Restarted));
    println!("restarts: {most}");
    assert!(most < 4 << 10, "{most}");
}

/// What was on its way before is dropped in steps, for which the timer is late, and there is more each time.
pub(crate) fn restarts_of_who_sends_leave_little() {
    let mut victim = Victim::new(Config::default());
    let before = held();
    let restart = |victim: &mut Victim| {
        for stream in 0..10 {
            if victim.pair.ends[0].total_unacknowledged() < 1000 {
                victim.pair.say(0, stream, [1; 100]);
            }
        }
        victim.answer();
        victim.init();
        let cookie = victim.cookie.clone();
        victim.chunk(ChunkKind::COOKIE_ECHO, &cookie);
        victim.answer();
        victim.pair.events(0).contains(&Event::Restarted)
    };
    assert!(restart(&mut victim));
    let dropped = victim.pair.ends[0].stats().dropped_chunks;
    let restarts = (0..1000).filter(|_| restart(&mut victim)).count();
    let most = held() - before;
    println!("restarts of who sends: {most}");
    assert!(most < 16 << 10, "{most}");
    // The cookie comes again, and counts when that has been done.
    assert_eq!(restarts, 0);
    assert_eq!(victim.pair.ends[0].stats().dropped_chunks, dropped + 1000);
    most_of_steps(&mut victim);
    assert!(restart(&mut victim));
}

/// However long packets may be.
pub(crate) fn answers_that_wait_are_little() {
    let mut victim = Victim::new(Config::default().max_packet(usize::MAX));
    let before = held();
    for _ in 0..4 {
        victim.chunk(ChunkKind::HEARTBEAT, &[0; 16_000]);
        victim.chunk(ChunkKind::HEARTBEAT, &[0; 1000]);
        victim.say_init(&[0xf0, 1, 0, 4].repeat(64));
    }
    let most = held() - before;
    println!("answers that wait: {most}");
    assert!((6 << 10..=10 << 10).contains(&most), "{most}");
    let answers = victim.answer();
    let heartbeats = answers.iter().map(|it| it.0);
    let heartbeats = heartbeats.filter(|kind| *kind == ChunkKind::HEARTBEAT_ACK);
    assert_eq!(heartbeats.count(), 4);
}

/// One that is about much is taken in steps, and others wait for it.
pub(crate) fn sacks_that_wait_are_little() {
    let mut victim = Victim::sending(Config::default());
    send_much(&mut victim);
    let before = held();
    acknowledge_much(&mut victim);
    let most = held() - before;
    println!("SACKs that wait: {most}");
    assert!((8 << 10..=24 << 10).contains(&most), "{most}");
}
