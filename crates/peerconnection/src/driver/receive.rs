//! From a socket to an engine.

use std::{io, time::Instant};

use super::sockets::{Batch, Received, Socket, with_batch};
use crate::{Path, engine::Engine};

/// Waits until the socket has something to receive.
pub(super) async fn readable(socket: &dyn Socket) -> io::Result<()> {
    std::future::poll_fn(|context| socket.poll_readable(context)).await
}

/// Receives what is there, batch by batch, up to a bound, so that one busy socket leaves the thread to others.
pub(super) fn receive(socket: &dyn Socket, mut each: impl FnMut(&mut Batch)) {
    with_batch(|batch| {
        for _ in 0..BATCHES {
            match socket.try_receive(batch) {
                Ok(_) => each(batch),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Others are the network's word about what was sent before (ICMP): the protocols find out themselves.
                Err(error) => log::trace!("receiving: {error}"),
            }
        }
    });
}

/// Hands the datagrams of one buffer to the engine.
pub(super) fn deliver(
    now: Instant,
    engine: &mut Engine,
    path: Path,
    received: Received,
    bytes: &mut [u8],
) {
    engine.handle_datagrams(now, path, bytes.chunks_mut(received.segment));
}

const BATCHES: usize = 16;
