//! jsep and the application.

use oxirtc_jsep as jsep;

use crate::{
    BundlePolicy, Error, ErrorDetail, ErrorKind, OfferOptions, SdpType, SessionDescription,
    SignalingState,
};

pub(in crate::engine) fn description(description: jsep::Description) -> SessionDescription {
    let kind = match description.kind {
        jsep::SdpType::Offer => SdpType::Offer,
        jsep::SdpType::Pranswer => SdpType::Pranswer,
        jsep::SdpType::Answer => SdpType::Answer,
        jsep::SdpType::Rollback => SdpType::Rollback,
    };
    SessionDescription {
        kind,
        sdp: description.sdp,
    }
}

pub(in crate::engine) fn own_description(description: SessionDescription) -> jsep::Description {
    let kind = match description.kind {
        SdpType::Offer => jsep::SdpType::Offer,
        SdpType::Pranswer => jsep::SdpType::Pranswer,
        SdpType::Answer => jsep::SdpType::Answer,
        SdpType::Rollback => jsep::SdpType::Rollback,
    };
    jsep::Description {
        kind,
        sdp: description.sdp,
    }
}

pub(in crate::engine) fn offer_options(options: &OfferOptions) -> jsep::OfferOptions {
    jsep::OfferOptions {
        ice_restart: options.ice_restart,
        comfort_noise: options.voice_activity_detection == Some(true),
    }
}

pub(in crate::engine) fn bundle_policy(policy: BundlePolicy) -> jsep::BundlePolicy {
    match policy {
        BundlePolicy::Balanced => jsep::BundlePolicy::Balanced,
        BundlePolicy::MaxCompat => jsep::BundlePolicy::MaxCompat,
        BundlePolicy::MaxBundle => jsep::BundlePolicy::MaxBundle,
    }
}

pub(in crate::engine) fn signaling_state(state: jsep::SignalingState) -> SignalingState {
    match state {
        jsep::SignalingState::Stable => SignalingState::Stable,
        jsep::SignalingState::HaveLocalOffer => SignalingState::HaveLocalOffer,
        jsep::SignalingState::HaveRemoteOffer => SignalingState::HaveRemoteOffer,
        jsep::SignalingState::HaveLocalPranswer => SignalingState::HaveLocalPranswer,
        jsep::SignalingState::HaveRemotePranswer => SignalingState::HaveRemotePranswer,
        jsep::SignalingState::Closed => SignalingState::Closed,
    }
}

pub(in crate::engine) fn negotiation_error(error: jsep::Error) -> Error {
    let kind = match error {
        jsep::Error::SdpSyntax { line, .. } => {
            let detail = ErrorDetail::SdpSyntaxError { line_number: line };
            return Error::with_detail(detail, error.to_string());
        }
        jsep::Error::InvalidState(_) => ErrorKind::InvalidState,
        jsep::Error::InvalidAccess(_) => ErrorKind::InvalidAccess,
        jsep::Error::InvalidModification(_) => ErrorKind::InvalidModification,
        jsep::Error::Type(_) => ErrorKind::Type,
        _ => ErrorKind::Operation,
    };
    let message = match error {
        jsep::Error::InvalidState(message)
        | jsep::Error::InvalidAccess(message)
        | jsep::Error::InvalidModification(message)
        | jsep::Error::Operation(message)
        | jsep::Error::Type(message) => message.to_owned(),
        error => error.to_string(),
    };
    Error::new(kind, message)
}
