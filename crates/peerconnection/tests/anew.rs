//! A peer that begins DTLS anew on a transport that stands, when a description rejects the section that named it.
#![expect(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod pair;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use oxirtc_dtls as dtls;
use oxirtc_netsim::{End, Link, epoch, ms};
use oxirtc_peerconnection::{
    Certificate, Configuration, DataChannelInit, DataChannelState, DtlsTransportState,
    KeyAlgorithm, MediaKind, Message, OfferOptions, SessionDescription,
    engine::{
        Anchor, ChannelEvent, ChannelId, DtlsTransportEvent, DtlsVersion, Engine, Event, Interface,
        Path, Settings, TransceiverId,
    },
};
use pair::{
    Pair, Wired,
    media::{Camera, ONE, TWO},
};

/// ICE leaves a path that is silent within 5 s; then comes a handshake.
const SOON: Duration = Duration::from_secs(9);

/// Sound, pictures and a channel on one transport, of which the sound is stopped by side 0.
struct Call {
    pair: Pair,
    settings: Settings,
    certificate: Certificate,
    /// Side 1 has made the first offer.
    called: bool,
    /// The DTLS roles in the new association are the other ones.
    turned: bool,
    first: [SessionDescription; 2],
    /// The channel at each end.
    channels: [ChannelId; 2],
    pictures: [TransceiverId; 2],
    camera: Camera,
    /// Tasks of side 0 before the sound was stopped.
    before: usize,
}

impl Call {
    fn new(called: bool) -> Self {
        Self::with(called, Settings::default())
    }

    fn with(called: bool, settings: Settings) -> Self {
        let mut call = Self::described(called, settings);
        call.until_open();
        call.flows("before");
        call
    }

    /// The handshake of which side 0 is the server has begun, and does not go on.
    fn half_open(settings: Settings) -> Self {
        let mut call = Self::described(false, settings);
        call.pair.tap = Some(Box::new(|from, datagram| {
            from == End::A || !answers_a_server(datagram)
        }));
        call.pair.run(Duration::from_secs(1));
        assert_eq!(call.dtls_state(), DtlsTransportState::Connecting);
        call
    }

    /// What the sides have agreed on, before anything was sent.
    fn described(called: bool, settings: Settings) -> Self {
        let certificate = Certificate::generate_at(KeyAlgorithm::EcdsaP256, wall(), None).unwrap();
        let configurations = [Configuration::default(), configuration(&certificate)];
        let link = Link::new(1).delay(ms(10));
        let mut pair = Pair::with(5, link, configurations, settings.clone());
        let mut channels = Vec::new();
        for side in 0..2 {
            channels.push(pair.open(side, "test", &negotiated()));
        }
        let offerer = usize::from(called);
        add_tracks(&mut pair.ends[offerer].engine);
        if called {
            add_tracks(&mut pair.ends[0].engine);
        }
        let offer = pair.offer(offerer, &OfferOptions::default()).unwrap();
        let answer = pair.answer(1 - offerer, offer.clone()).unwrap();
        let now = pair.now;
        let engine = &mut pair.ends[offerer].engine;
        engine.set_remote_description(now, answer.clone()).unwrap();
        let pictures =
            [0, 1].map(|side: usize| pair.ends[side].engine.transceivers().nth(1).unwrap().id());
        pair.ends[1].engine.set_delivery(pictures[1], true, false);
        Self {
            before: 0,
            pair,
            settings,
            certificate,
            called,
            turned: false,
            first: [offer, answer],
            channels: [channels[0], channels[1]],
            pictures,
            camera: Camera::default(),
        }
    }

    fn until_open(&mut self) {
        let channels = self.channels;
        self.pair.until(Duration::from_secs(20), |pair| {
            let open =
                |side: usize| pair.ends[side].state(channels[side]) == DataChannelState::Open;
            open(0) && open(1)
        });
    }

    /// Side 0 stops the sound, and the peer agrees.
    fn stop(&mut self) -> SessionDescription {
        self.before = self.pair.ends[0].tasks.len();
        self.stop_first()
    }

    /// The section that stands first is stopped.
    fn stop_first(&mut self) -> SessionDescription {
        let pair = &mut self.pair;
        let first = pair.ends[0].engine.transceivers().next().unwrap().id();
        let now = pair.now;
        pair.ends[0].engine.stop_transceiver(now, first).unwrap();
        let offer = pair.offer(0, &OfferOptions::default()).unwrap();
        let answer = pair.answer(1, offer).unwrap();
        let answer = if self.turned { turned(&answer) } else { answer };
        let engine = &mut pair.ends[0].engine;
        engine.set_remote_description(now, answer).unwrap();
        engine.local_description().unwrap()
    }

