//! How each wait ends, by what ends it, with two of each at once. A wait is polled only when it was woken.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod world;

use std::{pin::Pin, time::Duration};

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    DataChannel, DataChannelInit, Error, PeerConnection, PeerConnectionState,
};

use world::{World, negotiate};

type Outcome<'a> = Pin<Box<dyn Future<Output = String> + 'a>>;

/// What ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Close,
    PeerCloses,
    PeerIsDropped,
    Failed,
    NobodyCarries,
}

const ENDS: [End; 5] = [
    End::Close,
    End::PeerCloses,
    End::PeerIsDropped,
    End::Failed,
    End::NobodyCarries,
];

fn shown<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// A wait by its name, in a connection that is in the midst of a transfer.
fn begin<'a>(name: &str, connection: &'a PeerConnection, channel: &'a DataChannel) -> Outcome<'a> {
    match name {
        "closed" => Box::pin(async { shown(channel.closed().await) }),
        "flush" => Box::pin(async { shown(channel.flush().await) }),
        "send" => Box::pin(async { shown(channel.send("b").await) }),
        "next_data_channel" => Box::pin(async { shown(connection.next_data_channel().await) }),
        "recv" => Box::pin(async { format!("{:?}", channel.recv().await) }),
        "shutdown" => Box::pin(async {
            connection.shutdown().await;
            "ok".to_owned()
        }),
        "wait_for(Closed)" => {
            Box::pin(async { shown(connection.wait_for(PeerConnectionState::Closed).await) })
        }
        "next_event" => Box::pin(async {
            while connection.next_event().await.is_some() {}
            "none".to_owned()
        }),
        "channel.next_event" => Box::pin(async {
            while channel.next_event().await.is_some() {}
            "none".to_owned()
        }),
        _ => unreachable!("{name}"),
    }
}

/// What two such waits come to, the second beginning beside the first.
fn outcomes(name: &str, end: End) -> [String; 2] {
    let (mut world, [left, right]) = World::new(Link::new(1).delay(ms(10)));
    let channel = left
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    let there = world.run(async {
        negotiate(&left, &right).await;
        channel.opened().await.unwrap();
        right.next_data_channel().await.unwrap()
    });
    while channel.try_send(vec![0; 65_536]).is_ok() {}
    let engine = world.ends[0].engine.clone();
    if end == End::Failed {
        world.cut();
    }
    let mut peer = Some((right, there));
    let begun = world.now;
    let outcomes = world.run(async {
        let (one, two) = (begin(name, &left, &channel), begin(name, &left, &channel));
        let end = async {
            match end {
                End::Close => left.close(),
                End::PeerCloses => peer.as_ref().unwrap().0.close(),
                End::PeerIsDropped => drop(peer.take()),
                End::Failed => {}
                End::NobodyCarries => engine.abandon(),
            }
        };
        let (one, two, ()) = tokio::join!(biased; one, two, end);
        [one, two]
    });
    // SCTP gives up later than ICE, and nothing is unacknowledged then.
    let took = world.now - begun;
    assert!(took < Duration::from_secs(40), "{name} took {took:?}");
    outcomes
}

/// The table of `api`'s page.
#[test]
fn each_wait_ends_as_it_says() {
    let table = [
        ("closed", ["ok", "ok", "ok", "Aborted", "ok"]),
        ("flush", ["Aborted"; 5]),
        (
            "send",
            [
                "InvalidState",
                "InvalidState",
                "InvalidState",
                "Aborted",
                "InvalidState",
            ],
        ),
        ("next_data_channel", ["Aborted"; 5]),
        (
            "wait_for(Closed)",
            ["ok", "Aborted", "Aborted", "Aborted", "ok"],
        ),
        ("shutdown", ["ok"; 5]),
    ];
    for (name, expected) in table {
        for (end, expected) in ENDS.into_iter().zip(expected) {
            assert_eq!(outcomes(name, end), [expected; 2], "{name}, {end:?}");
        }
    }
    for end in ENDS.into_iter().filter(|it| *it != End::Failed) {
        assert_eq!(outcomes("recv", end), ["None"; 2], "{end:?}");
        assert_eq!(outcomes("channel.next_event", end), ["none"; 2], "{end:?}");
    }
    for end in [End::Close, End::NobodyCarries] {
        assert_eq!(outcomes("next_event", end), ["none"; 2], "{end:?}");
    }
}
