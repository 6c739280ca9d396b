//! The states that W3C shows of the whole connection, from those of its transports.

use super::task::Event;
use crate::{
    DtlsTransportState, IceConnectionState, IceGatheringState, IceTransportState,
    PeerConnectionState, state,
};

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

    pub(super) fn update_gathering(
        &mut self,
        transports: impl Iterator<Item = IceGatheringState>,
        events: &mut Vec<Event>,
    ) -> Option<IceGatheringState> {
        let gathering = state::ice_gathering(transports);
        if self.gathering == gathering {
            return None;
        }
        self.gathering = gathering;
        events.push(Event::IceGatheringStateChange(gathering));
        Some(gathering)
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