    /// Another engine with the same certificate and credentials takes the place of side 1, as if it had made another transport.
    fn begin_anew(&mut self, offer: SessionDescription) {
        let pair = &mut self.pair;
        let now = pair.now;
        let anchor = Anchor {
            instant: epoch(),
            wall: wall(),
        };
        let mut seed = [2; 32];
        seed[..8].copy_from_slice(&5_u64.to_be_bytes());
        let configuration = configuration(&self.certificate);
        let mut engine = Engine::new(configuration, self.settings.clone(), seed, anchor).unwrap();
        let interface = Interface {
            name: "eth0".into(),
            index: 2,
            address: pair.ends[1].address,
            default_route: true,
            cost: 0,
        };
        engine.handle_interfaces(now, &[interface]);
        let channel = engine.create_data_channel(now, "test", &negotiated());
        let [mut first, mut answer] = self.first.clone();
        if self.turned && self.called {
            answer = turned(&answer);
        } else if self.turned {
            first.sdp = first.sdp.replace("a=setup:actpass", "a=setup:active");
        }
        if self.called {
            add_tracks(&mut engine);
            engine.set_local_description(now, None).unwrap();
            let own = engine.local_description().unwrap();
            assert_eq!(ufrag(&own), ufrag(&first), "the same credentials");
            engine.set_remote_description(now, answer).unwrap();
        } else {
            engine.set_remote_description(now, first).unwrap();
            engine.set_local_description(now, None).unwrap();
            let own = engine.local_description().unwrap();
            let [_, answer] = &self.first;
            assert_eq!(ufrag(&own), ufrag(answer), "the same credentials");
        }
        engine.set_remote_description(now, offer).unwrap();
        engine.set_local_description(now, None).unwrap();
        let pictures = engine.transceivers().next().unwrap().id();
        engine.set_delivery(pictures, true, false);
        self.channels[1] = channel.unwrap();
        self.pictures[1] = pictures;
        pair.ends[1].engine = engine;
    }

    /// The peer says that its old transport ends, or is not heard.
    fn end_old(&mut self, heard: bool) {
        if heard {
            let now = self.pair.now;
            self.pair.ends[1].engine.close(now);
            self.pair.run(ms(50));
        }
    }

    /// Pictures and messages come through.
    fn flows(&mut self, text: &str) {
        let [here, there] = self.channels;
        self.pair.send(0, here, text);
        self.pair.send(1, there, text);
        let whole = self.camera.film(&mut self.pair, self.pictures, 10);
        assert!(whole >= 8, "{whole} of 10 pictures");
        for (side, channel) in self.channels.into_iter().enumerate() {
            let expected = Message::from(text);
            let came = self.pair.ends[side].messages(channel);
            assert!(came.contains(&&expected), "{side}: {came:?}");
        }
    }

    /// RFC 8832 §6: who opens channels with which ids is settled by the roles in the new association.
    fn opens_at_both_ends(&mut self) {
        let known = [0, 1].map(|side: usize| self.pair.ends[side].channels.len());
        for side in 0..2 {
            self.pair.open(side, "more", &DataChannelInit::default());
        }
        self.pair.run(ms(100));
        for (side, known) in known.into_iter().enumerate() {
            assert_eq!(self.pair.ends[side].channels.len(), known + 1, "{side}");
        }
    }

    /// What side 0 has told since the sound was stopped, of DTLS and of what stands on it.
    fn told(&self) -> Vec<String> {
        let tasks = &self.pair.ends[0].tasks[self.before..];
        let word = |event: &Event| match event {
            Event::DtlsTransport(_, DtlsTransportEvent::StateChange(state)) => {
                Some(format!("{state:?}"))
            }
            Event::SctpTransport(state) => Some(format!("sctp {state:?}")),
            Event::Channel(_, ChannelEvent::Close) => Some("close".to_owned()),
            Event::Channel(_, ChannelEvent::Error(_)) => Some("error".to_owned()),
            Event::PeerClosed => Some("goodbye".to_owned()),
            _ => None,
        };
        tasks.iter().flatten().filter_map(word).collect()
    }

