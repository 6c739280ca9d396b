//! The signalling states and the 40 cells of their table (W3C WebRTC §4.3.1).

use crate::{Error, SdpType};

/// W3C's `RTCSignalingState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SignalingState {
    /// No exchange is open.
    #[default]
    Stable,
    /// We have offered.
    HaveLocalOffer,
    /// The peer has offered.
    HaveRemoteOffer,
    /// We have answered provisionally.
    HaveLocalPranswer,
    /// The peer has answered provisionally.
    HaveRemotePranswer,
    /// The connection is closed.
    Closed,
}

/// Whose description is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Local,
    Remote,
}

impl SignalingState {
    /// The state after a description of this type.
    pub(crate) fn after(self, side: Side, kind: SdpType) -> Result<Self, Error> {
        use SdpType::{Answer, Offer, Pranswer, Rollback};
        use Side::{Local, Remote};
        match (self, side, kind) {
            (Self::Stable | Self::HaveLocalOffer, Local, Offer) => Ok(Self::HaveLocalOffer),
            (Self::Stable | Self::HaveRemoteOffer, Remote, Offer) => Ok(Self::HaveRemoteOffer),
            // RFC 9429 §4.1.10.2: by the side whose offer it is
            (Self::HaveLocalOffer, Local, Rollback)
            | (Self::HaveRemoteOffer, Remote, Rollback)
            | (Self::HaveLocalOffer | Self::HaveRemotePranswer, Remote, Answer)
            | (Self::HaveRemoteOffer | Self::HaveLocalPranswer, Local, Answer) => Ok(Self::Stable),
            (Self::HaveLocalOffer | Self::HaveRemotePranswer, Remote, Pranswer) => {
                Ok(Self::HaveRemotePranswer)
            }
            (Self::HaveRemoteOffer | Self::HaveLocalPranswer, Local, Pranswer) => {
                Ok(Self::HaveLocalPranswer)
            }
            (Self::Closed, _, _) => Err(Error::InvalidState("the connection is closed")),
            (_, _, Offer) => Err(Error::InvalidState("no offer in this signalling state")),
            (_, _, Pranswer | Answer) => {
                Err(Error::InvalidState("no answer in this signalling state"))
            }
            (_, _, Rollback) => Err(Error::InvalidState("nothing to roll back")),
        }
    }

    /// The type of a local description that is given without one.
    pub(crate) fn implied_type(self) -> SdpType {
        match self {
            Self::HaveRemoteOffer | Self::HaveLocalPranswer => SdpType::Answer,
            _ => SdpType::Offer,
        }
    }
}
