//! One end of an association, whoever made it.

use std::{any::Any, time::Instant};

use anyhow::{Result, bail, ensure};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Dtls12,
    Dtls13,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Client,
    Server,
}

/// A certificate with its key, as a stack has them.
pub type Identity = Box<dyn Any>;

/// Who can make ends. All agree on X25519, ECDSA with P-256 on both sides, and AES-128-GCM.
pub trait Stack {
    fn speaks(&self, version: Version) -> bool;
    /// Of the client and of the server.
    fn identities(&self) -> Result<[Identity; 2]>;
    fn end(&self, version: Version, role: Role, identities: &[Identity; 2])
    -> Result<Box<dyn End>>;
}

pub trait End {
    /// What it has to send.
    fn transmit(&mut self, now: Instant, wire: &mut Wire) -> Result<()>;
    fn handle(&mut self, now: Instant, datagram: &mut [u8]) -> Result<()>;
    fn is_connected(&self) -> bool;
    fn send(&mut self, now: Instant, payload: &[u8], wire: &mut Wire) -> Result<()>;
    /// How many bytes of payload have come.
    fn received(&self) -> u64;
}

/// Datagrams on their way, one behind the other, without an allocation each.
#[derive(Default)]
pub struct Wire {
    pub bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Two ends.
pub struct Pair {
    client: Box<dyn End>,
    server: Box<dyn End>,
    wire: Wire,
}

impl Wire {
    /// What stands in `bytes` behind the last datagram is one.
    pub fn seal(&mut self) {
        self.ends.push(self.bytes.len());
    }

    pub fn push(&mut self, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.seal();
    }

    fn deliver(&mut self, now: Instant, to: &mut dyn End) -> Result<bool> {
        let mut start = 0;
        let some = !self.ends.is_empty();
        for end in self.ends.drain(..) {
            if let Some(datagram) = self.bytes.get_mut(start..end) {
                to.handle(now, datagram)?;
            }
            start = end;
        }
        self.bytes.clear();
        Ok(some)
    }
}

impl Pair {
    pub fn connect(
        stack: &dyn Stack,
        version: Version,
        identities: &[Identity; 2],
    ) -> Result<Self> {
        let mut pair = Self {
            client: stack.end(version, Role::Client, identities)?,
            server: stack.end(version, Role::Server, identities)?,
            wire: Wire::default(),
        };
        let (client, server) = (pair.client.as_mut(), pair.server.as_mut());
        run(client, server, &mut pair.wire)?;
        Ok(pair)
    }

    /// From the client to the server.
    pub fn carry(&mut self, payload: &[u8], times: u64) -> Result<()> {
        let (client, server) = (self.client.as_mut(), self.server.as_mut());
        carry(client, server, &mut self.wire, payload, times)
    }
}

/// Hands datagrams over until both are connected and nobody says anything more.
pub fn run(client: &mut dyn End, server: &mut dyn End, wire: &mut Wire) -> Result<()> {
    for _ in 0..50 {
        let now = Instant::now();
        client.transmit(now, wire)?;
        let mut said = wire.deliver(now, server)?;
        server.transmit(now, wire)?;
        said |= wire.deliver(now, client)?;
        if !said {
            ensure!(
                client.is_connected() && server.is_connected(),
                "nobody says anything, and they are not connected"
            );
            return Ok(());
        }
    }
    bail!("they talk without end")
}

/// From one end to the other.
pub fn carry(
    from: &mut dyn End,
    to: &mut dyn End,
    wire: &mut Wire,
    payload: &[u8],
    times: u64,
) -> Result<()> {
    let before = to.received();
    let now = Instant::now();
    for _ in 0..times {
        from.send(now, payload, wire)?;
        wire.deliver(now, to)?;
    }
    // What 1.3 has to say beside, such as an update of keys.
    to.transmit(now, wire)?;
    wire.deliver(now, from)?;
    let (came, size) = (to.received() - before, payload.len());
    ensure!(
        came == times * size as u64,
        "{came} bytes came of {times} times {size}"
    );
    Ok(())
}
