//! Sockets, timers and tasks: the engine on tokio.
//!
//! A connection owns sockets of its own by default ([`PeerConnection::new`]); one [`Endpoint`] carries any number of connections
//! on one UDP port. Whoever has something for a connection locks its engine once, hands it all that has come, takes what there is to
//! send and sends it: the reader of a socket, the connection's own task (timers, full sockets), or the caller of a verb. No
//! channel and no task stands between socket and engine.

mod connection;
mod endpoint;
mod interfaces;
mod routes;
mod sockets;

use std::time::{Instant, SystemTime};

use ring::rand::SecureRandom;

use crate::{Configuration, Error, ErrorKind, PeerConnection, Settings};

pub use endpoint::{Endpoint, EndpointSettings};
pub use sockets::{Batch, Outgoing, Received, Socket, UdpSocket};

impl PeerConnection {
    /// A connection with sockets of its own: one for each address of this machine that it gathers, closed with it.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration (W3C §4.4.1.1); `InvalidStateError` outside of a tokio runtime.
    pub fn new(configuration: Configuration) -> Result<Self, Error> {
        Self::with_settings(configuration, Settings::default())
    }

    /// As [`PeerConnection::new`], with settings that W3C does not have.
    ///
    /// # Errors
    ///
    /// Those of [`PeerConnection::new`].
    pub fn with_settings(configuration: Configuration, settings: Settings) -> Result<Self, Error> {
        connection::open(configuration, settings, None)
    }
}

/// A seed from the system's random source.
fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    #[expect(
        clippy::disallowed_methods,
        reason = "the driver gives each engine its seed"
    )]
    let random = ring::rand::SystemRandom::new();
    let filled = random.fill(&mut seed);
    filled.map_err(|_| Error::new(ErrorKind::Operation, "the system has no randomness"))?;
    Ok(seed)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the driver tells the engine the time"
)]
fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the wall clock enters here, once a connection"
)]
fn wall() -> SystemTime {
    SystemTime::now()
}
