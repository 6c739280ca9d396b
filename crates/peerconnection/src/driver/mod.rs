//! Sockets, timers and tasks: the engine on tokio.
//!
//! A connection owns sockets of its own by default ([`PeerConnection::new`]); one [`Endpoint`] carries any number of connections
//! on one UDP port. Whoever has something for a connection locks its engine once, hands it all that has come, takes what there is to
//! send and sends it: the connection's own task (its sockets, its timer), the reader of a shared port, or the caller of a verb. No
//! channel and no further task stands between socket and engine.
//!
//! When the runtime ends, its connections are closed: peers are told as far as the sockets still take it, and whatever waits for
//! them, on other threads too, ends.

mod carrier;
mod certificate;
mod clock;
mod connection;
mod crowd;
mod endpoint;
mod incoming;
mod interfaces;
mod link;
mod listener;
#[cfg(target_os = "linux")]
mod marked;
mod names;
mod netlink;
mod outgoing;
mod patience;
mod plan;
mod port;
mod ports;
mod receive;
mod routes;
mod runtime;
mod send;
mod sockets;
mod stream;
mod tls;
mod ways;

use tokio::runtime::Handle;

use crate::{Configuration, Error, ErrorKind, PeerConnection, Settings};
use interfaces::Networks;
use names::LocalNames;
use ports::Ports;
use ways::Ways;

pub use endpoint::{Endpoint, EndpointSettings};
pub use incoming::{Incoming, IncomingRequest};
pub use outgoing::Outgoing;
pub use sockets::{Batch, Received, Socket, UdpSocket};

impl PeerConnection {
    /// A connection with sockets of its own: one for each address of this machine that it gathers, closed with it.
    ///
    /// Must be called within a tokio runtime that has I/O and time enabled, as `#[tokio::main]` has. tokio tells of what is not
    /// enabled by a panic alone, which is caught here: the panic hook is called, and under `panic = "abort"` the process ends.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration (W3C §4.4.1.1); `InvalidState` outside of a tokio runtime, or when it has no I/O or no
    /// time; `Operation` when the interfaces cannot be listed.
    pub fn new(configuration: Configuration) -> Result<Self, Error> {
        Self::with_settings(configuration, Settings::default())
    }

    /// As [`PeerConnection::new`], with settings that W3C does not have.
    ///
    /// # Errors
    ///
    /// Those of [`PeerConnection::new`].
    pub fn with_settings(configuration: Configuration, settings: Settings) -> Result<Self, Error> {
        let runtime = Handle::try_current().map_err(|_| {
            let message = "a connection needs a tokio runtime";
            Error::new(ErrorKind::InvalidState, message)
        })?;
        runtime::check_io()?;
        let networks = Networks::of_machine(|found| found)?;
        let names = LocalNames::new(runtime.clone());
        let ways = Ways::own(names, Ports::of(&settings));
        connection::open(configuration, settings, &runtime, ways, networks)
    }
}
