//! W3C's objects, as handles.
//!
//! A handle is cheap to clone, `Send` and `Sync`. Handles keep the connection open: when the last one is dropped, of whatever kind,
//! the connection closes; a [`WeakPeerConnection`] does not keep it. What happens is pulled, with
//! [`PeerConnection::next_event`] and its like on other objects, or as a stream, with [`PeerConnection::events`]; no code of the
//! application runs under a lock.
//!
//! # Waiting
//!
//! - **One queue an object.** Clones of a handle read from the same queue: each event, and each message, goes to one reader, once.
//!   Who wants to tell several tasks has one that reads and a channel for the others.
//! - **Cancel safety.** Each future here may be dropped before it is ready, as `select!` does: nothing that was not returned is
//!   lost, and it can be called again. Verbs that negotiate do all of their work when they are polled first.
//!   Nothing is left of it either: neither its waker nor a place for it, and of a stream neither. Who polls by hand, with
//!   `poll_recv` and its like, has no future to drop: its task stays noted until the next thing happens to the object, or the
//!   object goes. Where many short tasks poll one object, a stream each, such as [`DataChannel::messages`], is better.
//! - **`close()`** of the connection, here, ends every wait: `recv` and `next_event` give what they had and then `None`, a
//!   [`send`](DataChannel::send) that waits for room ends with `InvalidState`, as its channel is not open any more, what waits for
//!   an end ([`closed`](DataChannel::closed), [`shutdown`](PeerConnection::shutdown), `wait_for(Closed)`) has it, and others end with an
//!   `Aborted` error. What is not of one connection goes on: a track of the application, whose events and hints end with
//!   [`stop`](MediaStreamTrack::stop), and a stream.
//! - **`failed`** (no pair of addresses works, or the certificate is wrong) ends what waits for the peer with an `Aborted` error:
//!   [`opened`](DataChannel::opened), [`closed`](DataChannel::closed), [`flush`](DataChannel::flush), a
//!   [`send`](DataChannel::send) that waits for room, [`next_data_channel`](PeerConnection::next_data_channel). An ICE restart can
//!   still bring the connection back, with all that was queued, so `recv` and `next_event` go on: for about half a minute where data is on its
//!   way, as SCTP gives up by then and the channels are closed, else at any time. Who only receives learns of it
//!   from [`Event::ConnectionStateChange`], or beside `recv`:
//!
//! ```
//! # use oxirtc_peerconnection::{DataChannel, Message, PeerConnection, PeerConnectionState};
//! async fn next(connection: &PeerConnection, channel: &DataChannel) -> Option<Message> {
//!     tokio::select! {
//!         message = channel.recv() => message,
//!         _ = connection.wait_for(PeerConnectionState::Failed) => None,
//!     }
//! }
//! ```
//! - **The runtime ends** that carried the connection: as after `close()`.
//!
//! The methods need no runtime: who moves the datagrams is a [`Carrier`], and `driver` is one for tokio.

// First, so that the page of `PeerConnection` begins with its own verbs.
mod peer_connection;

#[cfg(feature = "tokio")]
mod arrivals;
mod data_channel;
mod dtls_transport;
mod engine_lock;
mod event;
mod events;
mod ice_transport;
mod media;
mod queues;
mod report;
mod rtcp;
mod sctp_transport;
mod stats;
mod waiters;

pub use crate::engine::{ChannelEvent as DataChannelEvent, DtlsTransportEvent, IceTransportEvent};
pub use data_channel::{DataChannel, TrySendError};
pub use dtls_transport::DtlsTransport;
pub use engine_lock::{Carrier, EngineLock, WeakEngineLock};
pub use event::Event;
pub use events::Events;
pub use ice_transport::IceTransport;
pub use media::{
    DtmfSender, FrameReader, FrameWriter, Hint, MediaStream, MediaStreamTrack, PacketReader,
    PacketWriter, RtpReceiver, RtpSender, RtpTransceiver, RtpTransceiverInit, StreamEvent,
    TrackEvent, TrackOrKind, TrackReadyState,
};
pub use peer_connection::{PeerConnection, WeakPeerConnection};
pub use rtcp::RtcpReader;
pub use sctp_transport::SctpTransport;
pub use stats::StatsSelector;