    fn dtls_state(&self) -> DtlsTransportState {
        let engine = &self.pair.ends[0].engine;
        engine.transports().next().unwrap().dtls_state()
    }

    /// Until the flight of side 1 that answers a ServerHello is on its way.
    fn until_answered(&mut self) {
        let answered = Arc::new(Mutex::new(false));
        let seen = answered.clone();
        self.pair.tap = Some(Box::new(move |from, datagram| {
            *seen.lock().unwrap() |= from == End::B && answers_a_server(datagram);
            true
        }));
        let began = self.pair.now;
        while !*answered.lock().unwrap() {
            self.pair.run(ms(1));
            assert!(self.pair.now < began + SOON, "nobody has begun");
        }
        self.pair.tap = None;
    }

    /// Until what the new one of side 1 has proved is there.
    fn until_taken_over(&mut self) {
        let connected = |pair: &Wired| {
            let mut transports = pair.ends[1].engine.transports();
            let state = transports.next().map(|it| it.dtls_state());
            state == Some(DtlsTransportState::Connected)
        };
        self.pair.until(SOON, connected);
        self.pair.run(ms(15));
    }

    /// Whether a datagram of RTCP that side 0 gets is told there.
    fn hears(&mut self, datagram: Vec<u8>) -> bool {
        let told = self.pair.ends[0].tasks.len();
        let path = self.new_path();
        self.pair.deliver(End::A, path, datagram);
        let tasks = &self.pair.ends[0].tasks[told..];
        let heard = |event: &Event| matches!(event, Event::Rtcp(..));
        tasks.iter().flatten().any(heard)
    }

    /// Whether a ClientHello of this stranger brings an answer.
    fn answers(&mut self, number: u8) -> bool {
        let sent = self.pair.ends[0].dtls_sent;
        let (now, path) = (self.pair.now, self.path());
        let mut hello = Vec::new();
        assert!(stranger(number).poll_transmit(now, 1200, &mut hello));
        let engine = &mut self.pair.ends[0].engine;
        engine.handle_datagram(now, path, &mut hello);
        self.pair.run(ms(5));
        self.pair.ends[0].dtls_sent > sent
    }

    /// From the first socket of side 1 to that of side 0.
    fn path(&self) -> Path {
        self.path_from(self.pair.ends[1].sockets[0])
    }

    /// From the last socket of side 1.
    fn new_path(&self) -> Path {
        self.path_from(*self.pair.ends[1].sockets.last().unwrap())
    }

    fn path_from(&self, theirs: SocketAddr) -> Path {
        Path::udp(self.pair.ends[0].sockets[0], theirs)
    }
}

fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn configuration(certificate: &Certificate) -> Configuration {
    let mut configuration = Configuration::default();
    configuration.certificates.push(certificate.clone());
    configuration
}

/// With the other DTLS role.
fn turned(answer: &SessionDescription) -> SessionDescription {
    let (active, passive) = ("a=setup:active", "a=setup:passive");
    let sdp = match answer.sdp.contains(active) {
        true => answer.sdp.replace(active, passive),
        false => answer.sdp.replace(passive, active),
    };
    assert_ne!(sdp, answer.sdp);
    SessionDescription {
        kind: answer.kind,
        sdp,
    }
}

fn negotiated() -> DataChannelInit {
    let (negotiated, id) = (true, Some(0));
    DataChannelInit {
        negotiated,
        id,
        ..DataChannelInit::default()
    }
}

fn add_tracks(engine: &mut Engine) {
    for (kind, track) in [(MediaKind::Audio, TWO), (MediaKind::Video, ONE)] {
        let streams = vec!["stream".to_owned()];
        engine.add_track(kind, track, streams).unwrap();
    }
}

fn ufrag(description: &SessionDescription) -> String {
    let mut lines = description.sdp.lines();
    let line = lines.find(|line| line.starts_with("a=ice-ufrag:"));
    line.unwrap().to_owned()
}

/// Chromium's way: the old association is closed under its keys, and the peer waits for us, or we for the peer. Channels go on.
#[test]
fn the_peer_closes_the_old_one_and_begins_anew() {
    for called in [false, true] {
        let mut call = Call::new(called);
        let offer = call.stop();
        call.end_old(true);
        call.begin_anew(offer);
        call.pair.run(SOON);
        assert_eq!(call.told(), ["Connecting", "Connected"], "called: {called}");
        call.flows("after");
        call.opens_at_both_ends();
        // What was in the old association is none of the new one.
        call.pair.run(Duration::from_secs(60));
        assert_eq!(call.told(), ["Connecting", "Connected"]);
    }
}

