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
