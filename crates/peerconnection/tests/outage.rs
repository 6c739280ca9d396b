//! The path is gone for a while: what was sent before, meanwhile and afterwards arrives, whole and in order.

mod pair;

use std::time::Duration;

use oxirtc_netsim::{Link, mbps, ms, secs};
use oxirtc_peerconnection::{
    DataChannelInit, DataChannelState, OfferOptions, PeerConnectionState,
    engine::{ChannelEvent, ChannelId, Event},
};
use pair::Pair;

/// 20 Mbit/s and 40 ms, where a transfer is under way in both directions.
struct Transfer {
    pair: Pair,
    channels: [ChannelId; 2],
    sent: u32,
}

impl Transfer {
    fn new(seed: u64) -> Self {
        let link = Link::new(seed).delay(ms(20)).rate(mbps(20));
        let (pair, channels) = Pair::connected(seed, link, &DataChannelInit::default());
        let sent = 0;
        Self {
            pair,
            channels,
            sent,
        }
    }

    /// Sends at both ends, every 20 ms or as long as there is room, for a time.
    fn send_for(&mut self, time: Duration) {
        let end = self.pair.now + time;
        while self.pair.now < end {
            if self.sent_bytes() < 400_000 {
                for side in 0..2 {
                    self.pair
                        .send(side, self.channels[side], contents(self.sent));
                }
                self.sent += 1;
            }
            self.pair.run(ms(20));
        }
    }

    /// What the slower end has not acknowledged.
    fn sent_bytes(&self) -> u64 {
        let ends = self.pair.ends.iter();
        ends.map(|it| it.engine.total_unacknowledged())
            .max()
            .unwrap_or(0)
    }

    fn set_link(&mut self, up: bool) {
        let address = self.pair.ends[0].address;
        self.pair.wire.network.set_interface(address, up);
    }

    /// Waits until all is there; how long that took.
    fn finish(&mut self) -> Duration {
        let sent = self.sent as usize;
        let took = self.pair.until(secs(60), |pair| {
            pair.ends.iter().all(|end| end.inbox.len() == sent)
        });
        for (end, channel) in self.pair.ends.iter().zip(self.channels) {
            for (number, (_, message)) in (0..).zip(&end.inbox) {
                assert_eq!(message.as_bytes(), contents(number));
            }
            assert_eq!(end.state(channel), DataChannelState::Open);
            let closed = |event: &Event| matches!(event, Event::Channel(_, ChannelEvent::Close));
            assert!(!end.tasks.iter().flatten().any(closed));
            assert_eq!(
                end.engine.connection_state(),
                PeerConnectionState::Connected
            );
        }
        took
    }
}

/// From 10 bytes to ten packets.
fn contents(number: u32) -> Vec<u8> {
    vec![number as u8; 10 + (number as usize * 997) % 11_000]
}

/// RFC 7675 §5.1: consent outlives them, and with it the association.
#[test]
fn an_outage_of_up_to_25_seconds_loses_nothing() {
    for (seed, outage) in (1..).zip([1, 2, 5, 10, 17, 25]) {
        let mut transfer = Transfer::new(seed);
        transfer.send_for(secs(1));
        transfer.set_link(false);
        transfer.send_for(secs(outage));
        transfer.set_link(true);
        transfer.send_for(secs(1));
        let took = transfer.finish();
        assert!(
            took < secs(8),
            "{outage} s: {took:?} after the path was back"
        );
    }
}

/// Beyond consent, only an ICE restart leads out; SCTP has waited for it.
#[test]
fn an_ice_restart_after_31_seconds_loses_nothing() {
    for side in [0, 1] {
        let mut transfer = Transfer::new(7);
        transfer.send_for(secs(1));
        transfer.set_link(false);
        transfer.send_for(secs(31));
        for end in &transfer.pair.ends {
            assert_ne!(
                end.engine.connection_state(),
                PeerConnectionState::Connected
            );
        }
        transfer.set_link(true);
        transfer.pair.ends[side].engine.restart_ice();
        transfer.pair.negotiate(side).unwrap();
        transfer.send_for(secs(1));
        transfer.finish();
    }
}

/// Without a restart the association ends at last: ten timeouts that nobody consents to, and the channel is closed with its error.
#[test]
fn an_outage_without_a_restart_ends_the_association() {
    let mut transfer = Transfer::new(8);
    transfer.send_for(secs(1));
    transfer.set_link(false);
    transfer.send_for(secs(60));
    let [here, _] = transfer.channels;
    let end = |pair: &Pair| pair.ends[0].state(here);
    assert_eq!(end(&transfer.pair), DataChannelState::Open);
    transfer.pair.run(secs(1200));
    assert_eq!(end(&transfer.pair), DataChannelState::Closed);
    let story = transfer.pair.ends[0].story();
    let told = story.ends_with(&["error sctp-failure".into(), "close".into()]);
    assert!(told, "{story:?}");
}

