//! Both halves of multicast DNS, on a link where anybody says anything.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use arbitrary::Arbitrary;
use oxirtc_mdns::{Event, Mdns, PORT, Target};

/// A life of one machine.
#[derive(Arbitrary, Debug)]
pub struct Scenario {
    operations: Vec<Operation>,
}

/// What may happen.
#[derive(Arbitrary, Debug)]
enum Operation {
    Wait(u16),
    Resolve(u8),
    Cancel(u8),
    Publish(u8),
    Withdraw(u8),
    Answer(bool, Vec<Record>),
    Ask(bool, Vec<Question>),
    Bytes(bool, Vec<u8>),
}

#[derive(Arbitrary, Debug)]
struct Record {
    name: Named,
    address: u8,
    ttl: u8,
    class: u8,
}

#[derive(Arbitrary, Debug)]
struct Question {
    name: Named,
    kind: u8,
    unicast: bool,
}

/// A name that may be asked for, or one of this machine.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Named {
    Peer(u8),
    Ours(u8),
}

impl Scenario {
    /// Performs it.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub fn play(self) {
        let mut game = Game {
            now: oxirtc_netsim::epoch(),
            mdns: Mdns::new([5; 32]),
            waiting: BTreeSet::new(),
            published: Vec::new(),
        };
        for operation in self.operations.into_iter().take(MAX_OPERATIONS) {
            game.perform(operation);
        }
        game.wait(PATIENCE);
        assert!(game.waiting.is_empty(), "a name is waited for without end");
        assert_eq!(game.mdns.poll_timeout(), None);
    }
}

struct Game {
    now: Instant,
    mdns: Mdns,
    waiting: BTreeSet<String>,
    published: Vec<String>,
}

