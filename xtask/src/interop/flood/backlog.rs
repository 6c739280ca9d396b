//! What has queued at a port while nobody could read, and how fast it is read then: who has sent it wants no processor any more.

use std::{
    future::poll_fn,
    io, iter,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{
    Endpoint,
    driver::{EndpointSettings, Outgoing, Socket, UdpSocket},
};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

use super::message;

/// Messages a second that one, two and four readers look at, and how many threads they have.
pub(super) fn run() -> anyhow::Result<String> {
    let threads = thread::available_parallelism()?.get();
    let one = read_by(1, threads)?;
    let mut told = format!(
        "{threads} threads: 1 reader {:.2} million a second",
        one / 1e6
    );
    for readers in [2, 4] {
        let rate = read_by(readers, threads)?;
        told.push_str(&format!(
            ", {readers} {:.2} ({:.2} times)",
            rate / 1e6,
            rate / one
        ));
    }
    Ok(told)
}

/// The median of many rounds.
fn read_by(readers: usize, threads: usize) -> anyhow::Result<f64> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?;
    let entered = runtime.enter();
    let settings = EndpointSettings::default().readers(readers);
    let endpoint = Endpoint::bind_with((Ipv4Addr::LOCALHOST, 0), settings)?;
    let sockets = (0..SOCKETS).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into(), BUFFER));
    let sockets: Vec<Arc<dyn Socket>> = sockets.collect::<io::Result<_>>()?;
    drop(entered);
    // Later nobody is there to learn it.
    for socket in &sockets {
        runtime.block_on(poll_fn(|context| socket.poll_writable(context)))?;
    }
    let target = endpoint.local_address()?;
    let (contents, segment) = messages()?;
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let release = occupy(&runtime, threads);
        let goal = endpoint.dropped() + MESSAGES;
        let sent = send(&sockets, target, &contents, segment);
        let start = Instant::now();
        release.wait();
        sent?;
        // It counts what it has looked at.
        while endpoint.dropped() < goal {
            let waited = start.elapsed();
            ensure!(
                waited < PATIENCE,
                "the system has not kept all that was sent"
            );
            thread::sleep(TICK);
        }
        rates.push(MESSAGES as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    rates.get(ROUNDS / 2).copied().context("no rounds")
}

/// Keeps all threads of the runtime from everything else until the barrier is reached.
fn occupy(runtime: &Runtime, threads: usize) -> Arc<Barrier> {
    let (there, release) = (
        Arc::new(Barrier::new(threads + 1)),
        Arc::new(Barrier::new(threads + 1)),
    );
    for _ in 0..threads {
        let (there, release) = (there.clone(), release.clone());
        runtime.spawn(async move {
            there.wait();
            release.wait();
        });
    }
    there.wait();
    release
}

/// Some batches of each socket, which the system gives to one of the readers.
fn send(
    sockets: &[Arc<dyn Socket>],
    destination: SocketAddr,
    contents: &[u8],
    segment: usize,
) -> io::Result<()> {
    let batch = Outgoing {
        destination,
        source: None,
        ecn: 0,
        dscp: 0,
        segment,
        contents,
    };
    let mut all = iter::repeat_n(sockets, EACH).flatten();
    all.try_for_each(|socket| socket.try_send(&batch))
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
const SOCKETS: usize = 256;
/// Batches of a socket: together they fill most of what the system keeps for one reader.
const EACH: usize = 4;
const MESSAGES: u64 = BATCH * (SOCKETS * EACH) as u64;
const BUFFER: usize = 1 << 20;
const ROUNDS: usize = 301;
const TICK: Duration = Duration::from_micros(100);
const PATIENCE: Duration = Duration::from_secs(2);

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
