//! The shim itself, which the crate's own tests talk to as well.
#![allow(
    clippy::disallowed_methods,
    reason = "a program needs one real instant to start from"
)]

mod errors;
pub(crate) mod flags;
mod lane;

use std::{
    io,
    time::{Instant, SystemTime},
};

use oxirtc_dtls::{Certificate, Connection, Event, Group, KeyType, Role};
use ring::rand::{SecureRandom, SystemRandom};

use flags::{Flags, Refused};
use lane::{Lane, Said};

/// Runs to the end and gives the status to exit with.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> u8 {
    let flags = match Flags::parse(arguments) {
        Ok(flags) => flags,
        Err((Refused::NotImplemented, flag)) => {
            eprintln!("not implemented: {flag}");
            return UNIMPLEMENTED;
        }
        Err((Refused::Unknown, flag)) => {
            eprintln!("unknown: {flag}");
            return 1;
        }
    };
    if flags.asks_for_handshaker {
        println!("No");
        return 0;
    }
    let played = Shim::start(flags).and_then(|mut shim| {
        let played = shim.play();
        // What the runner makes of it stands with the runner.
        let _ = shim.lane.finish();
        played
    });
    match played {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error}");
            1
        }
    }
}

struct Shim {
    flags: Flags,
    lane: Lane,
    connection: Connection,
    /// Simulated: it moves only when the runner says so.
    now: Instant,
    room: usize,
    connected: bool,
}

impl Shim {
    fn start(flags: Flags) -> io::Result<Self> {
        let lane = Lane::connect(flags.ipv6, flags.port, flags.shim_id)?;
        let certificate = match flags.certificate()? {
            Some(certificate) => certificate,
            None => {
                let (kind, lifetime) = (KeyType::EcdsaP256, Certificate::DEFAULT_LIFETIME);
                let made = Certificate::generate(kind, SystemTime::now(), lifetime);
                made.map_err(io::Error::other)?
            }
        };
        let mut seed = [0; 32];
        let filled = SystemRandom::new().fill(&mut seed);
        filled.map_err(|_| io::Error::other("no randomness"))?;
        let now = Instant::now();
        let mut connection = Connection::new(flags.configure(certificate), seed, now);
        if let Some(timeout) = flags.initial_timeout {
            // The first retransmission comes after twice the round trip.
            connection.set_round_trip(timeout / 2);
        }
        let role = if flags.server {
            Role::Server
        } else {
            Role::Client
        };
        connection.set_role(now, role).map_err(io::Error::other)?;
        connection.start(now);
        Ok(Self {
            room: flags.room,
            flags,
            lane,
            connection,
            now,
            connected: false,
        })
    }

    fn play(&mut self) -> io::Result<()> {
        loop {
            if self.settle()? {
                return Ok(());
            }
            match self.lane.hear()? {
                Said::Datagram(mut datagram) => {
                    let mut received = Vec::new();
                    let mut sink = |payload: &mut [u8]| received.push(payload.to_vec());
                    let connection = &mut self.connection;
                    connection.handle_datagram(self.now, &mut datagram, &mut sink);
                    // What it led to comes before what is said in answer.
                    if self.settle()? {
                        return Ok(());
                    }
                    for payload in received {
                        self.echo(&payload)?;
                    }
                }
                Said::Timeout(passed) => {
                    // The answer first: what follows it is what the time has led to.
                    self.lane.acknowledge_timeout()?;
                    self.now += passed;
                    self.connection.handle_timeout(self.now);
                }
                Said::Room(room) => self.room = room,
                Said::ExpectTimeout(expected) => self.check_timeout(expected)?,
                Said::FirstTimeout(timeout) => self.connection.set_round_trip(timeout / 2),
                Said::End if self.connected => {
                    self.connection.close(self.now);
                    return Ok(());
                }
                Said::End => return Err(io::Error::other("the runner has gone")),
            }
        }
    }