/// Who was the client may be the server of the new association: what follows from the role follows from the new one.
#[test]
fn the_roles_may_turn() {
    for called in [false, true] {
        let mut call = Call::new(called);
        call.turned = true;
        let offer = call.stop();
        call.end_old(true);
        call.begin_anew(offer);
        call.pair.run(SOON);
        assert_eq!(call.told(), ["Connecting", "Connected"], "called: {called}");
        call.flows("after");
        call.opens_at_both_ends();
    }
}

/// Its goodbye may be lost: a ClientHello begins another association, and nobody notices.
#[test]
fn a_client_hello_begins_anew() {
    let mut call = Call::new(false);
    let offer = call.stop();
    call.end_old(false);
    call.begin_anew(offer);
    call.pair.run(SOON);
    assert_eq!(call.told(), [""; 0]);
    call.flows("after");
}

/// Without such a description, or long after it, nothing begins anew.
#[test]
fn a_client_hello_changes_nothing_otherwise() {
    for late in [false, true] {
        let mut call = Call::new(false);
        if late {
            call.stop();
            call.pair.run(Duration::from_secs(31));
        }
        assert!(!call.answers(1), "an answer left, late: {late}");
        call.flows("after");
    }
}

/// A client with a certificate of its own.
fn stranger(number: u8) -> dtls::Connection {
    let lifetime = Duration::from_secs(86_400);
    let certificate = dtls::Certificate::generate(dtls::KeyType::EcdsaP256, wall(), lifetime);
    // Less is enough for one datagram.
    let config = dtls::Config::new(certificate.unwrap()).groups(&[dtls::Group::X25519]);
    let mut stranger = dtls::Connection::new(config, [number; 32], epoch());
    stranger.set_role(epoch(), dtls::Role::Client).unwrap();
    stranger.start(epoch());
    stranger
}

/// The peer may begin for half a minute behind each description that gives it reason, and not behind others.
#[test]
fn each_description_gives_its_time() {
    let mut call = Call::new(false);
    call.pair.negotiate(0).unwrap();
    assert!(!call.answers(1), "nothing was rejected");
    call.stop();
    call.pair.run(Duration::from_secs(20));
    call.stop_first();
    call.pair.run(Duration::from_secs(29));
    assert!(call.answers(2), "29 s behind the second");
    call.pair.run(Duration::from_millis(900));
    assert!(call.answers(3), "a moment before its end");
    call.pair.run(Duration::from_secs(1));
    assert!(!call.answers(4), "it is over");
    call.pair.negotiate(0).unwrap();
    assert!(!call.answers(5), "nothing was rejected any more");
}

/// Each ClientHello costs a key agreement, so four are answered, and none that comes again is another.
#[test]
fn few_hellos_are_looked_at() {
    let mut call = Call::new(false);
    call.stop();
    assert!(call.answers(1));
    assert!(!call.answers(1), "the same, before half of its timeout");
    for number in 2..=4 {
        assert!(call.answers(number));
    }
    for number in 5..=8 {
        assert!(!call.answers(number), "{number}");
    }
    let [here, there] = call.channels;
    for (side, channel) in [(0, here), (1, there)] {
        call.pair.send(side, channel, "on");
        call.pair.run(ms(50));
        let came = call.pair.ends[1 - side].messages([there, here][side]);
        assert!(came.contains(&&Message::from("on")), "{came:?}");
    }
}

/// ClientHellos of strangers before the peer's, and in the midst of its handshake, cost datagrams and nothing else.
#[test]
fn hellos_of_strangers_do_not_stop_the_peer() {
    for version in [DtlsVersion::Dtls13, DtlsVersion::Dtls12] {
        for before in [0, 3] {
            let settings = Settings::default().dtls_versions(&[version]);
            let mut call = Call::with(false, settings);
            let offer = call.stop();
            for number in 1..=before {
                assert!(call.answers(number));
            }
            call.end_old(true);
            call.begin_anew(offer);
            if before == 0 {
                call.until_answered();
                assert!(call.answers(7), "{version:?}");
            }
            call.pair.run(SOON);
            assert_eq!(
                call.told(),
                ["Connecting", "Connected"],
                "{version:?}, {before}"
            );
            call.flows("after");
        }
    }
}

