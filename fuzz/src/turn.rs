//! A client of TURN, and a server that answers anything.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use arbitrary::Arbitrary;
use oxirtc_stun::{
    Attribute, AttributeType, Builder, Class, ErrorCode, IntegrityKey, Message, Method,
    PasswordAlgorithm, TransactionId,
};
use oxirtc_turn::{Client, Config, Credentials, Deframer, Event, Families, Input, Leg};

/// A life of one client.
#[derive(Arbitrary, Debug)]
pub struct Scenario {
    stream: bool,
    families: u8,
    loopback: bool,
    token: bool,
    /// The server has challenged the client and given it an allocation.
    allocated: bool,
    operations: Vec<Operation>,
}

/// What may happen.
#[derive(Arbitrary, Debug)]
enum Operation {
    Wait(u16),
    Permit(u8),
    PermitAll,
    Bind(u8),
    Send(u8, u16, bool),
    Verify,
    Restart,
    Close,
    /// What a server answers that means well, to some of the last requests.
    Honest(u8),
    Answer(u8, Answer),
    Data(u8, u8, u16),
    Bytes(Vec<u8>),
}

/// An answer of any kind to a request of the client.
#[derive(Arbitrary, Debug)]
struct Answer {
    error: Option<u8>,
    key: Key,
    sha256: bool,
    lifetime: Option<u32>,
    relayed: [Option<u8>; 2],
    mapped: Option<u8>,
    alternate: Option<u8>,
    nonce: Option<u8>,
    realm: bool,
    algorithms: bool,
}

/// Whose password an answer is signed with.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Key {
    Nobody,
    Stranger,
    Server,
}

/// A stream of a server, in pieces.
#[derive(Arbitrary, Debug)]
pub struct Stream {
    pieces: Vec<u8>,
    parts: Vec<Part>,
}

/// What stands in a stream.
#[derive(Arbitrary, Debug)]
enum Part {
    /// A STUN message with so many bytes behind its header.
    Message(u8),
    ChannelData(u8, u16),
    Bytes(Vec<u8>),
}

impl Part {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Message(length) => {
                let length = length & !3;
                let header = [1, 1, 0, length, 0x21, 0x12, 0xa4, 0x42];
                [&header[..], &vec![length; 12 + usize::from(length)]].concat()
            }
            Self::ChannelData(channel, length) => {
                let length = length % 600;
                let data = vec![*channel; usize::from(length).next_multiple_of(4)];
                let length = length.to_be_bytes();
                let header = [0x40, *channel, length[0], length[1]];
                [&header[..], &data].concat()
            }
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

impl Scenario {
    /// Performs it.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn play(self) {
        let now = oxirtc_netsim::epoch();
        let leg = [Leg::Datagrams, Leg::Stream][usize::from(self.stream)];
        let families = [Families::Ipv4, Families::Ipv6, Families::Both];
        let families = families[usize::from(self.families) % families.len()];
        let config = Config::new(SERVER, leg, credentials(self.token))
            .families(families)
            .loopback(self.loopback);
        let mut game = Game {
            now,
            client: Client::new(config, [7; 32], now),
            stream: self.stream,
            token: self.token,
            families,
            requests: Vec::new(),
            redirected: 0,
            ended: false,
        };
        game.fetch();
        if self.allocated {
            for _ in 0..2 {
                game.honest(0);
                game.fetch();
            }
            assert!(
                game.client.permit(now, peer(0, families).ip()).is_ok(),
                "no allocation of a server that means well"
            );
            game.fetch();
        }
        for operation in self.operations.into_iter().take(MAX_OPERATIONS) {
            game.perform(operation);
        }
        game.wait(Duration::from_secs(2 * 3600));
        assert!(game.client.is_over() || game.redirected > 0, "no end");
    }
}

impl Stream {
    /// However a stream is cut, the messages are the same, and so is whether it is one.
    ///
    /// # Panics
    /// When they are not.
    pub fn cut(self) {
        let all: Vec<u8> = self.parts.iter().flat_map(Part::bytes).collect();
        let (mut whole, mut bytes) = (Vec::new(), all.clone());
        let mut sink = |message: &mut [u8]| whole.push(message.to_vec());
        let sound = Deframer::new().handle_bytes(&mut bytes, &mut sink);
        let (mut deframer, mut cut) = (Deframer::new(), Vec::new());
        let (mut bytes, mut cut_sound) = (all, true);
        let (mut rest, mut pieces) = (&mut bytes[..], self.pieces.iter().cycle());
        while !rest.is_empty() {
            let length = pieces.next().map_or(rest.len(), |it| usize::from(*it) + 1);
            let (piece, behind) = rest.split_at_mut(length.min(rest.len()));
            let mut sink = |message: &mut [u8]| cut.push(message.to_vec());
            cut_sound = deframer.handle_bytes(piece, &mut sink);
            rest = behind;
        }
        assert_eq!((whole, sound), (cut, cut_sound));
    }
}