impl Game {
    fn perform(&mut self, operation: Operation) {
        let now = self.now;
        match operation {
            Operation::Wait(time) => self.wait(Duration::from_millis(time.into())),
            Operation::Resolve(number) => {
                let name = peer(number);
                if self.mdns.resolve(now, &name).is_ok() {
                    self.waiting.insert(name);
                }
                assert!(self.waiting.len() <= MAX_NAMES, "too many names");
                self.fetch(MAX_SENT, None);
            }
            Operation::Cancel(number) => {
                let name = peer(number);
                self.mdns.cancel(&name);
                self.waiting.remove(&name);
            }
            Operation::Publish(number) => {
                if let Ok(name) = self.mdns.publish(now, address(number)) {
                    assert!(oxirtc_mdns::is_local(&name), "{name}");
                    self.published.push(name);
                }
                assert!(self.published.len() <= MAX_NAMES, "too many names");
                self.fetch(MAX_SENT, None);
            }
            Operation::Withdraw(pick) => {
                if !self.published.is_empty() {
                    let at = usize::from(pick) % self.published.len();
                    let name = self.published.swap_remove(at);
                    self.mdns.withdraw(&name);
                    self.fetch(1, None);
                }
            }
            Operation::Answer(by_the_book, records) => {
                let bytes = self.answer(&records);
                self.take(by_the_book, &bytes);
            }
            Operation::Ask(by_the_book, questions) => {
                let bytes = self.ask(&questions);
                self.take(by_the_book, &bytes);
            }
            Operation::Bytes(by_the_book, bytes) => self.take(by_the_book, &bytes),
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.mdns.poll_timeout().filter(|at| *at <= end) {
            self.now = next.max(self.now);
            self.mdns.handle_timeout(self.now);
            let next = self.mdns.poll_timeout();
            assert!(next.is_none_or(|at| at > self.now), "a timer of the past");
            self.fetch(MAX_SENT, None);
        }
        self.now = end;
    }

    /// A datagram of somebody: each name of ours is answered for once at most, and what was learnt is of use.
    fn take(&mut self, by_the_book: bool, bytes: &[u8]) {
        let port = if by_the_book { PORT } else { 40_000 };
        let from = SocketAddr::new(Ipv4Addr::new(192, 0, 2, 9).into(), port);
        let waiting = self.waiting.len();
        self.mdns.handle_datagram(self.now, from, bytes);
        self.fetch(self.published.len(), Some(from));
        let learnt = waiting - self.waiting.len();
        assert!(by_the_book || learnt == 0, "an answer from another port");
    }

    /// Takes what is sent and told: no more datagrams than so many, to nobody but all and who asked.
    fn fetch(&mut self, most: usize, asker: Option<SocketAddr>) {
        let mut sent = 0;
        while let Some(transmit) = self.mdns.poll_transmit(self.now) {
            sent += 1;
            assert!(sent <= most, "{sent} datagrams, not {most}");
            assert!(transmit.bytes.len() <= 512, "a long datagram");
            if let Target::One(to) = transmit.target {
                assert_eq!(Some(to), asker);
            }
        }
        while let Some(event) = self.mdns.poll_event() {
            match event {
                Event::Resolved { name, address } => {
                    assert!(self.waiting.remove(&name), "{name} was not asked for");
                    assert!(!address.is_loopback() && !address.is_unspecified());
                    assert!(!address.is_multicast());
                }
                Event::Unresolved { name } => {
                    assert!(self.waiting.remove(&name), "{name} was not asked for");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn name(&self, named: Named) -> String {
        match named {
            Named::Peer(number) => peer(number),
            Named::Ours(pick) => {
                let at = usize::from(pick) % self.published.len().max(1);
                self.published.get(at).cloned().unwrap_or_default()
            }
        }
    }

    fn answer(&self, records: &[Record]) -> Vec<u8> {
        let count = records.len().min(MAX_RECORDS);
        let mut bytes = header(0x8400, [0, count]);
        for record in records.iter().take(count) {
            let address = address(record.address);
            write_name(&mut bytes, &self.name(record.name));
            bytes.extend(kind(address).to_be_bytes());
            let class: u16 = if record.class == 0 { 3 } else { 0x8001 };
            bytes.extend(class.to_be_bytes());
            bytes.extend(u32::from(record.ttl).to_be_bytes());
            match address {
                IpAddr::V4(ip) => {
                    bytes.extend(4_u16.to_be_bytes());
                    bytes.extend(ip.octets());
                }
                IpAddr::V6(ip) => {
                    bytes.extend(16_u16.to_be_bytes());
                    bytes.extend(ip.octets());
                }
            }
        }
        bytes
    }

    fn ask(&self, questions: &[Question]) -> Vec<u8> {
        let count = questions.len().min(MAX_RECORDS);
        let mut bytes = header(0, [count, 0]);
        for question in questions.iter().take(count) {
            write_name(&mut bytes, &self.name(question.name));
            let kinds: [u16; 4] = [1, 28, 255, 16];
            let kind = kinds[usize::from(question.kind) % kinds.len()];
            bytes.extend(kind.to_be_bytes());
            let class: u16 = if question.unicast { 0x8001 } else { 1 };
            bytes.extend(class.to_be_bytes());
        }
        bytes
    }
}

fn header(flags: u16, [questions, answers]: [usize; 2]) -> Vec<u8> {
    let words = [7, flags, questions as u16, answers as u16, 0, 0];
    words.into_iter().flat_map(u16::to_be_bytes).collect()
}

fn write_name(bytes: &mut Vec<u8>, name: &str) {
    for label in name.split('.').filter(|it| !it.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
}

fn kind(address: IpAddr) -> u16 {
    if address.is_ipv4() { 1 } else { 28 }
}

fn peer(number: u8) -> String {
    format!("peer-{number}.local")
}

fn address(number: u8) -> IpAddr {
    match number % 8 {
        0 => Ipv4Addr::LOCALHOST.into(),
        1 => Ipv4Addr::BROADCAST.into(),
        2 => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb).into(),
        3 => Ipv6Addr::UNSPECIFIED.into(),
        4 | 5 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number.into()).into(),
        _ => Ipv4Addr::new(192, 0, 2, number).into(),
    }
}

const MAX_OPERATIONS: usize = 200;
const MAX_RECORDS: usize = 80;
const MAX_NAMES: usize = 64;
/// Each name that is asked for, and each that is told.
const MAX_SENT: usize = 128;
/// After it nobody is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
