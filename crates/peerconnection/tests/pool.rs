//! `iceCandidatePoolSize`: gathering begins before a description asks for it (RFC 9429 §3.5.4).
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod pair;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use oxirtc_netsim::Link;
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, IceGatheringState, IceServer, Message,
    engine::{Engine, Event, Request, Settings},
};
use pair::Pair;

fn configuration(size: u8) -> Configuration {
    Configuration {
        ice_candidate_pool_size: size,
        ..Configuration::default()
    }
}

fn pooled(seed: u64, size: u8) -> Pair {
    let configurations = [configuration(size), configuration(size)];
    let mut pair = Pair::with(seed, Link::new(seed), configurations, Settings::default());
    pair.run(Duration::from_millis(10));
    pair
}

fn configure(pair: &mut Pair, configuration: Configuration) {
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_configuration(configuration).unwrap();
    engine.gather_ahead(now);
    pair.run(Duration::from_millis(10));
}

/// Makes the first description, of data.
fn describe(engine: &mut Engine, now: Instant) {
    let init = DataChannelInit::default();
    engine.create_data_channel(now, "a", &init).unwrap();
    engine.set_local_description(now, None).unwrap();
}

/// [4.4.1.1-09] The sockets are there before, nothing is told of them, and in the first description's task all candidates are.
#[test]
fn what_is_pooled_is_told_at_once() {
    for size in [0, 1] {
        let mut pair = pooled(1, size);
        let now = pair.now;
        let bound = pair.ends[0].sockets.clone();
        assert_eq!(bound.len(), usize::from(size));
        assert!(pair.ends[0].tasks.is_empty(), "{:?}", pair.ends[0].tasks);
        let engine = &mut pair.ends[0].engine;
        assert_eq!(engine.ice_gathering_state(), IceGatheringState::New);
        describe(engine, now);
        let mut told = Vec::new();
        while let Some(task) = engine.poll_task() {
            told.extend(task);
        }
        let states = told.iter().filter_map(|event| match event {
            Event::IceGatheringStateChange(state) => Some(*state),
            _ => None,
        });
        let expected = [IceGatheringState::Gathering, IceGatheringState::Complete];
        assert_eq!(states.collect::<Vec<_>>(), expected[..=usize::from(size)]);
        let ports = told.iter().filter_map(|event| match event {
            Event::IceCandidate(Some(candidate)) => candidate.port(),
            _ => None,
        });
        let expected: Vec<_> = bound.iter().map(SocketAddr::port).collect();
        assert_eq!(ports.collect::<Vec<_>>(), expected);
        let state = match size {
            0 => IceGatheringState::Gathering,
            _ => IceGatheringState::Complete,
        };
        assert_eq!(engine.ice_gathering_state(), state);
        let mut requests = std::iter::from_fn(|| engine.poll_request());
        let binds = requests.any(|it| matches!(it, Request::Bind { .. }));
        assert_eq!(binds, size == 0);
    }
}

/// Both ends connect with what they had; the rest goes with the answer.
#[test]
fn what_is_left_is_let_go_of() {
    let mut pair = pooled(2, 3);
    assert_eq!([0, 1].map(|side| pair.ends[side].sockets.len()), [3, 3]);
    let first = [0, 1].map(|side| pair.ends[side].sockets[0]);
    let [here, there] = pair.connect(&DataChannelInit::default());
    let left = [0, 1].map(|side| pair.ends[side].sockets.clone());
    assert_eq!(left, first.map(|it| vec![it]));
    pair.send(0, here, "pooled");
    pair.until(Duration::from_secs(1), |pair| {
        !pair.ends[1].inbox.is_empty()
    });
    assert_eq!(pair.ends[1].messages(there), [&Message::from("pooled")]);
}

/// [4.4.1.7-09] [4.4.1.7-10] RFC 9429 §4.1.18: another size counts at once, and with other servers all begins anew.
#[test]
fn another_configuration_changes_the_pool() {
    let mut pair = pooled(3, 0);
    configure(&mut pair, configuration(2));
    assert_eq!(pair.ends[0].sockets.len(), 2);
    let kept = pair.ends[0].sockets[0];
    configure(&mut pair, configuration(1));
    assert_eq!(pair.ends[0].sockets, [kept]);
    let server = "192.0.2.9:3478";
    pair.sent = Some(Vec::new());
    configure(
        &mut pair,
        Configuration {
            ice_servers: vec![IceServer {
                urls: vec![format!("stun:{server}")],
                ..IceServer::default()
            }],
            ..configuration(1)
        },
    );
    let sockets = pair.ends[0].sockets.clone();
    assert!(sockets.len() == 1 && !sockets.contains(&kept));
    let asked = pair.sent.take().unwrap().into_iter();
    let mut asked = asked.filter(|it| it.route.remote == server.parse().unwrap());
    assert_eq!(asked.next().map(|it| it.route.local), Some(sockets[0]));
    configure(&mut pair, Configuration::default());
    assert!(pair.ends[0].sockets.is_empty());
}

