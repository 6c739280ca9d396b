//! The states of a connection and its transports, and how they follow from each other.

/// `RTCSignalingState` (W3C §4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCSignalingState")]
pub enum SignalingState {
    /// No exchange is under way.
    Stable,
    /// A local offer waits for its answer.
    HaveLocalOffer,
    /// A remote offer waits for our answer.
    HaveRemoteOffer,
    /// A remote offer has our provisional answer.
    HaveLocalPranswer,
    /// A local offer has a provisional answer.
    HaveRemotePranswer,
    /// The connection is closed.
    Closed,
}

/// `RTCIceGatheringState` (W3C §4.3.2), and `RTCIceGathererState` of a transport (§5.6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCIceGatheringState")]
#[doc(alias = "RTCIceGathererState")]
pub enum IceGatheringState {
    /// Nothing was gathered yet.
    New,
    /// Candidates are being gathered.
    Gathering,
    /// All candidates are there.
    Complete,
}

/// `RTCIceTransportState` (W3C §5.6.4), and `RTCIceConnectionState` of the connection (§4.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCIceTransportState")]
#[doc(alias = "RTCIceConnectionState")]
pub enum IceTransportState {
    /// Waits for remote candidates.
    New,
    /// Checks pairs.
    Checking,
    /// A pair works; checks go on.
    Connected,
    /// A pair works and all checks are done.
    Completed,
    /// Nothing came for a while; it may recover by itself.
    Disconnected,
    /// No pair works. Only an ICE restart helps.
    Failed,
    /// Closed.
    Closed,
}

/// The state of ICE over all transports.
pub type IceConnectionState = IceTransportState;

/// `RTCIceRole` (W3C §5.6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCIceRole")]
pub enum IceRole {
    /// No description was processed yet.
    Unknown,
    /// This side nominates the pair.
    Controlling,
    /// The peer nominates the pair.
    Controlled,
}

/// `RTCDtlsTransportState` (W3C §5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCDtlsTransportState")]
pub enum DtlsTransportState {
    /// Not started.
    New,
    /// The handshake runs, or the peer's certificate is not verified yet.
    Connecting,
    /// Secure, and the peer is the one of the description.
    Connected,
    /// Closed by either side.
    Closed,
    /// The handshake failed, or the certificate is not the one of the description. What anybody could have sent, such as an
    /// alert before there are keys, or in DTLS 1.2 the certificate itself, is believed when nothing better came for 5 s.
    Failed,
}

/// `RTCSctpTransportState` (W3C §6.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCSctpTransportState")]
pub enum SctpTransportState {
    /// The association is being set up.
    Connecting,
    /// Channels can open.
    Connected,
    /// Ended; it does not come back.
    Closed,
}

/// `RTCPeerConnectionState` (W3C §4.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCPeerConnectionState")]
pub enum PeerConnectionState {
    /// Nothing was started.
    New,
    /// ICE or DTLS is on its way.
    Connecting,
    /// All transports work.
    Connected,
    /// A transport lost its peer for the moment.
    Disconnected,
    /// A transport failed.
    Failed,
    /// Closed.
    Closed,
}

/// `RTCDataChannelState` (W3C §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCDataChannelState")]
pub enum DataChannelState {
    /// Not open yet.
    Connecting,
    /// Messages go both ways.
    Open,
    /// Being closed; what was queued is still sent.
    Closing,
    /// Closed.
    Closed,
}

/// W3C §4.3.2, over the gatherers of all transports in use.
pub(crate) fn ice_gathering(
    transports: impl Iterator<Item = IceGatheringState>,
) -> IceGatheringState {
    use IceGatheringState::{Complete, Gathering, New};
    let mut state = None;
    for transport in transports {
        state = Some(match (transport, state) {
            (Gathering, _) | (_, Some(Gathering)) => Gathering,
            (New, _) | (_, Some(New)) => New,
            (Complete, _) => Complete,
        });
    }
    state.unwrap_or(New)
}

/// W3C §4.3.4: the first that matches.
pub(crate) fn ice_connection(closed: bool, transports: &[IceTransportState]) -> IceConnectionState {
    use IceTransportState::{Checking, Closed, Completed, Connected, Disconnected, Failed, New};
    let any = |state| transports.contains(&state);
    let all = |states: &[IceTransportState]| transports.iter().all(|state| states.contains(state));
    match () {
        () if closed => Closed,
        () if any(Failed) => Failed,
        () if any(Disconnected) => Disconnected,
        () if all(&[New, Closed]) => New,
        () if any(New) || any(Checking) => Checking,
        () if all(&[Completed, Closed]) => Completed,
        () => Connected,
    }
}

