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
    let timer = unless_it_lacks("time", || {
        let _entered = runtime.enter();
        tokio::time::sleep_until(far())
    });
    timer.map_err(invalid_state)
}

/// Has the runtime of this thread tell when a socket is ready.
pub(super) fn register(socket: Socket) -> io::Result<UdpSocket> {
    unless_it_lacks("I/O", || UdpSocket::from_std(socket.into()))?
}

/// Whether sockets can be registered, asked with one that is not bound.
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

fn unless_it_lacks<T>(part: &str, make: impl FnOnce() -> T) -> io::Result<T> {
    let made = catch_unwind(AssertUnwindSafe(make));
    made.map_err(|_| {
        let lacks = match Handle::try_current() {
            Err(_) if part == "I/O" => "there is no tokio runtime".to_owned(),
            _ => format!("the tokio runtime has no {part} enabled"),
        };
        io::Error::other(lacks)
    })
}

fn invalid_state(error: io::Error) -> Error {
    Error::new(ErrorKind::InvalidState, error.to_string())
}
