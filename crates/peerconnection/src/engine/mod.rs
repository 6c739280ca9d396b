//! The whole stack as one machine, without I/O.
//!
//! An [`Engine`] is told what came ([`Engine::handle_datagram`]), what time it is
//! ([`Engine::handle_timeout`]), and what the application wants (W3C's verbs). After each of these it is
//! asked, in this order, for batches ([`Engine::poll_transmit`]), requests ([`Engine::poll_request`]),
//! W3C's tasks ([`Engine::poll_task`]) and the next deadline ([`Engine::poll_timeout`]). It reads no clock,
//! opens no socket and spawns nothing: simulators, fuzzers and other runtimes use it as it is.
//!
//! What was received is read: messages ([`Engine::read`]) and frames ([`Engine::read_frame`]) when an event
//! says that there are some, packets of tracks ([`Engine::read_packets`]) after each input. Who sends media
//! lets everything else have a turn when [`Engine::wants_turn`] says so, before it sleeps until the deadline.
//!
//! What it knows is looked at through views: [`Engine::channel`], [`Engine::transport`],
//! [`Engine::sctp`].
//!
//! Each operation of W3C's operations chain runs whole within its call, so the chain is the order of
//! calls. Gathering begins when a local description is set, so no candidate is ever early.
//!
//! Two engines, on a wire that loses nothing. On a socket it is
//! [`sans_io`](https://github.com/oxirtc/oxirtc/blob/main/crates/peerconnection/examples/sans_io.rs) of the examples.
//!
//! ```
//! use std::{net::SocketAddr, time::{Instant, SystemTime}};
//! use oxirtc_peerconnection::{
//!     Configuration, DataChannelInit,
//!     engine::{Anchor, ChannelEvent, Engine, Event, Interface, Path, Request, Settings},
//! };
//!
//! let mut now = Instant::now();
//! let anchor = Anchor { instant: now, wall: SystemTime::now() };
//! let addresses: [SocketAddr; 2] = ["10.0.0.1:5000".parse()?, "10.0.0.2:5000".parse()?];
//! // The seeds are random and secret, in earnest.
//! let engine = |seed| Engine::new(Configuration::default(), Settings::default(), [seed; 32], anchor);
//! let mut engines = [engine(1)?, engine(2)?];
//! for (engine, address) in engines.iter_mut().zip(addresses) {
//!     let (name, address) = ("eth0".into(), address.ip());
//!     let interface = Interface { name, index: 1, address, default_route: true, cost: 0 };
//!     engine.handle_interfaces(now, &[interface]);
//! }
//!
//! // What an engine wants after each call: its batches go to the other side, its requests are answered, and its events are read.
//! let serve = |engines: &mut [Engine; 2], side: usize, now: Instant| {
//!     let mut batch = Vec::new();
//!     while let Some(transmit) = engines[side].poll_transmit(now, &mut batch) {
//!         let back = Path::udp(transmit.path.remote, transmit.path.local);
//!         let datagrams = batch.chunks_mut(transmit.segment);
//!         engines[1 - side].handle_datagrams(now, back, datagrams);
//!         batch.clear();
//!     }
//!     while let Some(request) = engines[side].poll_request() {
//!         if let Request::Bind { id, .. } = request {
//!             engines[side].handle_response(now, id, Ok(addresses[side]));
//!         }
//!     }
//!     let tasks = std::iter::from_fn(|| engines[side].poll_task());
//!     tasks.flatten().collect::<Vec<Event>>()
//! };
//!
//! engines[0].create_data_channel(now, "chat", &DataChannelInit::default())?;
//! engines[0].set_local_description(now, None)?;
//! serve(&mut engines, 0, now); // it has gathered: the description has its candidate
//! let offer = engines[0].local_description().expect("it was set");
//! engines[1].set_remote_description(now, offer)?;
//! engines[1].set_local_description(now, None)?;
//! serve(&mut engines, 1, now);
//! let answer = engines[1].local_description().expect("it was set");
//! engines[0].set_remote_description(now, answer)?;
//!
//! let mut heard = None;
//! while heard.is_none() {
//!     for side in [0, 1] {
//!         for event in serve(&mut engines, side, now) {
//!             match event {
//!                 Event::Channel(id, ChannelEvent::Open) if side == 0 => {
//!                     engines[0].send(now, id, &"hello".into())?;
//!                 }
//!                 Event::Readable(id) => heard = engines[side].read(now, id),
//!                 _ => {}
//!             }
//!         }
//!     }
//!     // A program waits for a datagram, but no longer than this.
//!     let deadline = engines.iter().filter_map(Engine::poll_timeout).min();
//!     now = deadline.map_or(now, |it| it.max(now));
//!     engines.iter_mut().for_each(|it| it.handle_timeout(now));
//! }
//! assert_eq!(heard, Some("hello".into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// First, in this order, so that the page of `Engine` begins with `new`, what it is told and what it is asked.
mod machine;