/// W3C §4.3.3: the first that matches.
pub(crate) fn peer_connection(
    ice: IceConnectionState,
    dtls: &[DtlsTransportState],
) -> PeerConnectionState {
    use DtlsTransportState::{Closed, Connected, Failed, New};
    let all = |states: &[DtlsTransportState]| dtls.iter().all(|state| states.contains(state));
    match ice {
        IceTransportState::Closed => PeerConnectionState::Closed,
        IceTransportState::Failed => PeerConnectionState::Failed,
        _ if dtls.contains(&Failed) => PeerConnectionState::Failed,
        IceTransportState::Disconnected => PeerConnectionState::Disconnected,
        IceTransportState::New if all(&[New, Closed]) => PeerConnectionState::New,
        // The text names ICE's connected only; browsers count completed in, as it is the better one.
        IceTransportState::Connected | IceTransportState::Completed
            if all(&[Connected, Closed]) =>
        {
            PeerConnectionState::Connected
        }
        _ => PeerConnectionState::Connecting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [4.3.2-01] [4.3.2-02] [4.3.2-03]
    #[test]
    fn gathering_is_the_least_finished() {
        use IceGatheringState::{Complete, Gathering, New};
        assert_eq!(ice_gathering([].into_iter()), New);
        assert_eq!(ice_gathering([Complete].into_iter()), Complete);
        // Whichever transport stands first.
        let all = [New, Gathering, Complete];
        for one in all {
            for two in all {
                for three in all {
                    let transports = [one, two, three];
                    let expected = match transports {
                        _ if transports.contains(&Gathering) => Gathering,
                        [Complete, Complete, Complete] => Complete,
                        _ => New,
                    };
                    assert_eq!(ice_gathering(transports.into_iter()), expected);
                }
            }
        }
    }

    /// [4.3.4-01]
    #[test]
    fn ice_connection_takes_the_first_that_matches() {
        use IceTransportState::{
            Checking, Closed, Completed, Connected, Disconnected, Failed, New,
        };
        assert_eq!(ice_connection(true, &[Connected]), Closed);
        assert_eq!(ice_connection(false, &[Failed, Disconnected]), Failed);
        assert_eq!(
            ice_connection(false, &[Disconnected, Connected]),
            Disconnected
        );
        assert_eq!(ice_connection(false, &[]), New);
        assert_eq!(ice_connection(false, &[New, Closed]), New);
        assert_eq!(ice_connection(false, &[New, Connected]), Checking);
        assert_eq!(ice_connection(false, &[Checking, Connected]), Checking);
        assert_eq!(ice_connection(false, &[Completed, Closed]), Completed);
        assert_eq!(ice_connection(false, &[Completed, Connected]), Connected);
    }

    /// [4.3.3-01] [4.3.3-02] [4.3.3-03] [4.3.3-04] [4.3.3-05] [4.3.3-06] [4.3.3-07]
    #[test]
    fn the_connection_follows_ice_and_dtls() {
        use DtlsTransportState as Dtls;
        use IceTransportState as Ice;
        use PeerConnectionState as Pc;
        // With one transport, whose DTLS is new, connecting, connected, closed, failed.
        let (connecting, connected) = (Pc::Connecting, Pc::Connected);
        #[rustfmt::skip]
        let table = [
            (Ice::New,          [Pc::New,          connecting,       connecting,       Pc::New,          Pc::Failed]),
            (Ice::Checking,     [connecting,       connecting,       connecting,       connecting,       Pc::Failed]),
            (Ice::Connected,    [connecting,       connecting,       connected,        connected,        Pc::Failed]),
            (Ice::Completed,    [connecting,       connecting,       connected,        connected,        Pc::Failed]),
            (Ice::Disconnected, [Pc::Disconnected, Pc::Disconnected, Pc::Disconnected, Pc::Disconnected, Pc::Failed]),
            (Ice::Failed,       [Pc::Failed; 5]),
            (Ice::Closed,       [Pc::Closed; 5]),
        ];
        let all = [
            Dtls::New,
            Dtls::Connecting,
            Dtls::Connected,
            Dtls::Closed,
            Dtls::Failed,
        ];
        for (ice, row) in table {
            for (dtls, expected) in all.into_iter().zip(row) {
                assert_eq!(peer_connection(ice, &[dtls]), expected, "{ice:?} {dtls:?}");
            }
        }
        assert_eq!(peer_connection(Ice::New, &[]), Pc::New);
        // A transport that is closed holds nothing up.
        let closed = [Dtls::New, Dtls::Closed];
        assert_eq!(peer_connection(Ice::New, &closed), Pc::New);
        let closed = [Dtls::Connected, Dtls::Closed];
        assert_eq!(peer_connection(Ice::Connected, &closed), Pc::Connected);
        let mixed = [Dtls::Connected, Dtls::New];
        assert_eq!(peer_connection(Ice::Connected, &mixed), Pc::Connecting);
        // One that has failed is enough.
        let mixed = [Dtls::Connected, Dtls::Failed];
        assert_eq!(peer_connection(Ice::Connected, &mixed), Pc::Failed);
    }
}
