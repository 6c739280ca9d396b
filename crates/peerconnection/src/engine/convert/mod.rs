//! The borders: the only place where the types of two layers meet.

mod channel;
mod codec;
mod dependencies;
mod description;
mod dtls;
mod frame;
mod ice;
mod media;
mod stats;

pub(super) use channel::{
    channel_error, channel_state, max_packet_life_time, max_retransmits, message, parameters,
    payload, priority, reliability, weight,
};
pub(super) use codec::{media_kind, named_codec, shown_kind, takes_single_units, uses_dtx};
pub(super) use description::{
    bundle_policy, description, negotiation_error, offer_options, own_description, signaling_state,
};
pub(super) use dtls::{channel_role, dtls_config, dtls_role, fingerprint, fingerprints};
pub use frame::Cutter;
pub(super) use frame::{shown_frame, shown_packet};
pub(super) use ice::{
    credentials, gathering_state, ice_config, ice_path, ice_role, ice_state, interfaces,
    local_candidate, path, relay_protocol, remote_candidate, request, servers, shown_pair,
    shown_role, transport_policy,
};
pub use media::capabilities_of;
pub(super) use media::{
    capabilities, codec_of, direction, encoding, equip, hidden, in_both_forms, is_known, is_sent,
    payload_type, section, shown_codecs, shown_direction, shown_extensions,
    shown_receive_parameters, shown_source,
};
pub(super) use stats::{
    stats_candidate_type, stats_channel_state, stats_dtls_role, stats_dtls_state, stats_ice_role,
    stats_ice_state, stats_pair_state, stats_relay_protocol, stats_tcp_type,
};
