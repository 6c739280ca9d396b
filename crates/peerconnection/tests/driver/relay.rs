//! STUN and TURN servers, on sockets of this machine.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, Endpoint, ErrorKind, Event, IceCandidate, IceCandidateType,
    IceServer, IceServerTransportProtocol, IceTransportPolicy, Message, OAuthCredential,
    PeerConnection, engine::Settings, stats::StatsObject,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    authority::Authority,
    call_flow,
    pair::{Pair, within},
    server::{Out, Server, ip},
};

type Writer = Arc<tokio::sync::Mutex<Box<dyn AsyncWrite + Send + Unpin>>>;

/// The small server behind a UDP and a TCP port, and one with TLS when it has a certificate.
struct Running {
    address: SocketAddr,
    server: Arc<Mutex<Server>>,
    socket: Arc<UdpSocket>,
    /// That of TLS.
    secure: Option<SocketAddr>,
    streams: Mutex<HashMap<SocketAddr, Writer>>,
    relays: Mutex<HashMap<SocketAddr, Arc<UdpSocket>>>,
    /// That of the next allocation.
    spare: tokio::sync::Mutex<Arc<UdpSocket>>,
}

async fn loopback() -> Arc<UdpSocket> {
    Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap())
}

#[expect(
    clippy::disallowed_methods,
    reason = "this server runs on the system's clock"
)]
fn now() -> Instant {
    Instant::now()
}

impl Running {
    async fn start(change: impl FnOnce(&mut Server)) -> Arc<Self> {
        Self::start_with(change, None).await
    }

    async fn start_with(change: impl FnOnce(&mut Server), tls: Option<TlsAcceptor>) -> Arc<Self> {
        // A TCP port that UDP has free as well.
        let (listener, socket) = loop {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()).await {
                break (listener, Arc::new(socket));
            }
        };
        let mut server = Server::new();
        server.relay[0] = ip("127.0.0.1");
        server.knows_both = false;
        server.lacks_ipv6 = true;
        change(&mut server);
        let secure = match tls {
            Some(tls) => Some((TcpListener::bind("127.0.0.1:0").await.unwrap(), tls)),
            None => None,
        };
        let listening = secure.as_ref();
        let running = Arc::new(Self {
            address: socket.local_addr().unwrap(),
            secure: listening.map(|(listener, _)| listener.local_addr().unwrap()),
            server: Arc::new(Mutex::new(server)),
            socket,
            streams: Mutex::default(),
            relays: Mutex::default(),
            spare: tokio::sync::Mutex::new(loopback().await),
        });
        tokio::spawn(running.clone().serve());
        tokio::spawn(running.clone().accept(listener));
        if let Some((listener, tls)) = secure {
            tokio::spawn(running.clone().accept_tls(listener, tls));
        }
        running
    }

    async fn serve(self: Arc<Self>) {
        let mut buffer = vec![0; 65_536];
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer).await {
            self.clone().handle(from, &buffer[..length]).await;
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, from)) = listener.accept().await {
            tokio::spawn(self.clone().serve_stream(stream, from));
        }
    }

    async fn accept_tls(self: Arc<Self>, listener: TcpListener, tls: TlsAcceptor) {
        while let Ok((stream, from)) = listener.accept().await {
            let (running, tls) = (self.clone(), tls.clone());
            tokio::spawn(async move {
                // Who does not like the certificate goes.
                if let Ok(stream) = tls.accept(stream).await {
                    running.serve_stream(stream, from).await;
                }
            });
        }
    }

    async fn serve_stream(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        from: SocketAddr,
    ) {
        let (mut reader, writer) = tokio::io::split(stream);
        let writer: Writer = Arc::new(tokio::sync::Mutex::new(Box::new(writer)));
        self.streams.lock().unwrap().insert(from, writer);
        loop {
            let mut message = vec![0; 4];
            if reader.read_exact(&mut message).await.is_err() {
                return;
            }
            let length = usize::from(u16::from_be_bytes([message[2], message[3]]));
            let rest = match message[0] {
                0..=3 => length + 16,
                _ => length.next_multiple_of(4),
            };
            message.resize(4 + rest, 0);
            reader.read_exact(&mut message[4..]).await.unwrap();
            self.clone().handle(from, &message).await;
        }
    }

    async fn handle(self: Arc<Self>, from: SocketAddr, bytes: &[u8]) {
        let mut spare = self.spare.lock().await;
        let (outs, relayed) = {
            let mut server = self.server.lock().unwrap();
            server.next_port = spare.local_addr().unwrap().port() - 1;
            let outs = server.handle(now(), from, bytes);
            let relayed = server.allocations.get(&from).map(|it| it.relayed[0]);
            (outs, relayed)
        };
        if let Some(relayed) = relayed.filter(|it| *it == spare.local_addr().unwrap()) {
            let socket = std::mem::replace(&mut *spare, loopback().await);
            self.relays.lock().unwrap().insert(relayed, socket.clone());
            tokio::spawn(self.clone().relay(socket, from));
        }
        drop(spare);
        for out in outs {
            match out {
                Out::Client(answer) => self.answer(from, answer).await,
                Out::Peer(peer, data) => {
                    let socket = self.relays.lock().unwrap().get(&relayed.unwrap()).cloned();
                    let _ = socket.unwrap().send_to(&data, peer).await;
                }
            }
        }
    }

    async fn answer(&self, to: SocketAddr, mut bytes: Vec<u8>) {
        let stream = self.streams.lock().unwrap().get(&to).cloned();
        if let Some(stream) = stream {
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            let mut stream = stream.lock().await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.flush().await;
        } else {
            let _ = self.socket.send_to(&bytes, to).await;
        }
    }

    /// What comes to a relayed address.
    async fn relay(self: Arc<Self>, socket: Arc<UdpSocket>, client: SocketAddr) {
        let mut buffer = vec![0; 65_536];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let passed = {
                let server = self.server.lock().unwrap();
                server.pass_on(now(), client, peer, &buffer[..length])
            };
            if let Some(bytes) = passed {
                self.answer(client, bytes).await;
            }
        }
    }

    fn turn(&self, query: &str) -> IceServer {
        IceServer::with_credential(format!("turn:{}{query}", self.address), "alice", "secret")
    }

    fn turns(&self, host: &str) -> IceServer {
        let port = self.secure.unwrap().port();
        IceServer::with_credential(format!("turns:{host}:{port}"), "alice", "secret")
    }

    fn allocations(&self) -> usize {
        self.server.lock().unwrap().allocations.len()
    }
}

