//! Events in words, for tables that can be held against the specification.

use oxirtc_peerconnection::engine::{DtlsTransportEvent, Event, IceTransportEvent};

use super::End;

/// An event as a word, of all objects.
pub(crate) fn word(event: &Event) -> Option<String> {
    Some(match event {
        Event::NegotiationNeeded => "negotiationneeded".into(),
        Event::SignalingStateChange(state) => format!("signalingstatechange {state:?}"),
        Event::IceGatheringStateChange(state) => format!("icegatheringstatechange {state:?}"),
        Event::IceCandidate(None) => "icecandidate null".into(),
        Event::IceCandidate(Some(it)) if it.candidate().is_empty() => "icecandidate end".into(),
        Event::IceCandidate(Some(_)) => "icecandidate".into(),
        Event::IceConnectionStateChange(state) => format!("iceconnectionstatechange {state:?}"),
        Event::ConnectionStateChange(state) => format!("connectionstatechange {state:?}"),
        Event::DataChannel(_) => "datachannel".into(),
        Event::Channel(_, event) => format!("channel {event:?}").to_lowercase(),
        Event::IceTransport(_, event) => match event {
            IceTransportEvent::StateChange(state) => format!("ice statechange {state:?}"),
            IceTransportEvent::GatheringStateChange(state) => {
                format!("ice gatheringstatechange {state:?}")
            }
            IceTransportEvent::SelectedCandidatePairChange(_) => {
                "ice selectedcandidatepairchange".into()
            }
        },
        Event::DtlsTransport(_, DtlsTransportEvent::StateChange(state)) => {
            format!("dtls statechange {state:?}")
        }
        Event::SctpTransport(state) => format!("sctp statechange {state:?}"),
        Event::Track { streams, .. } => format!("track {streams:?}"),
        Event::StreamChange { stream, added, .. } => {
            format!(
                "{} {stream}",
                if *added { "addtrack" } else { "removetrack" }
            )
        }
        Event::TrackMute(_, muted) => if *muted { "mute" } else { "unmute" }.into(),
        Event::ToneChange(_, tone) => format!("tonechange {tone:?}"),
        Event::TrackEnded(_) => "ended".into(),
        Event::PeerClosed => "the peer has closed".into(),
        _ => return None,
    })
}

/// What was told since the last time, a line a task.
pub(crate) fn lines(end: &mut End) -> Vec<String> {
    let tasks = std::mem::take(&mut end.tasks);
    let lines = tasks.iter().map(|task| {
        let words: Vec<_> = task.iter().filter_map(word).collect();
        words.join(", ")
    });
    lines.filter(|line| !line.is_empty()).collect()
}
