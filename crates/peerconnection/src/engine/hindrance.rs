//! Why a connection is not up, in words.

use std::fmt::Write as _;

use oxirtc_dtls as dtls;
use oxirtc_ice as ice;

use super::{Engine, SctpView, transport::Transport};
use crate::{
    DtlsTransportState, IceGatheringState, IceTransportState, PeerConnectionState,
    SctpTransportState,
};

impl Engine {
    /// What stands between the connection and its peer, from the bottom: the first thing that is missing, for a log or an error. `None` when
    /// the connection is up, is closed, or nobody has begun.
    pub fn hindrance(&self) -> Option<String> {
        let negotiator = &self.negotiation.negotiator;
        let (local, remote) = (
            negotiator.local_description().is_some(),
            negotiator.remote_description().is_some(),
        );
        if self.closed || !(local || remote) {
            return None;
        }
        if !local {
            return Some("the peer's offer waits for our answer".to_owned());
        }
        if self.equipment.interfaces.is_none() {
            return Some("the addresses of this machine are not known yet".to_owned());
        }
        let hindered = self.transports.iter().find_map(of_transport);
        let sctp = self.sctp().map(SctpView::state);
        match hindered {
            // Without the peer's description, what ICE lacks is no news.
            Some(reason) if remote || reason == NO_ADDRESS => Some(reason),
            _ if !remote => Some(
                "the peer's description has not come: no candidate, no password, no fingerprint"
                    .to_owned(),
            ),
            Some(reason) => Some(reason),
            None if self.states.connection != PeerConnectionState::Connected => None,
            None if sctp == Some(SctpTransportState::Connecting) => {
                Some("DTLS is up, and SCTP has no answer from the peer".to_owned())
            }
            None => None,
        }
    }
}

fn of_transport(transport: &Transport) -> Option<String> {
    use ice::PairState::{Failed, Succeeded};
    if matches!(
        transport.shown.ice,
        IceTransportState::Connected | IceTransportState::Completed
    ) {
        return of_dtls(transport);
    }
    let local = transport.ice.local_candidates().count();
    if local == 0 && transport.shown.gathering == IceGatheringState::Complete {
        return Some(NO_ADDRESS.to_owned());
    }
    if transport.shown.remote_candidates.is_empty()
        && transport.ice.remote_candidates().count() == 0
    {
        return Some("no candidate of the peer has come".to_owned());
    }
    let names = || {
        transport
            .ice
            .remote_candidates()
            .all(|it| matches!(it.address, ice::Address::Name(_)))
    };
    match transport.ice.obstacle() {
        Some(ice::Obstacle::PathTaken) => return Some(PATH_TAKEN.to_owned()),
        Some(ice::Obstacle::FragmentTaken) => return Some(FRAGMENT_TAKEN.to_owned()),
        None => {}
    }
    let pairs: Vec<_> = transport.ice.pairs().collect();
    if pairs.is_empty() {
        return Some(if names() {
            "the peer's candidates are names, which are not resolved yet".to_owned()
        } else {
            "no candidate of the peer can be reached from an address of ours: other families or protocols".to_owned()
        });
    }
    let stats = transport.ice.stats();
    let count = |state| pairs.iter().filter(|it| it.state == state).count();
    let mut text = format!(
        "{} pairs, {} answered, {} failed: {} checks sent, {} answers and {} checks of the peer came",
        pairs.len(),
        count(Succeeded),
        count(Failed),
        stats.requests_sent,
        stats.responses_received,
        stats.requests_received
    );
    if stats.drops.unauthenticated > 0 {
        // Writing to a String does not fail.
        let _ = write!(
            text,
            ", {} messages with other credentials",
            stats.drops.unauthenticated
        );
    }
    Some(text)
}

fn of_dtls(transport: &Transport) -> Option<String> {
    let reason = match transport.shown.dtls {
        DtlsTransportState::Connected | DtlsTransportState::Closed => return None,
        DtlsTransportState::Failed => "DTLS has failed",
        DtlsTransportState::New if transport.role.is_none() => {
            "ICE has a pair, and DTLS does not know its role yet"
        }
        _ if transport.dtls.state() == dtls::State::New => {
            "ICE has a pair, and DTLS waits for the peer to begin"
        }
        DtlsTransportState::New | DtlsTransportState::Connecting => {
            "ICE has a pair, and the DTLS handshake is not done"
        }
    };
    Some(reason.to_owned())
}

const NO_ADDRESS: &str =
    "this machine has no address that may be used: no interface is up, or the settings leave none";
const PATH_TAKEN: &str =
    "another connection of this port has the path to the peer, and there is no other socket";
const FRAGMENT_TAKEN: &str = "another connection of this port has the same username fragment";