fn settings() -> Settings {
    Settings::default().loopback(true)
}

fn relay_only(server: IceServer) -> Configuration {
    Configuration {
        ice_servers: vec![server],
        ice_transport_policy: IceTransportPolicy::Relay,
        ..Configuration::default()
    }
}

/// Its candidates and errors, until it has told them all.
pub(super) async fn gather(connection: &PeerConnection) -> (Vec<IceCandidate>, Vec<(u16, String)>) {
    let (mut candidates, mut errors) = (Vec::new(), Vec::new());
    let _channel = connection
        .create_data_channel("a", DataChannelInit::default())
        .unwrap();
    connection.set_local_description(None).await.unwrap();
    loop {
        match within(connection.next_event()).await.unwrap() {
            Event::IceCandidate(None) => return (candidates, errors),
            Event::IceCandidate(Some(it)) if !it.candidate().is_empty() => candidates.push(it),
            Event::IceCandidateError(error) => {
                let is_it = |it: &IceCandidate| it.address() == error.address;
                assert!(error.address.is_none() || candidates.iter().any(is_it));
                errors.push((error.error_code, error.url));
            }
            _ => {}
        }
    }
}

/// Much data both ways.
async fn exchange(pair: &Pair) {
    let chunk = vec![7; 16 << 10];
    let (sender, receiver) = (&pair.near_channel, &pair.far_channel);
    let sending = async {
        for _ in 0..32 {
            sender.send(&chunk[..]).await.unwrap();
        }
    };
    let receiving = async {
        for _ in 0..32 {
            match within(receiver.recv()).await.unwrap() {
                Message::Binary(bytes) => assert_eq!(bytes.len(), chunk.len()),
                Message::Text(_) => panic!("text"),
            }
        }
        receiver.send("back").await.unwrap();
    };
    tokio::join!(sending, receiving);
    let back = within(sender.recv()).await.unwrap();
    assert!(matches!(back, Message::Text(text) if &text[..] == "back"));
}

