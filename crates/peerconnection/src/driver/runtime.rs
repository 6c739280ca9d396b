//! The runtime, and what it lacks. tokio tells of that by a panic, and by nothing else.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::UdpSocket, runtime::Handle, time::Sleep};

use super::clock::far;
use crate::{Error, ErrorKind};

/// A timer that is not set yet. The task of a connection would end by the want of one.
pub(super) fn timer(runtime: &Handle) -> Result<Sleep, Error> {
    let _entered = runtime.enter();
    unless_it_lacks("time", || tokio::time::sleep_until(far())).map_err(invalid_state)
}

/// Has the runtime of this thread tell when a socket is ready.
pub(super) fn register(socket: Socket) -> io::Result<UdpSocket> {
    Handle::try_current().map_err(|_| io::Error::other("there is no tokio runtime"))?;
    unless_it_lacks("I/O", || UdpSocket::from_std(socket.into())).map_err(io::Error::other)?
}

/// Whether sockets can be registered with the runtime of this thread, asked with one that is not bound.
pub(super) fn check_io() -> Result<(), Error> {
    // Where there are no more sockets now, there may be some when addresses are gathered.
    let Ok(socket) = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)) else {
        return Ok(());
    };
    let asked = unless_it_lacks("I/O", || {
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket.into())
    });
    asked.map(drop).map_err(invalid_state)
}

/// What is made with this part of the runtime, or the words for its want.
fn unless_it_lacks<T>(part: &str, make: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(make))
        .map_err(|_| format!("the tokio runtime has no {part} enabled"))
}

fn invalid_state(words: String) -> Error {
    Error::new(ErrorKind::InvalidState, words)
}