struct Game {
    now: Instant,
    client: Client,
    /// The server is at the other end of a stream.
    stream: bool,
    token: bool,
    families: Families,
    /// Requests that were sent, the newest last.
    requests: Vec<Vec<u8>>,
    redirected: usize,
    ended: bool,
}

/// What an answer that nobody signed must not change.
#[derive(Debug, PartialEq)]
struct Shown {
    over: bool,
    server: SocketAddr,
    permitted: Vec<bool>,
    headroom: Vec<usize>,
}

impl Game {
    fn perform(&mut self, operation: Operation) {
        let now = self.now;
        match operation {
            Operation::Wait(time) => self.wait(Duration::from_millis(20 * u64::from(time))),
            Operation::Permit(number) => {
                let _ = self.client.permit(now, peer(number, self.families).ip());
            }
            Operation::PermitAll => {
                for number in 0..=u8::MAX {
                    let _ = self.client.permit(now, peer(number, self.families).ip());
                }
            }
            Operation::Bind(number) => {
                let _ = self.client.bind(now, peer(number, self.families));
            }
            Operation::Send(number, length, roomless) => self.send(number, length.into(), roomless),
            Operation::Verify => self.client.verify(now),
            Operation::Restart => self.client.restart(now),
            Operation::Close => self.client.close(now),
            Operation::Honest(count) => {
                for pick in (0..=count).rev() {
                    self.honest(pick);
                }
                let all = (0..=u8::MAX).map(|it| peer(it, self.families).ip());
                let permitted = all.filter(|ip| self.client.is_permitted(*ip)).count();
                assert!(permitted <= MAX_PERMISSIONS, "permissions without end");
            }
            Operation::Answer(pick, answer) => self.answer(pick, &answer),
            Operation::Data(number, channel, length) => {
                let data = vec![0x80; usize::from(length) % 1200];
                let channel = 0x3fff + u16::from(channel);
                let mut bytes = [channel.to_be_bytes(), (data.len() as u16).to_be_bytes()].concat();
                bytes.extend(&data);
                self.take(&bytes);
                let mut bytes = Vec::new();
                let id = TransactionId::new([number; 12]);
                let mut builder = Builder::new(&mut bytes, Class::Indication, Method::DATA, id);
                builder.add(Attribute::XorPeerAddress(peer(number, self.families)));
                builder.add(Attribute::Data(&data));
                builder.finish().expect("it fits");
                self.take(&bytes);
            }
            Operation::Bytes(bytes) => self.take(&bytes),
        }
        self.fetch();
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut steps = 0;
        while let Some(next) = self.client.poll_timeout().filter(|at| *at <= end) {
            self.now = next.max(self.now);
            self.client.handle_timeout(self.now);
            let next = self.client.poll_timeout();
            assert!(next.is_none_or(|at| at > self.now), "a timer of the past");
            self.fetch();
            steps += 1;
            assert!(steps < MAX_STEPS, "time does not pass");
        }
        self.now = end;
        self.client.handle_timeout(end);
        self.fetch();
    }

    /// Takes what the client sends and tells.
    fn fetch(&mut self) {
        let mut buf = vec![0xee; 3];
        let mut sent = 0;
        while self.client.poll_transmit(self.now, ROOM, &mut buf) {
            assert!(!self.ended, "nothing comes after the end");
            let request = buf.split_off(3);
            assert_eq!(buf, [0xee; 3], "what stood before is untouched");
            assert!(request.len() <= ROOM);
            Message::parse(&request).expect("a request is a message");
            self.requests.push(request);
            sent += 1;
            assert!(sent <= MAX_AT_ONCE, "requests without end");
        }
        let excess = self.requests.len().saturating_sub(MAX_REQUESTS);
        self.requests.drain(..excess);
        let mut told = 0;
        while let Some(event) = self.client.poll_event() {
            assert!(!self.ended, "nothing comes after the end: {event:?}");
            told += 1;
            assert!(told <= MAX_AT_ONCE, "events without end");
            match event {
                Event::Redirected { server, .. } => {
                    self.redirected += 1;
                    assert!(self.redirected <= 3, "a long trail");
                    assert!(server.is_ipv4(), "another family");
                }
                Event::Allocated(relayed) => {
                    let (v4, v6) = (relayed.ipv4.is_some(), relayed.ipv6.is_some());
                    assert!(v4 || v6, "an allocation without an address");
                }
                Event::Failed(_) | Event::Lost | Event::Closed => self.ended = true,
                _ => {}
            }
        }
        if self.ended {
            assert!(self.client.is_over());
            assert_eq!(self.client.poll_timeout(), None, "what is over waits");
        }
    }

