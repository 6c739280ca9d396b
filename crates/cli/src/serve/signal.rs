//! What the page and its peer tell each other before, and beside, the data channels.

use oxirtc_peerconnection::{IceCandidate, IceCandidateInit, SessionDescription};
use serde::{Deserialize, Serialize};

/// From the page: an object of one member.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Incoming {
    /// An offer or an answer.
    Description(SessionDescription),
    /// A candidate of the browser's; null when there are no more.
    Candidate(Option<IceCandidateInit>),
    /// True: this side is to restart ICE.
    Restart(bool),
    /// Whether this side is to play its film.
    Film(bool),
    /// The rid of the stream of the browser's camera that is to be sent back.
    Choose(String),
}

/// To the page, in the same form.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outgoing {
    /// An offer or an answer.
    Description(SessionDescription),
    /// A candidate of this side's; null when there are no more.
    Candidate(Option<IceCandidate>),
    /// What of the page's could not be used, and why.
    Error(Trouble),
    /// A tone of a telephone that the page plays.
    Heard(char),
}

/// What is wrong, for the page to say until it is over.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Trouble {
    /// What it is about.
    pub(crate) about: Subject,
    /// Why, for people.
    pub(crate) text: String,
}

/// What trouble is about, which says when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Subject {
    /// A description, or a wish: over when both sides have agreed.
    Negotiation,
    /// Addresses: over when the connection is there.
    Candidates,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_as_browsers_print_it() {
        let text = r#"{"description":{"type":"offer","sdp":"v=0\r\n"}}"#;
        let description = SessionDescription::offer("v=0\r\n");
        let read: Incoming = serde_json::from_str(text).unwrap();
        assert_eq!(read, Incoming::Description(description.clone()));
        assert_eq!(
            serde_json::to_string(&Outgoing::Description(description)).unwrap(),
            text
        );
    }

    /// By `about` the page knows when to say it no more.
    #[test]
    fn trouble_says_what_it_is_about() {
        let told = |about| {
            let text = "why".to_owned();
            serde_json::to_string(&Outgoing::Error(Trouble { about, text })).unwrap()
        };
        assert_eq!(
            [told(Subject::Negotiation), told(Subject::Candidates)],
            [
                r#"{"error":{"about":"negotiation","text":"why"}}"#,
                r#"{"error":{"about":"candidates","text":"why"}}"#,
            ]
        );
    }

    #[test]
    fn a_candidate_may_have_nulls_and_may_be_null() {
        let text = r#"{"candidate":{"candidate":"candidate:1 1 udp 2 a.local 9 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null}}"#;
        let Incoming::Candidate(Some(candidate)) = serde_json::from_str(text).unwrap() else {
            panic!("no candidate in {text}");
        };
        assert_eq!(candidate.sdp_mid.as_deref(), Some("0"));
        assert_eq!(candidate.sdp_m_line_index, Some(0));
        assert_eq!(candidate.username_fragment, None);
        let end: Incoming = serde_json::from_str(r#"{"candidate":null}"#).unwrap();
        assert_eq!(end, Incoming::Candidate(None));
        assert_eq!(
            serde_json::to_string(&Outgoing::Candidate(None)).unwrap(),
            r#"{"candidate":null}"#
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "{}",
            "null",
            "[]",
            r#"{"description":{}}"#,
            r#"{"other":1}"#,
            r#"{"restart":"x"}"#,
        ] {
            assert!(serde_json::from_str::<Incoming>(text).is_err(), "{text}");
        }
        let choose: Incoming = serde_json::from_str(r#"{"choose":"q"}"#).unwrap();
        assert_eq!(choose, Incoming::Choose("q".to_owned()));
        let film: Incoming = serde_json::from_str(r#"{"film":false}"#).unwrap();
        assert_eq!(film, Incoming::Film(false));
        let restart: Incoming = serde_json::from_str(r#"{"restart":true}"#).unwrap();
        assert_eq!(restart, Incoming::Restart(true));
    }
}
