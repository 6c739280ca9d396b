//! How each wait ends, by what ends it, with two of each at once. A wait is polled only when it was woken.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod world;

use std::{pin::Pin, time::Duration};

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, DataChannelState, Error, IceServer,
    PeerConnection, PeerConnectionState,
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

/// A wait by its name.
fn begin<'a>(name: &str, connection: &'a PeerConnection, channel: &'a DataChannel) -> Outcome<'a> {
    match name {
        "gathered" => Box::pin(async { shown(connection.gathered().await) }),
        "opened" | "opened, when there is room" => {
            Box::pin(async { shown(channel.opened().await) })
        }
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
        "sctp.next_event" => Box::pin(async {
            let sctp = connection.sctp().unwrap();
            while sctp.next_event().await.is_some() {}
            "none".to_owned()
        }),
        "dtls.next_event" => Box::pin(async {
            let dtls = connection.sctp().unwrap().transport().unwrap();
            while dtls.next_event().await.is_some() {}
            "none".to_owned()
        }),
        "ice.next_event" => Box::pin(async {
            let dtls = connection.sctp().unwrap().transport().unwrap();
            let ice = dtls.ice_transport();
            while ice.next_event().await.is_some() {}
            "none".to_owned()
        }),
        _ => unreachable!("{name}"),
    }
}

/// Brings a connection to where the wait is one, with the channel that it is about. Otherwise a transfer is under way on that.
fn prepare(
    (name, end): (&str, End),
    world: &mut World,
    [left, right]: &[PeerConnection; 2],
) -> (DataChannel, Option<DataChannel>) {
    let new_channel = || {
        let init = DataChannelInit::default();
        left.create_data_channel("a", init).unwrap()
    };
    let fill = |channel: &DataChannel| while channel.try_send(vec![0; 65_536]).is_ok() {};
    let mut channel = new_channel();
    world.run(negotiate(left, right));
    let there = (name != "opened").then(|| {
        world.run(async {
            channel.opened().await.unwrap();
            right.next_data_channel().await.unwrap()
        })
    });
    if end == End::Failed {
        world.cut();
    }
    fill(&channel);
    if name == "opened, when there is room" {
        while channel.ready_state() == DataChannelState::Open {
            fill(&channel);
            channel = new_channel();
            // What nobody acknowledges is under way first.
            if end == End::Failed {
                world.run_for(ms(100));
            }
        }
    }
    // A server that does not answer keeps it from its end.
    if name == "gathered" {
        let server = IceServer {
            urls: vec!["stun:10.0.0.9".into()],
            ..IceServer::default()
        };
        let configuration = Configuration {
            ice_servers: vec![server],
            ..Configuration::default()
        };
        left.set_configuration(configuration).unwrap();
        left.restart_ice();
        world.run(left.set_local_description(None)).unwrap();
    }
    (channel, there)
}

/// What two such waits come to, the second beginning beside the first.
fn outcomes(name: &str, end: End) -> [String; 2] {
    let (mut world, both) = World::new(Link::new(1).delay(ms(10)));
    let (channel, there) = prepare((name, end), &mut world, &both);
    let [left, right] = both;
    let engine = world.ends[0].engine.clone();
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
        ("gathered", ["Aborted", "ok", "ok", "ok", "Aborted"]),
        ("opened", ["Aborted"; 5]),
        ("opened, when there is room", ["Aborted"; 5]),
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
    let of_objects = [
        "next_event",
        "sctp.next_event",
        "dtls.next_event",
        "ice.next_event",
    ];
    for name in of_objects {
        for end in [End::Close, End::NobodyCarries] {
            assert_eq!(outcomes(name, end), ["none"; 2], "{name}, {end:?}");
        }
    }
}
