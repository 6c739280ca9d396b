//! Values of the layers and of the engine, in the words of statistics.

use oxirtc_datachannel as datachannel;
use oxirtc_dtls as dtls;
use oxirtc_ice as ice;
use oxirtc_stats as stats;

use crate::{DtlsTransportState, IceRole, IceServerTransportProtocol, IceTransportState};

pub(in crate::engine) fn stats_pair_state(state: ice::PairState) -> stats::CandidatePairState {
    match state {
        ice::PairState::Frozen => stats::CandidatePairState::Frozen,
        ice::PairState::Waiting => stats::CandidatePairState::Waiting,
        ice::PairState::InProgress => stats::CandidatePairState::InProgress,
        ice::PairState::Succeeded => stats::CandidatePairState::Succeeded,
        ice::PairState::Failed => stats::CandidatePairState::Failed,
    }
}

pub(in crate::engine) fn stats_candidate_type(kind: ice::CandidateKind) -> stats::IceCandidateType {
    match kind {
        ice::CandidateKind::Host => stats::IceCandidateType::Host,
        ice::CandidateKind::ServerReflexive => stats::IceCandidateType::Srflx,
        ice::CandidateKind::PeerReflexive => stats::IceCandidateType::Prflx,
        ice::CandidateKind::Relayed => stats::IceCandidateType::Relay,
    }
}

pub(in crate::engine) fn stats_tcp_type(kind: ice::TcpType) -> stats::IceTcpCandidateType {
    match kind {
        ice::TcpType::Active => stats::IceTcpCandidateType::Active,
        ice::TcpType::Passive => stats::IceTcpCandidateType::Passive,
        ice::TcpType::SimultaneousOpen => stats::IceTcpCandidateType::So,
    }
}

pub(in crate::engine) fn stats_relay_protocol(
    protocol: IceServerTransportProtocol,
) -> stats::IceServerTransportProtocol {
    match protocol {
        IceServerTransportProtocol::Udp => stats::IceServerTransportProtocol::Udp,
        IceServerTransportProtocol::Tcp => stats::IceServerTransportProtocol::Tcp,
        IceServerTransportProtocol::Tls => stats::IceServerTransportProtocol::Tls,
    }
}

pub(in crate::engine) fn stats_dtls_role(role: Option<dtls::Role>) -> stats::DtlsRole {
    match role {
        Some(dtls::Role::Client) => stats::DtlsRole::Client,
        Some(dtls::Role::Server) => stats::DtlsRole::Server,
        None => stats::DtlsRole::Unknown,
    }
}

pub(in crate::engine) fn stats_dtls_state(state: DtlsTransportState) -> stats::DtlsTransportState {
    match state {
        DtlsTransportState::New => stats::DtlsTransportState::New,
        DtlsTransportState::Connecting => stats::DtlsTransportState::Connecting,
        DtlsTransportState::Connected => stats::DtlsTransportState::Connected,
        DtlsTransportState::Closed => stats::DtlsTransportState::Closed,
        DtlsTransportState::Failed => stats::DtlsTransportState::Failed,
    }
}

pub(in crate::engine) fn stats_ice_state(state: IceTransportState) -> stats::IceTransportState {
    match state {
        IceTransportState::New => stats::IceTransportState::New,
        IceTransportState::Checking => stats::IceTransportState::Checking,
        IceTransportState::Connected => stats::IceTransportState::Connected,
        IceTransportState::Completed => stats::IceTransportState::Completed,
        IceTransportState::Disconnected => stats::IceTransportState::Disconnected,
        IceTransportState::Failed => stats::IceTransportState::Failed,
        IceTransportState::Closed => stats::IceTransportState::Closed,
    }
}

pub(in crate::engine) fn stats_ice_role(role: IceRole) -> stats::IceRole {
    match role {
        IceRole::Unknown => stats::IceRole::Unknown,
        IceRole::Controlling => stats::IceRole::Controlling,
        IceRole::Controlled => stats::IceRole::Controlled,
    }
}

pub(in crate::engine) fn stats_channel_state(state: datachannel::State) -> stats::DataChannelState {
    match state {
        datachannel::State::Connecting => stats::DataChannelState::Connecting,
        datachannel::State::Open => stats::DataChannelState::Open,
        datachannel::State::Closing => stats::DataChannelState::Closing,
        datachannel::State::Closed => stats::DataChannelState::Closed,
    }
}
