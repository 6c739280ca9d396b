//! datachannel, sctp and the application.

use std::time::Duration;

use oxirtc_datachannel as datachannel;
use oxirtc_sctp as sctp;

use crate::{DataChannelInit, DataChannelState, Error, ErrorKind, Message, Priority};

/// W3C §6.1: the checks that are not the session's ([6-04], [6-05]).
pub(in crate::engine) fn parameters(
    label: &str,
    init: &DataChannelInit,
) -> Result<datachannel::Parameters, Error> {
    let wrong = |message: &str| Err(Error::new(ErrorKind::Type, message));
    let negotiated = init.id.filter(|_| init.negotiated);
    // The order of W3C's steps: lengths, then the id, then reliability.
    if label.len() > MAX_TEXT || init.protocol.len() > MAX_TEXT {
        return wrong("label and protocol have at most 65,535 bytes each");
    }
    if init.negotiated && init.id.is_none() {
        return wrong("a negotiated channel needs an id");
    }
    let reliability = match (init.max_packet_life_time, init.max_retransmits) {
        (None, None) => datachannel::Reliability::Reliable,
        (None, Some(most)) => datachannel::Reliability::Retransmits(most),
        (Some(ms), None) => datachannel::Reliability::Lifetime(Duration::from_millis(ms.into())),
        (Some(_), Some(_)) => {
            return wrong("a channel has maxPacketLifeTime or maxRetransmits, not both");
        }
    };
    let mut parameters = datachannel::Parameters::new(label);
    parameters.protocol.clone_from(&init.protocol);
    parameters.ordered = init.ordered;
    parameters.reliability = reliability;
    parameters.priority = own_priority(init.priority);
    parameters.negotiated = negotiated;
    Ok(parameters)
}

pub(in crate::engine) fn max_retransmits(reliability: datachannel::Reliability) -> Option<u16> {
    match reliability {
        datachannel::Reliability::Retransmits(most) => Some(most),
        _ => None,
    }
}

/// In milliseconds: DCEP has 32 bits of them, W3C 16.
pub(in crate::engine) fn max_packet_life_time(
    reliability: datachannel::Reliability,
) -> Option<u16> {
    match reliability {
        datachannel::Reliability::Lifetime(lifetime) => {
            Some(u16::try_from(lifetime.as_millis()).unwrap_or(u16::MAX))
        }
        _ => None,
    }
}

pub(in crate::engine) fn channel_state(state: datachannel::State) -> DataChannelState {
    match state {
        datachannel::State::Connecting => DataChannelState::Connecting,
        datachannel::State::Open => DataChannelState::Open,
        datachannel::State::Closing => DataChannelState::Closing,
        datachannel::State::Closed => DataChannelState::Closed,
    }
}

fn own_priority(priority: Priority) -> datachannel::Priority {
    match priority {
        Priority::VeryLow => datachannel::Priority::VeryLow,
        Priority::Low => datachannel::Priority::Low,
        Priority::Medium => datachannel::Priority::Medium,
        Priority::High => datachannel::Priority::High,
    }
}

/// What a priority counts (RFC 8831 §6.4).
pub(in crate::engine) fn weight(priority: Priority) -> u16 {
    own_priority(priority).weight()
}

pub(in crate::engine) fn priority(priority: datachannel::Priority) -> Priority {
    match priority {
        datachannel::Priority::VeryLow => Priority::VeryLow,
        datachannel::Priority::Low => Priority::Low,
        datachannel::Priority::Medium => Priority::Medium,
        datachannel::Priority::High => Priority::High,
    }
}

pub(in crate::engine) fn reliability(reliability: datachannel::Reliability) -> sctp::Reliability {
    match reliability {
        datachannel::Reliability::Reliable => sctp::Reliability::Reliable,
        datachannel::Reliability::Retransmits(most) => sctp::Reliability::Retransmits(most),
        datachannel::Reliability::Lifetime(lifetime) => sctp::Reliability::Lifetime(lifetime),
    }
}

pub(in crate::engine) fn payload(message: &Message) -> datachannel::Payload {
    match message {
        Message::Text(text) => datachannel::Payload::Text(text.clone()),
        Message::Binary(bytes) => datachannel::Payload::Binary(bytes.clone()),
    }
}

pub(in crate::engine) fn message(payload: datachannel::Payload) -> Message {
    match payload {
        datachannel::Payload::Text(text) => Message::Text(text),
        datachannel::Payload::Binary(bytes) => Message::Binary(bytes),
    }
}

pub(in crate::engine) fn channel_error(error: datachannel::Error) -> Error {
    let kind = match error {
        datachannel::Error::LabelTooLong
        | datachannel::Error::ProtocolTooLong
        | datachannel::Error::InvalidId => ErrorKind::Type,
        datachannel::Error::NotOpen | datachannel::Error::UnknownChannel => ErrorKind::InvalidState,
        _ => ErrorKind::Operation,
    };
    Error::new(kind, error.to_string())
}

const MAX_TEXT: usize = 65_535;
