//! Reads the datagrams that go through the namespace, without a part in them.

use std::io::{ErrorKind, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use socket2::{Domain, Protocol, Socket, Type};

/// A UDP datagram over IPv4.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) from: u16,
    pub(crate) to: u16,
    pub(crate) payload: Vec<u8>,
}

/// Keeps what comes until it is asked for it.
#[derive(Debug)]
pub(crate) struct Tap {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<Vec<Seen>>>,
}

impl Tap {
    pub(crate) fn begin() -> anyhow::Result<Self> {
        // A socket of one protocol is shown what arrives and not what leaves: each packet of loopback once.
        let protocol = Protocol::from(i32::from(ETHERTYPE_IPV4.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol));
        let socket = socket.context("no packet socket")?;
        socket.set_recv_buffer_size(4 << 20)?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        let thread = std::thread::spawn(move || read(&socket, &end));
        Ok(Self { ended, thread })
    }

    pub(crate) fn end(self) -> anyhow::Result<Vec<Seen>> {
        self.ended.store(true, Ordering::Release);
        let seen = self.thread.join();
        Ok(seen.map_err(|_| anyhow!("the tap panicked"))??)
    }
}

/// Until nothing more comes after the end.
fn read(mut socket: &Socket, end: &AtomicBool) -> std::io::Result<Vec<Seen>> {
    let mut seen = Vec::new();
    let mut packet = vec![0; 65_536];
    loop {
        let ending = end.load(Ordering::Acquire);
        match socket.read(&mut packet) {
            Ok(length) => seen.extend(packet.get(..length).and_then(parse)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                if ending {
                    return Ok(seen);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Of an IPv4 packet, which no one has fragmented.
fn parse(packet: &[u8]) -> Option<Seen> {
    let header = 4 * usize::from(packet.first()? & 0x0F);
    let is_udp = *packet.get(9)? == UDP;
    let datagram = packet.get(header..).filter(|_| is_udp)?;
    let number = |at: usize| {
        let bytes = datagram.get(at..at + 2)?;
        Some(u16::from_be_bytes([*bytes.first()?, *bytes.last()?]))
    };
    let payload = datagram.get(8..usize::from(number(4)?))?;
    Some(Seen {
        from: number(0)?,
        to: number(2)?,
        payload: payload.to_vec(),
    })
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const UDP: u8 = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_cut_out_of_its_packet() {
        let mut packet = vec![0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0];
        packet.extend([127, 0, 0, 1, 127, 0, 0, 1]);
        packet.extend([0x13, 0x88, 0x27, 0x10, 0, 11, 0, 0, 22, 1, 2]);
        packet.push(0xFF); // padding of the link
        let seen = parse(&packet).unwrap();
        assert_eq!((seen.from, seen.to), (5000, 10_000));
        assert_eq!(seen.payload, [22, 1, 2]);
        for length in 0..31 {
            assert!(parse(&packet[..length]).is_none(), "{length}");
        }
        packet[9] = 6;
        assert!(parse(&packet).is_none());
    }
}
