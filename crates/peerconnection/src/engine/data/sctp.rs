//! The association of a connection, and how W3C shows it (§6.1.1).

use oxirtc_ice as ice;
use oxirtc_sctp as sctp;

use crate::{SctpTransportState, engine::ids::TransportId};

/// The association, and W3C's view of it (§6.1.1).
pub(super) struct Sctp {
    pub(super) on: TransportId,
    /// From the answer until it ends.
    pub(super) association: Option<Box<sctp::Association>>,
    pub(super) state: SctpTransportState,
    /// Bytes; `None` before it is negotiated. `u64::MAX` is no limit.
    pub(super) max_message_size: Option<u64>,
    /// How many channels there can be, from the moment it is connected.
    pub(super) max_channels: Option<u16>,
    pub(super) agreed: Option<Agreed>,
    pub(super) seed: [u8; 32],
    /// It is the one that our descriptions speak of.
    pub(super) announced: bool,
    /// The peer's INIT chunk for it.
    pub(super) remote_init: Option<Vec<u8>>,
    /// The path that the association runs on, and how long a packet may be there.
    pub(super) way: Option<(Mapped, usize)>,
}

/// A path, and which of the addresses that a NAT has given it.
pub(in crate::engine) type Mapped = (ice::Path, u32);

/// What an answer has settled.
#[derive(Clone, Copy)]
pub(super) struct Agreed {
    /// Ours first.
    pub(super) ports: (u16, u16),
    /// The longest message that the peer takes, in bytes.
    pub(super) remote_limit: u64,
}

/// An association that has ended, and whose last packets, an ABORT or a SHUTDOWN COMPLETE, the peer is still to see.
pub(super) struct Leaving {
    pub(super) on: TransportId,
    pub(super) association: Box<sctp::Association>,
}

/// The SCTP transport (W3C §6.1.1), as it is at this moment.
#[derive(Clone, Copy)]
pub struct SctpView<'a>(pub(super) &'a Sctp);

impl SctpView<'_> {
    /// `transport`: what carries the association.
    pub fn transport(self) -> TransportId {
        self.0.on
    }

    /// Whether the association connects, is connected or has ended (`state`).
    pub fn state(self) -> SctpTransportState {
        self.0.state
    }

    /// `maxMessageSize` in bytes; `u64::MAX` is no limit, `None` stands before it is negotiated.
    pub fn max_message_size(self) -> Option<u64> {
        self.0.max_message_size
    }

    /// `maxChannels`; `None` before it is connected.
    pub fn max_channels(self) -> Option<u16> {
        self.0.max_channels
    }
}

impl std::fmt::Debug for SctpView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SctpView")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