/// A client's second flight: in 1.3 under the keys of the handshake, in 1.2 with a certificate in the clear.
fn answers_a_server(datagram: &[u8]) -> bool {
    match datagram {
        [0x2E, ..] => true,
        _ => datagram.first() == Some(&22) && datagram.get(13) == Some(&11),
    }
}

/// Within its time one who stands on the path goes through a whole handshake, and has another certificate: the association that
/// stands carries on, and the peer can still begin anew.
#[test]
fn a_stranger_who_begins_changes_nothing() {
    let mut call = Call::new(false);
    let offer = call.stop();
    let stranger = Arc::new(Mutex::new(stranger(9)));
    let listener = stranger.clone();
    let since = call.pair.now;
    call.pair.tap = Some(Box::new(move |from, datagram| {
        if from == End::A && matches!(datagram.first(), Some(20..=63)) {
            let mut stranger = listener.lock().unwrap();
            stranger.handle_datagram(since, &mut datagram.clone(), &mut |_| {});
        }
        true
    }));
    let mut answered = false;
    for _ in 0..50 {
        let (now, path) = (call.pair.now, call.path());
        let mut datagram = Vec::new();
        while stranger
            .lock()
            .unwrap()
            .poll_transmit(now, 1200, &mut datagram)
        {
            let engine = &mut call.pair.ends[0].engine;
            engine.handle_datagram(now, path, &mut datagram);
            datagram.clear();
        }
        call.pair.run(ms(20));
        answered |= stranger.lock().unwrap().state() == dtls::State::Failed;
    }
    assert!(answered, "the stranger was refused: {stranger:?}");
    assert_eq!(
        (call.told(), call.dtls_state()),
        (vec![], DtlsTransportState::Connected)
    );
    call.flows("meanwhile");
    call.pair.tap = None;
    call.begin_anew(offer);
    call.pair.run(SOON);
    call.flows("after");
}

/// Of the goodbye SCTP's half alone is heard: within the time of the other association channels wait for it, and end when nobody comes;
/// later they end at once.
#[test]
fn an_abort_alone_ends_channels_when_nobody_comes() {
    for late in [false, true] {
        let mut call = Call::new(false);
        call.stop();
        call.pair
            .run(Duration::from_secs(if late { 31 } else { 20 }));
        let mut first = true;
        call.pair.tap = Some(Box::new(move |from, datagram| {
            let of_dtls = from == End::B && matches!(datagram.first(), Some(20..=63));
            !of_dtls || std::mem::take(&mut first)
        }));
        call.end_old(true);
        if late {
            assert_eq!(call.told(), ["sctp Closed", "error", "close", "goodbye"]);
            continue;
        }
        assert_eq!(call.told(), [""; 0]);
        call.pair.run(Duration::from_secs(9));
        assert_eq!(call.told(), [""; 0]);
        call.pair.run(Duration::from_secs(1));
        assert_eq!(call.told(), ["sctp Closed", "close", "goodbye"]);
    }
}

/// One who closes and does not come back has closed.
#[test]
fn nobody_begins_anew() {
    for called in [false, true] {
        let mut call = Call::new(called);
        call.stop();
        call.end_old(true);
        call.pair.run(Duration::from_secs(9));
        assert_eq!(call.told(), ["Connecting"]);
        call.pair.run(Duration::from_secs(2));
        let expected = ["Connecting", "Closed", "sctp Closed", "close", "goodbye"];
        assert_eq!(call.told(), expected);
        assert_eq!(call.dtls_state(), DtlsTransportState::Closed);
    }
}

/// What was on the way is lost with the old association: a reliable channel ends, as it has promised more, another goes on.
#[test]
fn what_was_on_the_way_ends_its_channel() {
    let mut call = Call::new(false);
    let [here, _] = call.channels;
    let unreliable = DataChannelInit {
        id: Some(2),
        max_retransmits: Some(0),
        ..negotiated()
    };
    let fast = [0, 1].map(|side: usize| call.pair.open(side, "fast", &unreliable));
    call.pair.run(ms(100));
    let offer = call.stop();
    call.pair.send(0, here, "on the way");
    call.pair.send(0, fast[0], "as well");
    // It leaves, and is not acknowledged.
    let mut buf = Vec::new();
    let now = call.pair.now;
    while call.pair.ends[0]
        .engine
        .poll_transmit(now, &mut buf)
        .is_some()
    {}
    call.pair.tap = Some(Box::new(|from, datagram| {
        from == End::B || !matches!(datagram.first(), Some(20..=63))
    }));
    call.end_old(true);
    call.pair.tap = None;
    call.begin_anew(offer);
    call.pair.run(SOON);
    let mut told = call.told();
    told.sort();
    assert_eq!(told, ["Connected", "Connecting", "close", "error"]);
    assert_eq!(call.pair.ends[0].state(here), DataChannelState::Closed);
    assert_eq!(call.pair.ends[0].state(fast[0]), DataChannelState::Open);
}

