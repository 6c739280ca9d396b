//! Session descriptions as they travel over signalling.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `RTCSessionDescription` and its dictionaries (W3C §4.6.2): `{"type": "offer", "sdp": "…"}`.
///
/// `Debug` does not show the text, as it holds the ICE password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[doc(alias = "RTCSessionDescription")]
#[doc(alias = "RTCSessionDescriptionInit")]
pub struct SessionDescription {
    /// What the description does.
    #[serde(rename = "type")]
    pub kind: SdpType,
    /// The SDP; empty for a rollback.
    #[serde(default)]
    pub sdp: String,
}

/// `RTCSdpType` (W3C §4.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[doc(alias = "RTCSdpType")]
pub enum SdpType {
    /// Starts an exchange.
    Offer,
    /// Answers without ending the exchange.
    Pranswer,
    /// Answers and ends the exchange.
    Answer,
    /// Takes back an offer: both sides are as they were before it.
    Rollback,
}

/// `RTCOfferOptions` (W3C §4.2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[doc(alias = "RTCOfferOptions")]
pub struct OfferOptions {
    /// The offer has new ICE credentials for every section.
    pub ice_restart: bool,
    /// `offerToReceiveAudio`, of old programs (W3C §4.4.3.2): true has a transceiver that receives made where there is none, false has
    /// those that there are not receive any more. Without it transceivers are as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_to_receive_audio: Option<bool>,
    /// `offerToReceiveVideo`; see `offer_to_receive_audio`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_to_receive_video: Option<bool>,
    /// `voiceActivityDetection`, of W3C's draft of 2019: true offers comfort noise (RFC 3389), which our encoder may send in the place
    /// of silence. Without it none is offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_activity_detection: Option<bool>,
}

impl SessionDescription {
    /// An offer.
    pub fn offer(sdp: impl Into<String>) -> Self {
        Self {
            kind: SdpType::Offer,
            sdp: sdp.into(),
        }
    }

    /// An answer.
    pub fn answer(sdp: impl Into<String>) -> Self {
        Self {
            kind: SdpType::Answer,
            sdp: sdp.into(),
        }
    }

    /// A provisional answer.
    pub fn pranswer(sdp: impl Into<String>) -> Self {
        Self {
            kind: SdpType::Pranswer,
            sdp: sdp.into(),
        }
    }

    /// A rollback.
    pub fn rollback() -> Self {
        Self {
            kind: SdpType::Rollback,
            sdp: String::new(),
        }
    }
}

impl fmt::Debug for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionDescription")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [4.6.2-01] [4.6.2-02] [4.6.1-01]
    #[test]
    fn json_is_the_browsers() {
        let text = r#"{"type":"pranswer","sdp":"v=0\r\n"}"#;
        let description: SessionDescription = serde_json::from_str(text).unwrap();
        assert_eq!(description, SessionDescription::pranswer("v=0\r\n"));
        assert_eq!(serde_json::to_string(&description).unwrap(), text);
        let rollback: SessionDescription = serde_json::from_str(r#"{"type":"rollback"}"#).unwrap();
        assert_eq!(rollback, SessionDescription::rollback());
        for (name, kind) in [
            ("offer", SdpType::Offer),
            ("pranswer", SdpType::Pranswer),
            ("answer", SdpType::Answer),
            ("rollback", SdpType::Rollback),
        ] {
            let text = format!(r#"{{"type":"{name}","sdp":"x"}}"#);
            let description: SessionDescription = serde_json::from_str(&text).unwrap();
            assert_eq!(description.kind, kind);
            assert_eq!(serde_json::to_string(&description).unwrap(), text);
        }
        assert!(serde_json::from_str::<SessionDescription>(r#"{"sdp":"v=0"}"#).is_err());
        assert!(serde_json::from_str::<SessionDescription>(r#"{"type":"Offer"}"#).is_err());
    }

    /// [4.2.8-01]
    #[test]
    fn unknown_members_of_options_are_ignored() {
        let options: OfferOptions = serde_json::from_str(r#"{"iceRestart":true,"x":1}"#).unwrap();
        assert!(options.ice_restart);
        assert_eq!(options.offer_to_receive_audio, None);
    }

    /// [4.4.3.2-01]
    #[test]
    fn members_of_old_are_there_when_they_were_given() {
        let text = r#"{"iceRestart":false,"offerToReceiveAudio":true,"offerToReceiveVideo":false}"#;
        let options: OfferOptions = serde_json::from_str(text).unwrap();
        assert_eq!(options.offer_to_receive_audio, Some(true));
        assert_eq!(options.offer_to_receive_video, Some(false));
        assert_eq!(serde_json::to_string(&options).unwrap(), text);
    }
}