    /// Sends what there is to send, and does what events ask for; whether it is over.
    fn settle(&mut self) -> io::Result<bool> {
        loop {
            let mut buf = Vec::new();
            let (now, room) = (self.now, self.room);
            while self.connection.poll_transmit(now, room, &mut buf) {
                self.lane.say(&buf)?;
                buf.clear();
            }
            let Some(event) = self.connection.poll_event() else {
                return Ok(false);
            };
            match event {
                Event::CertificateReceived => {
                    let accepted = !self.flags.verify_fail;
                    self.connection.trust(now, accepted, &mut |_: &mut [u8]| {});
                }
                Event::Connected => {
                    self.connected = true;
                    if self.begin()? {
                        return Ok(true);
                    }
                }
                Event::Closed { .. } => {
                    let mut buf = Vec::new();
                    while self.connection.poll_transmit(now, room, &mut buf) {
                        self.lane.say(&buf)?;
                        buf.clear();
                    }
                    return Ok(true);
                }
                Event::Failed { cause } => {
                    let mut buf = Vec::new();
                    while self.connection.poll_transmit(now, room, &mut buf) {
                        self.lane.say(&buf)?;
                        buf.clear();
                    }
                    return Err(io::Error::other(errors::name(cause)));
                }
                other => return Err(io::Error::other(format!("{other:?}"))),
            }
        }
    }

    /// What is said first behind the handshake, and whether that is all.
    fn begin(&mut self) -> io::Result<bool> {
        self.check_agreed()?;
        if self.flags.export_length > 0 {
            let mut key = vec![0; self.flags.export_length];
            let context = self.flags.use_export_context;
            let context = context.then_some(self.flags.export_context.as_bytes());
            let label = &self.flags.export_label;
            let exported = self.connection.export(label, context, &mut key);
            exported.map_err(io::Error::other)?;
            self.send(&key)?;
        }
        if self.flags.writes_first {
            let first = self.flags.initial_write.clone();
            self.send(first.as_bytes())?;
        }
        if self.flags.shuts_down {
            self.connection.close(self.now);
        }
        self.update_before_read()?;
        Ok(false)
    }

    /// What the runner expects to have been agreed on.
    fn check_agreed(&self) -> io::Result<()> {
        let connection = &self.connection;
        let differs = |what: &str| Err(io::Error::other(format!("another {what} was agreed on")));
        if let Some(expected) = self.flags.expect_version
            && connection.protocol_version() != Some(expected)
        {
            return differs("version");
        }
        if let Some(expected) = self.flags.expect_group
            && connection.group().map(Group::id) != Some(expected)
        {
            return differs("group");
        }
        if let Some(expected) = &self.flags.expect_alpn
            && connection.alpn() != Some(expected)
        {
            return differs("protocol");
        }
        Ok(())
    }

    fn echo(&mut self, payload: &[u8]) -> io::Result<()> {
        if self.flags.key_update {
            let updated = self.connection.update_keys(false);
            updated.map_err(io::Error::other)?;
        }
        let inverted: Vec<u8> = payload.iter().map(|byte| byte ^ 0xFF).collect();
        self.send(&inverted)?;
        self.update_before_read()
    }

    /// What it listens for next.
    fn update_before_read(&mut self) -> io::Result<()> {
        if self.flags.key_update_before_read {
            let updated = self.connection.update_keys(false);
            updated.map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut record = vec![0; self.connection.headroom()];
        record.extend_from_slice(payload);
        let sealed = self.connection.seal(&mut record, 0);
        sealed.map_err(io::Error::other)?;
        self.lane.say(&record)
    }

    fn check_timeout(&self, expected: Option<std::time::Duration>) -> io::Result<()> {
        let next = self.connection.poll_timeout();
        let wait = next.map(|at| at.saturating_duration_since(self.now));
        if wait == expected {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "the next timeout is {wait:?}, not {expected:?}"
        )))
    }
}

/// What the runner takes for «not implemented».
pub(crate) const UNIMPLEMENTED: u8 = 89;
