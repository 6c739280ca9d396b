//! An end that waits until the peer can read all that it has acknowledged.

mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use oxirtc_netsim::{End, Link, ms};
use oxirtc_peerconnection::{DataChannelInit, Event, PeerConnectionState};

use world::{World, negotiate};

/// A message that may be sent once is lost, and the next one of its channel is acknowledged: the peer hands it out when it has passed
/// over the first. So many packets from there on are lost as well.
#[test]
fn shutdown_waits_until_what_was_given_up_is_passed_over() {
    for lost in 0..4 {
        let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(50)));
        let init = DataChannelInit {
            max_retransmits: Some(0),
            ..DataChannelInit::default()
        };
        let here = left.create_data_channel("once", init).unwrap();
        let there = world.run(async {
            negotiate(&left, &right).await;
            left.wait_for(PeerConnectionState::Connected).await.unwrap();
            here.opened().await.unwrap();
            loop {
                if let Event::DataChannel(channel) = right.next_event().await.unwrap() {
                    return channel;
                }
            }
        });
        world.run_for(Duration::from_secs(1));
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        world.tap = Some(Box::new(move |from, datagram| {
            // DTLS 1.2 and 1.3 (RFC 7983).
            if from != End::A || !matches!(datagram.first(), Some(20..=63)) {
                return true;
            }
            let number = counted.fetch_add(1, Ordering::Relaxed);
            number == 1 || number > 1 + lost
        }));
        here.try_send("lost").unwrap();
        world.run_for(Duration::ZERO);
        here.try_send("kept").unwrap();
        world.run_for(Duration::ZERO);
        assert_eq!(sent.load(Ordering::Relaxed), 2, "a packet each");
        world.run(left.shutdown());
        let read = world.run(there.recv());
        assert_eq!(read, Some("kept".into()), "{lost} more were lost");
        assert_eq!(world.run(there.recv()), None);
    }
}