/// A pool is of eight agents at most, is not filled again, and ends with its connection.
#[test]
fn a_pool_is_bounded_and_ends() {
    let mut pair = pooled(4, 255);
    assert_eq!(pair.ends[0].sockets.len(), 8);
    let now = pair.now;
    describe(&mut pair.ends[0].engine, now);
    pair.run(Duration::from_millis(10));
    assert_eq!(pair.ends[0].sockets.len(), 8);
    let now = pair.now;
    pair.ends[1].engine.close(now);
    pair.run(Duration::from_millis(10));
    assert!(pair.ends[1].sockets.is_empty());
}

/// What went wrong meanwhile is told when there is somebody to be told.
#[test]
fn errors_wait_for_a_description() {
    let mut pair = pooled(5, 1);
    let url = "stun:192.0.2.9:3478";
    configure(
        &mut pair,
        Configuration {
            ice_servers: vec![IceServer {
                urls: vec![url.to_owned()],
                ..IceServer::default()
            }],
            ..configuration(1)
        },
    );
    pair.run(Duration::from_secs(20));
    assert!(pair.ends[0].tasks.is_empty(), "{:?}", pair.ends[0].tasks);
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    describe(engine, now);
    let tasks = std::iter::from_fn(|| engine.poll_task());
    let errors = tasks.flatten().filter_map(|event| match event {
        Event::IceCandidateError(error) => Some((error.error_code, error.url)),
        _ => None,
    });
    assert_eq!(errors.collect::<Vec<_>>(), [(701, url.to_owned())]);
}

/// A transport that answers has taken its agent before there is a local description: the pool stays as small.
#[test]
fn what_was_taken_is_not_gathered_again() {
    let mut pair = pooled(6, 1);
    pair.open(0, "a", &DataChannelInit::default());
    let now = pair.now;
    pair.ends[0]
        .engine
        .set_local_description(now, None)
        .unwrap();
    let offer = pair.ends[0].engine.local_description().unwrap();
    let engine = &mut pair.ends[1].engine;
    engine.set_remote_description(now, offer).unwrap();
    engine.gather_ahead(now);
    pair.run(Duration::from_millis(10));
    assert_eq!(pair.ends[1].sockets.len(), 1);
}

/// Requests that wait, of which those to listen are answered.
fn requests(engine: &mut Engine, now: Instant) -> Vec<Request> {
    let mut all = Vec::new();
    while let Some(request) = engine.poll_request() {
        if let Request::Bind { id, address, .. } | Request::Listen { id, address, .. } = &request {
            let port = 4000 + u16::try_from(all.len()).unwrap();
            engine.handle_response(now, *id, Ok(SocketAddr::new(*address, port)));
        }
        all.push(request);
    }
    all
}

/// What comes on a stream to a TURN server is for the agent that has asked for it, and no other agent ends it.
#[test]
fn a_stream_to_a_server_is_one_agents() {
    let mut pair = pooled(7, 0);
    let server: SocketAddr = "192.0.2.9:3478".parse().unwrap();
    let configuration = Configuration {
        ice_servers: vec![IceServer::with_credential(
            format!("turn:{server}?transport=tcp"),
            "alice",
            "secret",
        )],
        ..configuration(2)
    };
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_configuration(configuration).unwrap();
    engine.gather_ahead(now);
    let mut connects = Vec::new();
    for request in requests(engine, now) {
        if let Request::Connect { id, from, .. } = request {
            connects.push(id);
            let port = 5000 + u16::try_from(connects.len()).unwrap();
            engine.handle_response(now, id, Ok(SocketAddr::new(from, port)));
        }
    }
    let mut paths = Vec::new();
    while let Some(transmit) = engine.poll_transmit(now, &mut Vec::new()) {
        paths.push(transmit.path);
    }
    assert_eq!((connects.len(), paths.len()), (2, 2), "each agent asks");
    for path in paths {
        engine.handle_datagram(now, path, &mut [1]);
        let left = requests(engine, now);
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Who is let go of listens no more.
#[test]
fn what_is_left_stops_listening() {
    let settings = Settings::default().ice_tcp(true);
    let configurations = [configuration(0), configuration(0)];
    let mut pair = Pair::with(8, Link::new(8), configurations, settings);
    let now = pair.now;
    let engine = &mut pair.ends[0].engine;
    engine.set_configuration(configuration(3)).unwrap();
    engine.gather_ahead(now);
    let asked = requests(engine, now);
    let listens = asked
        .iter()
        .filter(|it| matches!(it, Request::Listen { .. }));
    assert_eq!(listens.count(), 3);
    describe(engine, now);
    let offer = engine.local_description().unwrap();
    let far = &mut pair.ends[1].engine;
    far.set_remote_description(now, offer).unwrap();
    far.set_local_description(now, None).unwrap();
    let answer = far.local_description().unwrap();
    let engine = &mut pair.ends[0].engine;
    engine.set_remote_description(now, answer).unwrap();
    engine.gather_ahead(now);
    while engine.poll_transmit(now, &mut Vec::new()).is_some() {}
    let left = requests(engine, now);
    let ended = left
        .iter()
        .filter(|it| matches!(it, Request::Unlisten { .. }));
    assert_eq!(ended.count(), 2, "{left:?}");
}
