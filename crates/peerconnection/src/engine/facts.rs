//! The states that W3C shows of the whole connection, from those of its transports.

use super::task::Event;
use crate::{
    DtlsTransportState, IceConnectionState, IceGatheringState, IceTransportState,
    PeerConnectionState, state,
};

/// What one description has brought, in the order in which its task tells it (W3C §4.4.1.4).
#[derive(Default)]
pub(super) struct Facts {
    /// The signalling state.
    pub(super) signaling: Option<Event>,
    pub(super) ended: Vec<Event>,
    pub(super) muted: Vec<Event>,
    pub(super) removed: Vec<Event>,
    pub(super) added: Vec<Event>,
    pub(super) tracks: Vec<Event>,
}

impl Facts {
    /// [4.4.1.6-44] The events of the task, and those that have one each behind it: Media Capture and Streams queues the end of a
    /// track.
    pub(super) fn into_events(self) -> (Vec<Event>, Vec<Event>) {
        let signaling = self.signaling.into_iter();
        let events = signaling
            .chain(self.muted)
            .chain(self.removed)
            .chain(self.added)
            .chain(self.tracks);
        (events.collect(), self.ended)
    }
}

/// States of the connection; each stands since its task was queued.
pub(super) struct States {
    pub(super) gathering: IceGatheringState,
    pub(super) ice: IceConnectionState,
    pub(super) connection: PeerConnectionState,
}

impl States {
    /// W3C §4.3.4 and §4.3.3.
    pub(super) fn update_connection(
        &mut self,
        transports: impl Iterator<Item = (IceTransportState, DtlsTransportState)>,
        events: &mut Vec<Event>,
    ) {
        let (ice, dtls): (Vec<_>, Vec<_>) = transports.unzip();
        let ice = state::ice_connection(false, &ice);
        let connection = state::peer_connection(ice, &dtls);
        if self.ice != ice {
            self.ice = ice;
            events.push(Event::IceConnectionStateChange(ice));
        }
        if self.connection != connection {
            self.connection = connection;
            events.push(Event::ConnectionStateChange(connection));
        }
    }

    /// W3C §4.3.2; who is told that all is gathered is told so by a candidate as well.
    pub(super) fn update_gathering(
        &mut self,
        transports: impl Iterator<Item = IceGatheringState>,
        events: &mut Vec<Event>,
    ) {
        let gathering = state::ice_gathering(transports);
        if self.gathering == gathering {
            return;
        }
        self.gathering = gathering;
        events.push(Event::IceGatheringStateChange(gathering));
        if gathering == IceGatheringState::Complete {
            events.push(Event::IceCandidate(None));
        }
    }
}

impl Default for States {
    fn default() -> Self {
        Self {
            gathering: IceGatheringState::New,
            ice: IceConnectionState::New,
            connection: PeerConnectionState::New,
        }
    }
}
