//! The shim for BoringSSL's runner, against a small runner that speaks its protocol.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: they may panic, and start from a real instant"
)]

#[path = "../examples/bogo_shim/shim/mod.rs"]
mod shim;
mod support;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use oxirtc_dtls::{Config, Connection, Event, Group, KeyType, Peer, Role, Version};
use support::{VERSIONS, certificate};

/// A runner with one shim, and with a connection that the shim talks to.
struct Runner {
    stream: TcpStream,
    shim: JoinHandle<u8>,
    connection: Connection,
    events: Vec<Event>,
    received: Vec<Vec<u8>>,
    now: Instant,
    /// The largest datagram of the shim.
    largest: usize,
}

enum Heard {
    Datagram(Vec<u8>),
    TimeoutAck,
    End,
}

impl Runner {
    fn start(role: Role, version: Version, flags: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let number = version.id().to_string();
        let mut arguments = vec!["-port", &port, "-shim-id", "72623859790382856", "-dtls"];
        arguments.extend(["-max-version", &number, "-min-version", &number]);
        if role == Role::Client {
            arguments.push("-server");
        }
        arguments.extend(flags);
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let shim = std::thread::spawn(move || shim::run(arguments.into_iter()));
        let (mut stream, _) = listener.accept().unwrap();
        let mut id = [0; 8];
        stream.read_exact(&mut id).unwrap();
        assert_eq!(id, [8, 7, 6, 5, 4, 3, 2, 1], "little-endian");
        let now = Instant::now();
        let config = Config::new(certificate(KeyType::EcdsaP256, 0))
            .peer(Peer::Nobody)
            .versions(&[version])
            .alpn(&[])
            .groups(&[Group::X25519]);
        let mut connection = Connection::new(config, [3; 32], now);
        connection.set_role(now, role).unwrap();
        connection.start(now);
        Self {
            stream,
            shim,
            connection,
            events: Vec::new(),
            received: Vec::new(),
            now,
            largest: 0,
        }
    }

    fn say(&mut self, code: u8, body: &[u8]) {
        let framed = [&[code], body].concat();
        self.stream.write_all(&framed).unwrap();
    }

    fn datagram(&mut self, datagram: &[u8]) {
        let length = (datagram.len() as u32).to_be_bytes();
        self.say(b'P', &[&length, datagram].concat());
    }

    fn hear(&mut self) -> Heard {
        let mut code = [0];
        match self.stream.read(&mut code).unwrap() {
            0 => return Heard::End,
            _ if code == *b"t" => return Heard::TimeoutAck,
            _ => assert_eq!(code, *b"P"),
        }
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut datagram = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut datagram).unwrap();
        self.largest = self.largest.max(datagram.len());
        Heard::Datagram(datagram)
    }

    /// Until the connection is, or the shim has gone.
    fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let mut buf = Vec::new();
            while self.connection.poll_transmit(self.now, 1200, &mut buf) {
                self.datagram(&buf);
                buf.clear();
            }
            if done(self) {
                return;
            }
            match self.hear() {
                Heard::Datagram(mut datagram) => {
                    let received = &mut self.received;
                    let mut sink = |payload: &mut [u8]| received.push(payload.to_vec());
                    let connection = &mut self.connection;
                    connection.handle_datagram(self.now, &mut datagram, &mut sink);
                }
                Heard::TimeoutAck => panic!("nobody asked"),
                Heard::End => return,
            }
            while let Some(event) = self.connection.poll_event() {
                self.events.push(event);
            }
        }
    }

    fn send(&mut self, payload: &[u8]) {
        let mut record = vec![0; self.connection.headroom()];
        record.extend(payload);
        self.connection.seal(&mut record, 0).unwrap();
        self.datagram(&record);
    }

    /// Closes in good order, and gives what the shim ends with.
    fn end(mut self) -> u8 {
        self.connection.close(self.now);
        self.run_until(|_| false);
        self.leave()
    }

    /// Hangs up, and gives what the shim ends with.
    fn leave(self) -> u8 {
        drop(self.stream);
        self.shim.join().unwrap()
    }
}

#[test]
fn it_connects_and_echoes_every_byte_inverted() {
    for version in VERSIONS {
        for role in [Role::Client, Role::Server] {
            let mut runner = Runner::start(role, version, &["-expect-curve-id", "29"]);
            runner.run_until(|it| it.events.contains(&Event::Connected));
            runner.send(b"\x00\x01payload");
            runner.run_until(|it| !it.received.is_empty());
            let inverted: Vec<u8> = b"\x00\x01payload".iter().map(|byte| !byte).collect();
            assert_eq!(runner.received, [inverted], "{version} {role:?}");
            assert_eq!(runner.end(), 0, "{version} {role:?}");
        }
    }
}