mod input;

mod output;

mod describe;

mod apply;
mod channel;
mod claims;
mod convert;
mod counters;
mod data;
mod demux;
mod drops;
mod equipment;
mod facts;
mod hindrance;
mod ids;
mod marks;
mod media;
mod negotiation;
mod own;
mod pool;
mod request;
mod seed;
mod sockets;
mod stats;
mod task;
mod trace;
mod transport;
mod transports;
mod up;

pub use crate::{
    choice::Choice,
    configuration::{CongestionControl, IpHandling, Parity, Settings},
    dtls::{DtlsGroup, DtlsVersion, SrtpProfile},
    key_log::KeyLog,
    label::Label,
    message::{MessageCounts, SendError},
    path::{Anchor, Interface, Path, Protocol, Request, RequestId, Route, Transmit},
};
pub use channel::ChannelView;
pub use convert::{Cutter, capabilities_of};
pub use counters::Counters;
pub use data::SctpView;
pub use ids::{ChannelId, TrackId, TransceiverId, TransportId};
pub use machine::Engine;
pub use media::{MediaBatch, TransceiverInit, TransceiverView};
pub use stats::StatsSubject;
pub use task::{ChannelEvent, DtlsTransportEvent, Event, IceTransportEvent, Task};
pub use transport::{IceCandidatePair, IceParameters, TransportView};

/// An engine for tests of what only this crate sees. It begins at the epoch of simulated time.
#[cfg(test)]
pub(crate) fn engine(seed: u8, settings: Settings) -> Engine {
    use std::time::{Duration, SystemTime};

    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let instant = oxirtc_netsim::epoch();
    let anchor = Anchor { instant, wall };
    Engine::new(
        crate::Configuration::default(),
        settings,
        [seed; 32],
        anchor,
    )
    .unwrap()
}

/// An encoding of such an engine is sent no more, or again.
#[cfg(test)]
pub(crate) fn stop_sending(
    engine: &mut Engine,
    id: TransceiverId,
    encoding: usize,
    cause: Option<crate::StopCause>,
) {
    let it = engine.media.get_mut(id).unwrap();
    it.stop_sending(encoding, cause, &mut engine.tasks);
}

/// Two such engines agree on what the first one offers, bundled or not; nothing connects them.
#[cfg(test)]
pub(crate) fn negotiate(near: &mut Engine, far: &mut Engine, bundled: bool) {
    let now = oxirtc_netsim::epoch();
    near.set_local_description(now, None).unwrap();
    let mut offer = near.local_description().unwrap();
    if !bundled {
        let kept = offer.sdp.lines().filter(|it| !it.starts_with("a=group"));
        offer.sdp = kept.flat_map(|it| [it, "\r\n"]).collect();
    }
    far.set_remote_description(now, offer).unwrap();
    far.set_local_description(now, None).unwrap();
    let answer = far.local_description().unwrap();
    near.set_remote_description(now, answer).unwrap();
}