/// Very many channels are carried over one after the other, and one that the application uses meanwhile before its turn: what it lost
/// is known, and what it asks for is done under the new association.
#[test]
fn what_is_used_meanwhile_is_carried_over_first() {
    let mut call = Call::new(false);
    let ids = Vec::from_iter((10..210).map(|id| {
        let init = DataChannelInit {
            id: Some(id),
            ..negotiated()
        };
        call.pair.open(0, "many", &init)
    }));
    call.pair.run(ms(100));
    let offer = call.stop();
    let goodbye = Arc::new(Mutex::new(Vec::new()));
    let kept = goodbye.clone();
    call.pair.tap = Some(Box::new(move |from, datagram| {
        let holds = from == End::B && matches!(datagram.first(), Some(20..=63));
        if holds {
            kept.lock().unwrap().push(datagram.clone());
        }
        !holds
    }));
    let path = call.path();
    call.end_old(true);
    let [closing, lost, closed, goes_on] = [150, 151, 152, 153].map(|at: usize| ids[at]);
    let now = call.pair.now;
    let engine = &mut call.pair.ends[0].engine;
    engine.send(now, lost, &Message::from("lost")).unwrap();
    let mut buf = Vec::new();
    while engine.poll_transmit(now, &mut buf).is_some() {}
    engine.close_channel(now, closing);
    for mut datagram in std::mem::take(&mut *goodbye.lock().unwrap()) {
        engine.handle_datagram(now, path, &mut datagram);
    }
    let state = |engine: &Engine, id| engine.channel(id).unwrap().ready_state();
    assert_eq!(state(engine, ids[0]), DataChannelState::Open);
    assert_eq!(
        state(engine, closing),
        DataChannelState::Closing,
        "its turn is to come"
    );
    assert!(engine.send(now, lost, &Message::from("lost")).is_err());
    assert_eq!(state(engine, lost), DataChannelState::Closed);
    engine
        .send(now, goes_on, &Message::from("goes on"))
        .unwrap();
    engine.close_channel(now, closed);
    while engine.poll_timeout().is_some_and(|at| at <= now) {
        engine.handle_timeout(now);
    }
    assert_eq!(state(engine, closing), DataChannelState::Closed);
    assert_eq!(
        state(engine, closed),
        DataChannelState::Closing,
        "the peer is to know"
    );
    assert_eq!(engine.channel(goes_on).unwrap().unacknowledged(), 7);
    call.pair.tap = None;
    call.begin_anew(offer);
    call.pair.run(SOON);
    assert_eq!(call.pair.ends[0].state(closed), DataChannelState::Closed);
    assert_eq!(call.pair.ends[0].state(ids[199]), DataChannelState::Open);
}

/// The number of a channel that is still to be closed may be used again, as if it had been.
#[test]
fn a_number_is_free_though_its_turn_is_to_come() {
    let mut call = Call::new(false);
    let init = |id| DataChannelInit {
        id: Some(id),
        ..negotiated()
    };
    let ids = Vec::from_iter((10..210).map(|id| call.pair.open(0, "many", &init(id))));
    call.pair.run(ms(100));
    call.stop();
    let now = call.pair.now;
    call.pair.ends[0].engine.close_channel(now, ids[150]);
    let path = call.path();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let goodbye = kept.clone();
    call.pair.tap = Some(Box::new(move |from, datagram| {
        if from == End::B {
            kept.lock().unwrap().push(datagram.clone());
        }
        false
    }));
    call.end_old(true);
    let engine = &mut call.pair.ends[0].engine;
    for mut datagram in std::mem::take(&mut *goodbye.lock().unwrap()) {
        engine.handle_datagram(now, path, &mut datagram);
    }
    assert!(engine.create_data_channel(now, "again", &init(160)).is_ok());
}