/// [4.8.1-07] What lies between us and the relay is told of relayed candidates.
#[tokio::test]
async fn peers_with_relays_alone_exchange_data() {
    let authority = Authority::new();
    for relay in [
        IceServerTransportProtocol::Udp,
        IceServerTransportProtocol::Tcp,
        IceServerTransportProtocol::Tls,
    ] {
        let tls = authority.acceptor("127.0.0.1");
        let server = Running::start_with(|_| {}, Some(tls)).await;
        let configuration = || match relay {
            IceServerTransportProtocol::Udp => relay_only(server.turn("")),
            IceServerTransportProtocol::Tcp => relay_only(server.turn("?transport=tcp")),
            IceServerTransportProtocol::Tls => relay_only(server.turns("127.0.0.1")),
        };
        let connection = || {
            let settings = settings().tls_roots([authority.certificate()]);
            PeerConnection::with_settings(configuration(), settings).unwrap()
        };
        let pair = Pair::connect(connection(), connection(), DataChannelInit::default()).await;
        exchange(&pair).await;
        let told = pair.near.local_description().unwrap();
        assert!(
            told.sdp.contains("typ relay raddr 0.0.0.0 rport 0"),
            "{}",
            told.sdp
        );
        assert!(!told.sdp.contains("typ host") && !told.sdp.contains("typ srflx"));
        let transport = pair
            .near
            .sctp()
            .unwrap()
            .transport()
            .unwrap()
            .ice_transport();
        let local = transport.local_candidates();
        assert_eq!(local[0].relay_protocol(), Some(relay));
        let report = pair.near.get_stats(None).await.unwrap();
        let shown = report.iter().filter_map(|it| match it {
            StatsObject::LocalCandidate(it) => Some(it),
            _ => None,
        });
        // Statistics say no more of this machine than descriptions.
        for shown in shown.clone() {
            let related = (shown.related_address.as_deref(), shown.related_port);
            assert_eq!(related, (Some("0.0.0.0"), Some(0)), "{shown:?}");
        }
        let mut relayed = shown.filter_map(|it| Some((it.relay_protocol?, it.url.clone()?)));
        let (protocol, url) = relayed.next().unwrap();
        assert_eq!(format!("{protocol:?}"), format!("{relay:?}"));
        assert_eq!(Some(&url[..]), local[0].url());
        assert_eq!(server.allocations(), 2);
        pair.near.close();
        pair.far.close();
        // What was lent is given back.
        let gone = async {
            while server.allocations() > 0 {
                tokio::task::yield_now().await;
            }
        };
        within(gone).await;
    }
}

/// [9.3.1-03] The call flow of chapter 10: a provisional answer over relays alone, the final one, and the direct way after it.
#[tokio::test]
async fn a_call_rings_over_relays_and_goes_direct() {
    let server = Running::start(|_| {}).await;
    within(call_flow::flow(Some(server.turn(""))))
        .await
        .unwrap();
    // Without a relay it rings directly.
    within(call_flow::flow(None)).await.unwrap();
}

/// The socket of an allocation is never the shared one.
#[tokio::test]
async fn a_shared_port_has_relays_beside_it() {
    let server = Running::start(|_| {}).await;
    let endpoint = Endpoint::bind("127.0.0.1:0").unwrap();
    let connection = || {
        endpoint
            .peer_connection(relay_only(server.turn("")))
            .unwrap()
    };
    let pair = Pair::connect(connection(), connection(), DataChannelInit::default()).await;
    exchange(&pair).await;
    let clients = server.server.lock().unwrap();
    let clients: Vec<_> = clients.allocations.keys().copied().collect();
    assert!(!clients.contains(&endpoint.local_address().unwrap()));
    assert_eq!(clients.len(), 2);
}

