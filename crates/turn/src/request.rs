//! Requests that wait for their response.

use std::net::{IpAddr, SocketAddr};

use oxirtc_stun::{Message, Method, Transaction};

use crate::auth::Signed;

/// A request under way.
pub(crate) struct Pending {
    pub(crate) transaction: Transaction,
    pub(crate) purpose: Purpose,
    pub(crate) signed: Signed,
}

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Allocate,
    Refresh,
    /// The allocation is given back.
    Close,
    Permit(Vec<IpAddr>),
    Bind {
        number: u16,
        peer: SocketAddr,
    },
}

impl Purpose {
    pub(crate) fn method(&self) -> Method {
        match self {
            Self::Allocate => Method::ALLOCATE,
            Self::Refresh | Self::Close => Method::REFRESH,
            Self::Permit(_) => Method::CREATE_PERMISSION,
            Self::Bind { .. } => Method::CHANNEL_BIND,
        }
    }
}

/// Whether a response of this method can only be one to a client of TURN.
pub(crate) fn is_of_turn(message: &Message<'_>) -> bool {
    [
        Method::ALLOCATE,
        Method::REFRESH,
        Method::CREATE_PERMISSION,
        Method::CHANNEL_BIND,
    ]
    .contains(&message.method())
}