    fn send(&mut self, number: u8, length: usize, roomless: bool) {
        let peer = peer(number, self.families);
        let headroom = match roomless {
            true => 0,
            false => self.client.headroom(peer),
        };
        let mut buf = vec![0x80; 1 + headroom + length];
        let whole = buf.len() + self.client.tailroom(peer);
        let permitted = self.may_send(peer);
        if self.client.wrap(&mut buf, 1, peer).is_ok() {
            assert!(permitted, "payload for whom nobody has permitted");
            assert!(buf.len() <= whole && buf[0] == 0x80);
        }
    }

    fn may_send(&self, peer: SocketAddr) -> bool {
        self.client.is_permitted(peer.ip()) || self.client.headroom(peer) == 4
    }

    /// A datagram of the server. Payload is of peers that were permitted.
    fn take(&mut self, bytes: &[u8]) {
        if let Input::Data { peer, range } = self.client.handle_datagram(self.now, bytes) {
            assert!(bytes.get(range).is_some(), "payload lies within");
            assert!(self.may_send(peer), "payload of whom nobody has permitted");
        }
    }

    fn request(&self, pick: u8) -> Option<Vec<u8>> {
        let count = self.requests.len();
        let at = count.checked_sub(1)? - usize::from(pick) % count;
        self.requests.get(at).cloned()
    }

    fn key(&self, sha256: bool) -> IntegrityKey {
        let algorithm = match sha256 {
            true => PasswordAlgorithm::SHA256,
            false => PasswordAlgorithm::MD5,
        };
        match credentials(self.token) {
            Credentials::LongTerm { username, password } => {
                let key = IntegrityKey::long_term(&username, REALM, &password, algorithm);
                key.expect("a key")
            }
            Credentials::Token { mac_key, .. } => IntegrityKey::from_bytes(&mac_key),
        }
    }

    fn honest(&mut self, pick: u8) {
        let Some(request) = self.request(pick) else {
            return;
        };
        let message = Message::parse(&request).expect("a request is a message");
        let signed = is_signed(&message);
        let answer = Answer {
            error: (!signed).then_some(UNAUTHENTICATED),
            key: if signed { Key::Server } else { Key::Nobody },
            sha256: message.contains(AttributeType::MESSAGE_INTEGRITY_SHA256),
            lifetime: Some(message.lifetime().unwrap_or(600)),
            relayed: match self.families {
                Families::Ipv4 => [Some(1), None],
                Families::Ipv6 => [None, Some(0x81)],
                Families::Both => [Some(1), Some(0x81)],
            },
            mapped: Some(1),
            alternate: None,
            nonce: Some(1),
            realm: true,
            algorithms: false,
        };
        self.answer(pick, &answer);
    }