/// [4.8.1-07] [4.8.2-02] A candidate that a server has shown has its URL, others have none.
#[tokio::test]
async fn a_mapping_is_told() {
    let server = Running::start(|server| {
        server.sees.insert(ip("127.0.0.1"), ip("203.0.113.9"));
    })
    .await;
    let url = format!("stun:{}", server.address);
    let configuration = || Configuration {
        ice_servers: vec![IceServer::new(&url)],
        ..Configuration::default()
    };
    let endpoint = Endpoint::bind("127.0.0.1:0").unwrap();
    for connection in [
        PeerConnection::with_settings(configuration(), settings()).unwrap(),
        endpoint.peer_connection(configuration()).unwrap(),
    ] {
        let (candidates, errors) = gather(&connection).await;
        let mapped = candidates
            .iter()
            .find(|it| it.kind() == Some(IceCandidateType::Srflx));
        let mapped = mapped.unwrap();
        assert_eq!(mapped.address().as_deref(), Some("203.0.113.9"));
        assert_eq!(mapped.related_address().as_deref(), Some("127.0.0.1"));
        assert_eq!(mapped.url(), Some(&url[..]));
        assert_eq!(mapped.relay_protocol(), None);
        let report = connection.get_stats(None).await.unwrap();
        let shown = report.iter().find_map(|it| match it {
            StatsObject::LocalCandidate(it) => it.related_port.map(|_| it),
            _ => None,
        });
        let shown = shown.unwrap();
        assert_eq!(shown.address.as_deref(), Some("203.0.113.9"));
        assert_eq!(
            (shown.port, shown.related_port),
            (mapped.port(), mapped.related_port())
        );
        assert_eq!(shown.related_address.as_deref(), Some("127.0.0.1"));
        assert_eq!(
            (shown.url.as_deref(), shown.relay_protocol),
            (Some(&url[..]), None)
        );
        let of_host = |it: &&IceCandidate| it.kind() == Some(IceCandidateType::Host);
        assert!(
            candidates
                .iter()
                .filter(of_host)
                .all(|it| it.url().is_none())
        );
        assert_eq!(errors, []);
    }
}

/// Agents of a pool gather on the port that all share: what servers answer reaches each of them, all is told in the task of the
/// description, and what the pool has left over takes nothing along when it goes.
#[tokio::test]
async fn a_pool_gathers_on_a_shared_port() {
    let server = Running::start(|server| {
        server.sees.insert(ip("127.0.0.1"), ip("203.0.113.9"));
    })
    .await;
    let configuration = || Configuration {
        ice_servers: vec![IceServer::new(format!("stun:{}", server.address))],
        ice_candidate_pool_size: 3,
        ..Configuration::default()
    };
    let endpoint = Endpoint::bind("127.0.0.1:0").unwrap();
    let port = endpoint.local_address().unwrap().port();
    let pooled = [(); 2].map(|()| endpoint.peer_connection(configuration()).unwrap());
    let asked = || server.server.lock().unwrap().requests.len();
    let pause = |time| tokio::time::sleep(Duration::from_millis(time));
    within(async {
        // Each agent of both.
        while asked() < 6 {
            pause(20).await;
        }
    })
    .await;
    pause(500).await;
    for connection in &pooled {
        let _channel = connection
            .create_data_channel("a", DataChannelInit::default())
            .unwrap();
        connection.set_local_description(None).await.unwrap();
        let sdp = connection.local_description().unwrap().sdp;
        for told in [
            format!(" 127.0.0.1 {port} typ host"),
            format!(" 203.0.113.9 {port} typ srflx"),
            "a=end-of-candidates".to_owned(),
        ] {
            assert!(sdp.contains(&told), "{told}: {sdp}");
        }
    }
    drop(pooled);
    let connection = || endpoint.peer_connection(configuration()).unwrap();
    let client = PeerConnection::with_settings(Configuration::default(), settings()).unwrap();
    let first = Pair::connect(client, connection(), DataChannelInit::default()).await;
    let client = PeerConnection::with_settings(Configuration::default(), settings()).unwrap();
    let second = Pair::connect(connection(), client, DataChannelInit::default()).await;
    exchange(&first).await;
    exchange(&second).await;
}