/// Reports of the old association that come late are read for two seconds, beside the new keys.
#[test]
fn what_is_late_is_read_under_the_old_keys() {
    let mut call = Call::new(false);
    let transport = call.pair.ends[0].engine.transports().next().unwrap().id();
    call.pair.ends[0].engine.read_rtcp(transport, true);
    let offer = call.stop();
    let late = Arc::new(Mutex::new(Vec::new()));
    let kept = late.clone();
    call.pair.tap = Some(Box::new(move |from, datagram| {
        let of_rtcp = matches!(datagram[..], [128..=191, 192..=223, ..]);
        if from == End::B && of_rtcp {
            kept.lock().unwrap().push(datagram.clone());
        }
        !of_rtcp
    }));
    call.camera.film(&mut call.pair, call.pictures, 60);
    call.begin_anew(offer);
    call.until_taken_over();
    let late = std::mem::take(&mut *late.lock().unwrap());
    assert!(call.hears(late[0].clone()), "it is late, and genuine");
    assert!(!call.hears(late[0].clone()), "it is the same again");
    call.pair.run(ms(2000));
    assert!(!call.hears(late[1].clone()), "it is too late");
    call.pair.tap = None;
    call.flows("after");
}

/// What stands behind the proof and overtakes it is taken with it: the peer's INIT is answered at once.
#[test]
fn what_overtakes_the_proof_is_taken() {
    let mut call = Call::new(false);
    let offer = call.stop();
    call.end_old(true);
    call.begin_anew(offer);
    let proof = Arc::new(Mutex::new((Vec::new(), false)));
    let kept = proof.clone();
    call.pair.tap = Some(Box::new(move |from, datagram| {
        let mut kept = kept.lock().unwrap();
        match (from, datagram[0]) {
            (End::B, 0x2E) => {
                kept.0.push(datagram.clone());
                false
            }
            (End::B, 0x2F) => {
                kept.1 = true;
                true
            }
            _ => true,
        }
    }));
    let began = call.pair.now;
    while !proof.lock().unwrap().1 {
        call.pair.run(ms(1));
        assert!(call.pair.now < began + SOON, "nobody has begun");
    }
    call.pair.run(ms(15));
    // Its own INIT is lost, so that nothing but the answer brings the association up.
    call.pair.tap = Some(Box::new(move |from, datagram| {
        from == End::B || datagram[0] != 0x2F || !(60..100).contains(&datagram.len())
    }));
    let path = call.new_path();
    let proof = std::mem::take(&mut proof.lock().unwrap().0);
    assert_eq!(
        call.pair.ends[1].state(call.channels[1]),
        DataChannelState::Connecting
    );
    for datagram in proof {
        call.pair.deliver(End::A, path, datagram);
    }
    call.pair.run(ms(50));
    assert_eq!(
        call.pair.ends[1].state(call.channels[1]),
        DataChannelState::Open
    );
}

/// An association that fails before the peer has begun another one, or meanwhile, waits for that one; when nobody comes, it has failed.
#[test]
fn one_that_fails_waits_for_another() {
    for comes in [true, false] {
        let mut call = Call::half_open(Settings::default());
        let offer = call.stop();
        let path = call.path();
        // RFC 6347 §4.1: a fatal alert in the clear counts when nothing genuine follows it.
        let alert = [21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
        call.pair.deliver(End::A, path, alert.to_vec());
        call.pair.run(Duration::from_secs(6));
        assert_eq!(call.told(), [""; 0]);
        assert_eq!(call.dtls_state(), DtlsTransportState::Connecting);
        if comes {
            call.begin_anew(offer);
            call.pair.tap = None;
            call.pair.run(SOON);
            assert_eq!(call.told(), ["Connected", "sctp Connected"]);
            call.flows("after");
        } else {
            call.pair.run(Duration::from_secs(10));
            let expected = ["Failed", "sctp Closed", "error", "close"];
            assert_eq!(call.told(), expected);
        }
    }
}

/// One whose handshake stands still when the peer begins another one gives way to that.
#[test]
fn one_that_is_half_open_gives_way() {
    for version in [DtlsVersion::Dtls13, DtlsVersion::Dtls12] {
        let mut call = Call::half_open(Settings::default().dtls_versions(&[version]));
        let offer = call.stop();
        call.begin_anew(offer);
        call.pair.tap = None;
        call.pair.run(SOON);
        assert_eq!(call.told(), ["Connected", "sctp Connected"], "{version:?}");
        call.flows("after");
    }
}
