//! Somebody who sends much more than a server can look at, and costs himself next to nothing: the system cuts his bytes up at the other end.

use std::{io, net::SocketAddr, sync::Arc, thread, time::Duration};

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::driver::{Outgoing, Socket, UdpSocket};
use tokio::time::Instant;

use super::message;

/// Sends so many messages a second to `target`, from many ports; how many it was.
pub(super) fn send(target: SocketAddr, rate: u64, seconds: u64) -> anyhow::Result<u64> {
    let runtime = tokio::runtime::Runtime::new().context("no threads")?;
    let _entered = runtime.enter();
    let sockets = (0..SOCKETS).map(|_| UdpSocket::bind(([10, 77, 0, 40], 0).into(), BUFFER));
    let sockets: Vec<Arc<dyn Socket>> = sockets.collect::<io::Result<_>>()?;
    let (bytes, segment) = messages()?;
    let (start, mut sent, mut turn) = (Instant::now(), 0_u64, 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        let due = start.elapsed().as_micros() as u64 * rate / 1_000_000;
        while sent < due && start.elapsed() < Duration::from_secs(seconds) {
            let socket = sockets.get(turn % SOCKETS).context("no sockets")?;
            turn += 1;
            let batch = Outgoing {
                destination: target,
                source: None,
                ecn: 0,
                dscp: 0,
                segment,
                contents: &bytes,
            };
            match socket.try_send(&batch) {
                Ok(()) => sent += BATCH,
                // It is full for the moment.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        thread::sleep(TICK);
    }
    Ok(sent)
}

/// Checks in the name of nobody, all of one length, each of which has to be looked at.
fn messages() -> anyhow::Result<(Vec<u8>, usize)> {
    let mut bytes = Vec::new();
    for number in 0..BATCH {
        message::write(&mut bytes, number * CHECKS, "nobody");
    }
    let segment = bytes.len() / BATCH as usize;
    ensure!(
        bytes.len().is_multiple_of(BATCH as usize),
        "of several lengths"
    );
    Ok((bytes, segment))
}

/// Messages of a batch: as many as the system cuts up.
const BATCH: u64 = 60;
/// Every so many-th number makes one kind of message.
const CHECKS: u64 = 8;
/// The server's system gives each of them to one of its readers.
const SOCKETS: usize = 256;
const BUFFER: usize = 1 << 20;
const TICK: Duration = Duration::from_micros(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_alike_and_each_is_another_one() {
        let (bytes, segment) = messages().unwrap();
        let each: std::collections::BTreeSet<_> = bytes.chunks(segment).collect();
        assert_eq!(each.len(), BATCH as usize);
        for message in each {
            let length = usize::from(u16::from_be_bytes([message[2], message[3]]));
            assert_eq!((message[1], length + 20), (1, segment), "a request");
        }
    }
}