/// [4.8.3-01] [4.8.3-02] No address of ours is told that no candidate shows.
#[tokio::test]
async fn what_servers_refuse_is_told() {
    let server = Running::start(|server| server.password = "other".into()).await;
    let connection =
        |server: IceServer| PeerConnection::with_settings(relay_only(server), settings()).unwrap();
    let url = format!("turn:{}", server.address);
    let (candidates, errors) = gather(&connection(server.turn(""))).await;
    assert_eq!(errors, [(401, url)]);
    assert!(candidates.is_empty());
    // Neither is the name of a machine on the link, nor of one elsewhere.
    for url in ["turn:a.relay.local", "turn:nothing.invalid"] {
        let server = IceServer::with_credential(url, "alice", "secret");
        let (_, errors) = gather(&connection(server)).await;
        assert_eq!(errors, [(701, url.to_owned())]);
    }
    // Nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("turn:{free}?transport=tcp");
    let server = IceServer::with_credential(&url, "alice", "secret");
    let (_, errors) = gather(&connection(server)).await;
    assert_eq!(errors, [(701, url)]);
}

/// [4.2.2-01] [4.2.3-01] [4.2.3-02] A token of an authorization server opens it; a newer one counts from the next restart on.
#[tokio::test]
async fn a_token_opens_a_relay() {
    let keys = [vec![1; 20], vec![2; 20]];
    let server = Running::start(|server| server.mac_key = Some(keys[0].clone())).await;
    let url = format!("turn:{}", server.address);
    let configuration = |id: &str, key: &[u8]| {
        let credential = OAuthCredential {
            mac_key: STANDARD.encode(key),
            access_token: STANDARD.encode([7; 90]),
        };
        relay_only(IceServer::with_credential(&url, id, credential))
    };
    let first = configuration("key 1", &keys[0]);
    let connection = PeerConnection::with_settings(first, settings()).unwrap();
    let (candidates, errors) = gather(&connection).await;
    assert_eq!((candidates.len(), errors), (1, vec![]));
    server.server.lock().unwrap().mac_key = Some(keys[1].clone());
    connection
        .set_configuration(configuration("key 2", &keys[1]))
        .unwrap();
    connection.restart_ice();
    let (candidates, errors) = gather(&connection).await;
    assert_eq!((candidates.len(), errors), (1, vec![]));
    let server = server.server.lock().unwrap();
    let names = server.usernames.iter().flatten();
    let of = |id: &str| names.clone().filter(|it| *it == id).count();
    assert!(of("key 1") > 0 && of("key 2") > 0);
}

/// A server over TLS is asked nothing before it has proved the name of its URL to somebody whom we trust.
#[tokio::test]
async fn a_server_that_proves_nothing_is_not_asked() {
    let (trusted, other) = (Authority::new(), Authority::new());
    let ours = || settings().tls_roots([trusted.certificate()]);
    for (tls, settings, host) in [
        // Of an authority that is not ours, whichever those are.
        (other.acceptor("127.0.0.1"), ours(), "127.0.0.1"),
        (trusted.acceptor("127.0.0.1"), settings(), "127.0.0.1"),
        // Of another name.
        (trusted.acceptor("127.0.0.2"), ours(), "127.0.0.1"),
        (trusted.acceptor("127.0.0.1"), ours(), "localhost"),
    ] {
        let server = Running::start_with(|_| {}, Some(tls)).await;
        let wanted = server.turns(host);
        let url = wanted.urls[0].clone();
        let connection = PeerConnection::with_settings(relay_only(wanted), settings.ipv6(false));
        let (candidates, errors) = gather(&connection.unwrap()).await;
        assert_eq!(errors, [(701, url)]);
        assert!(candidates.is_empty());
        assert!(server.server.lock().unwrap().requests.is_empty());
    }
    // A name, as most have.
    let server = Running::start_with(|_| {}, Some(trusted.acceptor("localhost"))).await;
    let configuration = relay_only(server.turns("localhost"));
    let connection = PeerConnection::with_settings(configuration, ours().ipv6(false)).unwrap();
    let (candidates, errors) = gather(&connection).await;
    assert_eq!((candidates.len(), errors), (1, vec![]));
}

#[tokio::test]
async fn a_root_that_is_none_is_refused() {
    let settings = settings().tls_roots([vec![1, 2, 3]]);
    let refused = PeerConnection::with_settings(Configuration::default(), settings);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Syntax);
}