/// `T` moves its clock: it says `t`, and behind that what it had said once more.
#[test]
fn a_timeout_brings_its_flight_again() {
    for version in VERSIONS {
        let mut runner = Runner::start(Role::Server, version, &[]);
        let count = match version {
            Version::Dtls12 => 1,
            _ => 2,
        };
        for _ in 0..count {
            assert!(matches!(runner.hear(), Heard::Datagram(_)), "lost");
        }
        let nanoseconds = Duration::from_secs(1).as_nanos() as u64;
        runner.say(b'T', &nanoseconds.to_be_bytes());
        assert!(matches!(runner.hear(), Heard::TimeoutAck), "{version}");
        runner.run_until(|it| it.events.contains(&Event::Connected));
        assert_eq!(runner.end(), 0);
    }
}

/// `E` and `U`: when the next timeout comes.
#[test]
fn it_knows_its_next_timeout() {
    let mut runner = Runner::start(
        Role::Server,
        Version::Dtls12,
        &["-initial-timeout-duration-ms", "250"],
    );
    let nanoseconds = |ms: u64| (ms * 1_000_000).to_be_bytes();
    runner.say(b'E', &nanoseconds(250));
    runner.say(b'T', &nanoseconds(100));
    runner.say(b'E', &nanoseconds(150));
    runner.run_until(|it| it.events.len() == 1 || it.largest > 0);
    runner.say(b'E', &nanoseconds(1));
    while !matches!(runner.hear(), Heard::End) {}
    assert_eq!(runner.leave(), 1, "that was wrong");
}

/// `M` sets the room: nothing larger leaves.
#[test]
fn it_cuts_to_the_room_it_is_told() {
    for version in VERSIONS {
        let mut runner = Runner::start(Role::Client, version, &["-require-any-client-certificate"]);
        runner.say(b'M', &300_u32.to_be_bytes());
        runner.run_until(|it| it.events.contains(&Event::Connected));
        assert!((100..=300).contains(&runner.largest), "{}", runner.largest);
        assert_eq!(runner.end(), 0);
    }
}

#[test]
fn what_it_cannot_do_it_says() {
    let run = |flags: &[&str]| shim::run(flags.iter().map(|flag| (*flag).to_owned()));
    assert_eq!(run(&["-dtls", "-enable-early-data"]), shim::UNIMPLEMENTED);
    assert_eq!(run(&["-dtls", "-resume-count", "1"]), shim::UNIMPLEMENTED);
    assert_eq!(run(&["-port", "1"]), shim::UNIMPLEMENTED);
    // A choice among several certificates; one is no choice.
    let several = ["-dtls", "-new-x509-credential", "-new-x509-credential"];
    assert_eq!(run(&several), shim::UNIMPLEMENTED);
    for group in ["25", "30"] {
        assert_eq!(run(&["-dtls", "-curves", group]), shim::UNIMPLEMENTED);
    }
    assert_eq!(run(&["-is-handshaker-supported"]), 0);
    // What nobody listed is no excuse.
    for wrong in [
        &["-dtls", "-enable-everything"][..],
        &["-dtls", "-mtu", "much"],
        &["-dtls", "-mtu"],
        &["-dtls", "-curves", "x"],
    ] {
        assert_eq!(run(wrong), 1, "{wrong:?}");
    }
}

/// 89 is for what the page of the crate lists.
#[test]
fn what_it_cannot_do_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/dtls.md");
    let page = std::fs::read_to_string(page).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, list) = page.split_once("Not implemented: ").unwrap();
    let (list, _) = list.split_once("ends with 89 for these").unwrap();
    for (what, flags) in shim::flags::NOT_IMPLEMENTED {
        assert!(list.contains(what), "{what}");
        for flag in *flags {
            let run = shim::run(["-dtls".to_owned(), (*flag).to_owned()].into_iter());
            assert_eq!(run, shim::UNIMPLEMENTED, "{flag}");
        }
    }
}

/// It judges as it is told, and what it says first is what it is told to say.
#[test]
fn it_refuses_and_it_speaks_first() {
    let mut runner = Runner::start(
        Role::Client,
        Version::Dtls13,
        &["-verify-peer", "-verify-fail"],
    );
    runner.run_until(|it| matches!(it.events.last(), Some(Event::Failed { .. })));
    assert_eq!(runner.leave(), 1);

    let flags = [
        "-shim-writes-first",
        "-export-keying-material",
        "20",
        "-export-label",
        "a label",
        "-export-context",
        "b",
        "-use-export-context",
    ];
    let mut runner = Runner::start(Role::Client, Version::Dtls13, &flags);
    runner.run_until(|it| it.received.len() == 2);
    let mut key = vec![0; 20];
    let connection = &runner.connection;
    connection.export("a label", Some(b"b"), &mut key).unwrap();
    assert_eq!(runner.received, [key, b"hello".to_vec()]);
    assert_eq!(runner.end(), 0);
}