/// What `recv` says of `failed`: a restart brings all back within half a minute, and at any time where nothing was on its way.
#[test]
fn after_failed_a_channel_with_data_has_half_a_minute() {
    let failed = |pair: &Pair| {
        let end = &pair.ends[0].engine;
        end.connection_state() == PeerConnectionState::Failed
    };
    for is_busy in [true, false] {
        let mut transfer = Transfer::new(9);
        if is_busy {
            transfer.send_for(secs(1));
        } else {
            transfer.pair.run(secs(2));
        }
        transfer.set_link(false);
        while !failed(&transfer.pair) {
            transfer.pair.run(secs(1));
        }
        let [here, _] = transfer.channels;
        transfer.pair.run(secs(25));
        assert_eq!(transfer.pair.ends[0].state(here), DataChannelState::Open);
        transfer.pair.run(secs(if is_busy { 10 } else { 3600 }));
        if is_busy {
            assert_eq!(transfer.pair.ends[0].state(here), DataChannelState::Closed);
            continue;
        }
        transfer.set_link(true);
        transfer.pair.ends[0].engine.restart_ice();
        transfer.pair.negotiate(0).unwrap();
        transfer.send_for(secs(1));
        transfer.finish();
    }
}

/// A NAT has another port for one end from now on, and knows nothing of the old one. That is noticed by the silence, after 750 ms; the first
/// answer shows the new port, and what was on its way is sent again at once, whoever sends. Nothing waits for a timer that had grown meanwhile.
#[test]
fn another_port_of_a_nat_stops_a_transfer_for_less_than_a_second() {
    for (seed, sender) in [(30, 0), (31, 0), (33, 1)] {
        let link = Link::new(seed).delay(ms(5)).rate(mbps(8));
        let (mut pair, nat) = Pair::behind_nat(seed, link);
        let channels = pair.connect(&DataChannelInit::default());
        let (mut last, mut longest) = (pair.now, Duration::ZERO);
        let mut came = 0;
        for step in 0..1500 {
            if step == 500 + (seed as usize % 5) * 7 {
                pair.wire.network.forget_mappings(nat);
                longest = Duration::ZERO;
            }
            let engine = &pair.ends[sender].engine;
            if engine.total_unacknowledged() < 50_000 {
                pair.send(sender, channels[sender], vec![7; 8000]);
            }
            pair.run(ms(2));
            let now = pair.ends[1 - sender].inbox.len();
            if now > came {
                longest = longest.max(pair.now - last);
                (last, came) = (pair.now, now);
            }
        }
        assert!(pair.now - last < ms(100), "it goes on");
        assert!(
            (ms(600)..secs(1)).contains(&longest),
            "{sender} sends: nothing for {longest:?}"
        );
    }
}

/// RFC 7675 §5.1: the last moment of consent counts, and not the timer that is to look at it, which a busy machine has late.
#[test]
fn no_payload_leaves_after_consent_although_no_timer_ran() {
    for (late, leaves) in [(secs(20), true), (secs(31), false)] {
        let link = Link::new(8).delay(ms(20));
        let (mut pair, [here, _]) = Pair::connected(8, link, &DataChannelInit::default());
        pair.run(secs(3));
        let now = pair.now + late;
        let engine = &mut pair.ends[0].engine;
        engine.send(now, here, &"late".into()).unwrap();
        let mut sent = Vec::new();
        loop {
            let mut batch = Vec::new();
            if engine.poll_transmit(now, &mut batch).is_none() {
                break;
            }
            sent.push(batch[0]);
        }
        let payload = sent.iter().any(|first| (20..64).contains(first));
        assert_eq!(payload, leaves, "after {late:?}: {sent:?}");
    }
}

/// Without consent a handshake waits ever longer, and wakes nobody for nothing. When there is consent again it goes on at once.
#[test]
fn a_handshake_waits_for_consent() {
    let mut pair = Pair::new(9, Link::new(9).delay(ms(20)));
    pair.open(0, "a", &DataChannelInit::default());
    let is_dtls = |datagram: &[u8]| matches!(datagram.first(), Some(20..=63));
    pair.tap = Some(Box::new(move |_, datagram| !is_dtls(datagram)));
    pair.negotiate(0).unwrap();
    pair.run(secs(10));
    let address = pair.ends[0].address;
    pair.wire.network.set_interface(address, false);
    // The answerer is the client, whose flight is under way.
    let is_failed =
        |pair: &pair::Wired| pair.ends[1].engine.connection_state() == PeerConnectionState::Failed;
    pair.until(secs(60), is_failed);
    // ICE has nothing to do any more, and DTLS has its minute.
    pair.run(secs(5));
    let due = pair.ends[1].engine.poll_timeout().unwrap() - pair.now;
    assert!((secs(50)..secs(60)).contains(&due), "{due:?}");
    pair.tap = None;
    pair.wire.network.set_interface(address, true);
    let restart = OfferOptions {
        ice_restart: true,
        ..OfferOptions::default()
    };
    pair.negotiate_with(0, &restart).unwrap();
    let took = pair.until(secs(60), |pair| {
        pair.ends.iter().all(pair::End::is_connected)
    });
    assert!(took < secs(4), "{took:?}");
}
