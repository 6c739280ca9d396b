//! The states that W3C shows of the whole connection, from those of its transports.

use super::{
    Engine,
    task::Event,
    transport::{Transport, Up},
};
use crate::{IceConnectionState, IceGatheringState, PeerConnectionState, state};

/// States of the connection; each stands since its task was queued.
pub(super) struct States {
    pub(super) gathering: IceGatheringState,
    pub(super) ice: IceConnectionState,
    pub(super) connection: PeerConnectionState,
}

impl Up<'_> {
    /// A transport has changed: the states of the connection, and what to tell when they have.
    pub(super) fn update_connection(&mut self, changed: &Transport, events: &mut Vec<Event>) {
        let transports = self.others.iter().chain([changed]);
        self.states.update_connection(transports, events);
    }

    /// The new gathering state, if it is another.
    pub(super) fn update_gathering(
        &mut self,
        changed: &Transport,
        events: &mut Vec<Event>,
    ) -> Option<IceGatheringState> {
        let transports = self.others.iter().chain([changed]);
        self.states.update_gathering(transports, events)
    }
}

impl Engine {
    /// A transport was removed (W3C §4.3.4: any state may follow).
    pub(super) fn transports_changed(&mut self) {
        let mut events = Vec::new();
        let transports = self.transports.iter();
        self.states
            .update_gathering(transports.clone(), &mut events);
        self.states.update_connection(transports, &mut events);
        self.tasks.push(events);
    }
}

impl States {
    /// W3C §4.3.4 and §4.3.3.
    fn update_connection<'a>(
        &mut self,
        transports: impl Iterator<Item = &'a Transport>,
        events: &mut Vec<Event>,
    ) {
        let shown = transports.map(|it| (it.shown.ice, it.shown.dtls));
        let (ice, dtls): (Vec<_>, Vec<_>) = shown.unzip();
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

    fn update_gathering<'a>(
        &mut self,
        transports: impl Iterator<Item = &'a Transport>,
        events: &mut Vec<Event>,
    ) -> Option<IceGatheringState> {
        let gathering = state::ice_gathering(transports.map(|it| it.shown.gathering));
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
