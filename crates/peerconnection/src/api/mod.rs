//! W3C's objects, as handles.
//!
//! A handle is cheap to clone, `Send` and `Sync`. Handles keep the connection open: when the last one
//! is dropped, of whatever kind, the connection closes. What happens is pulled, with
//! [`PeerConnection::next_event`] and its like on other objects; no code of the application runs under
//! a lock. The methods need no runtime: who moves the datagrams is a [`Carrier`].

mod core;
mod data_channel;
mod dtls_transport;
mod event;
mod ice_transport;
mod objects;
mod peer_connection;
mod sctp_transport;
mod waiters;

pub use self::core::{Carrier, Core};
pub use crate::engine::{ChannelEvent as DataChannelEvent, DtlsTransportEvent, IceTransportEvent};
pub use data_channel::{DataChannel, TrySendError};
pub use dtls_transport::DtlsTransport;
pub use event::Event;
pub use ice_transport::IceTransport;
pub use peer_connection::PeerConnection;
pub use sctp_transport::SctpTransport;