    fn answer(&mut self, pick: u8, answer: &Answer) {
        let Some(request) = self.request(pick) else {
            return;
        };
        let request = Message::parse(&request).expect("a request is a message");
        let code = answer
            .error
            .map(|code| CODES[usize::from(code) % CODES.len()]);
        let class = code.map_or(Class::Success, |_| Class::Error);
        let mut bytes = Vec::new();
        let mut builder = Builder::response(&mut bytes, class, &request);
        if let Some(code) = code {
            builder.add(Attribute::ErrorCode(ErrorCode::new(code, "because")));
        }
        if let Some(lifetime) = answer.lifetime {
            builder.add(Attribute::Lifetime(lifetime));
        }
        if let Some(number) = answer.mapped {
            builder.add(Attribute::XorMappedAddress(address(number)));
        }
        for number in answer.relayed.into_iter().flatten() {
            builder.add(Attribute::XorRelayedAddress(address(number)));
        }
        if let Some(number) = answer.alternate {
            builder.add(Attribute::AlternateServer(address(number)));
        }
        let nonce = answer.nonce.map(|number| [b'n', number]);
        if let Some(nonce) = &nonce {
            builder.add(Attribute::Nonce(nonce));
        }
        if answer.realm {
            builder.add(Attribute::Realm(REALM));
        }
        if answer.algorithms {
            builder.password_algorithms(&[PasswordAlgorithm::MD5, PasswordAlgorithm::SHA256]);
        }
        let key = match answer.key {
            Key::Nobody => None,
            Key::Stranger => Some(IntegrityKey::from_bytes(b"nobody's")),
            Key::Server => Some(self.key(answer.sha256)),
        };
        match (key, answer.sha256) {
            (Some(key), true) => drop(builder.message_integrity_sha256(&key)),
            (Some(key), false) => drop(builder.message_integrity(&key)),
            (None, _) => {}
        }
        if builder.finish().is_err() {
            return;
        }
        // RFC 8489 §9.2.5: these two come from who could not check who asks. A refusal without a signature counts
        // where there is nothing yet that it could destroy.
        let challenges = matches!(code, Some(401 | 438));
        let first =
            request.method() == Method::ALLOCATE && code.is_some() && answer.key == Key::Nobody;
        let forged = answer.key != Key::Server && !challenges && !first;
        let before = self.shown();
        self.take(&bytes);
        if forged && is_signed(&request) {
            let told = self.client.poll_event();
            // RFC 8489 §9.1.4: over a stream nothing else will come, so that the request ends without an answer.
            let unanswered = matches!(
                told,
                Some(Event::PermissionRefused(_, None) | Event::Failed(_) | Event::Closed)
            );
            assert!(
                told.is_none() || self.stream && unanswered,
                "a forged answer counts: {told:?}"
            );
            self.ended |= matches!(told, Some(Event::Failed(_) | Event::Closed));
            if !self.ended {
                assert_eq!(self.shown(), before, "a forged answer counts");
            }
        }
    }

    fn shown(&self) -> Shown {
        let peers: Vec<_> = (0..32).map(|it| peer(it, self.families)).collect();
        let permitted = peers.iter().map(|it| self.client.is_permitted(it.ip()));
        Shown {
            over: self.client.is_over(),
            server: self.client.server(),
            permitted: permitted.collect(),
            headroom: peers.iter().map(|it| self.client.headroom(*it)).collect(),
        }
    }
}

fn is_signed(message: &Message<'_>) -> bool {
    message.contains(AttributeType::MESSAGE_INTEGRITY)
        || message.contains(AttributeType::MESSAGE_INTEGRITY_SHA256)
}

fn credentials(token: bool) -> Credentials {
    match token {
        true => Credentials::Token {
            key_id: "key".into(),
            mac_key: b"the key of a session".to_vec().into(),
            access_token: vec![9; 90],
        },
        false => Credentials::LongTerm {
            username: "alice".into(),
            password: String::from("secret").into(),
        },
    }
}

/// One of 256 peers, of a family that is relayed.
fn peer(number: u8, families: Families) -> SocketAddr {
    let six = match families {
        Families::Ipv4 => false,
        Families::Ipv6 => true,
        Families::Both => number % 2 == 1,
    };
    let ip = match six {
        false => IpAddr::from(Ipv4Addr::new(198, 51, 100, number)),
        true => Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, number.into()).into(),
    };
    SocketAddr::new(ip, 5000)
}

/// What a server may name: public, on loopback, everywhere and nowhere, of both families.
fn address(number: u8) -> SocketAddr {
    let ip = match number {
        0x80.. => match number % 8 {
            0 => Ipv6Addr::LOCALHOST.into(),
            1.. => IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, number.into())),
        },
        _ => match number % 8 {
            0 => Ipv4Addr::LOCALHOST.into(),
            7 => Ipv4Addr::UNSPECIFIED.into(),
            _ => Ipv4Addr::new(203, 0, 113, number).into(),
        },
    };
    SocketAddr::new(ip, 49_152 + u16::from(number))
}

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 3478);
const REALM: &str = "example.org";
const ROOM: usize = 1200;
const MAX_OPERATIONS: usize = 150;
/// Codes of servers (RFC 8656 §19), and some that are none.
const CODES: [u16; 16] = [
    401, 438, 300, 400, 403, 420, 437, 440, 441, 442, 443, 446, 486, 500, 508, 699,
];
/// The place of 401.
const UNAUTHENTICATED: u8 = 0;
const MAX_PERMISSIONS: usize = 128;
/// Requests that an answer may be made to.
const MAX_REQUESTS: usize = 256;
/// A permission and a channel for each of 128 peers, and a few.
const MAX_AT_ONCE: usize = 300;
const MAX_STEPS: usize = 100_000;
