//! A piece of a description that carries candidates (RFC 8840 §9).

use oxirtc_peerconnection::{IceCandidateInit, SessionDescription};

/// What a fragment says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// The user name fragment and the password of ICE.
    pub(crate) credentials: Option<(String, String)>,
    /// The candidates, with what ends them as an empty one.
    pub(crate) candidates: Vec<IceCandidateInit>,
}

impl Fragment {
    /// Reads a fragment. Lines that say nothing of ICE are left out.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut ufrag, mut password) = (None, None);
        let (mut mid, mut section) = (None::<String>, None::<u16>);
        let mut candidates = Vec::new();
        for line in text.lines().map(str::trim_end) {
            if line.starts_with("m=") {
                section = Some(section.map_or(0, |it| it.saturating_add(1)));
                mid = None;
                continue;
            }
            let Some(attribute) = line.strip_prefix("a=") else {
                if line.is_empty() {
                    continue;
                }
                let begin: String = line.chars().take(40).collect();
                return Err(format!("{begin:?} is no line of a fragment"));
            };
            let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
            let line = match name {
                "ice-ufrag" => {
                    ufrag = Some(value.to_owned());
                    continue;
                }
                "ice-pwd" => {
                    password = Some(value.to_owned());
                    continue;
                }
                "mid" => {
                    mid = Some(value.to_owned());
                    continue;
                }
                "candidate" => attribute,
                "end-of-candidates" => "",
                _ => continue,
            };
            if candidates.len() >= MOST {
                return Err(format!("more than {MOST} candidates"));
            }
            candidates.push(IceCandidateInit {
                candidate: line.to_owned(),
                // Without a section they are of the first: all are in one bundle.
                sdp_m_line_index: mid.is_none().then(|| section.unwrap_or(0)),
                sdp_mid: mid.clone(),
                username_fragment: ufrag.clone(),
            });
        }
        Ok(Self {
            credentials: ufrag.zip(password),
            candidates,
        })
    }

    /// The lines of a description that a fragment has: those of its first section.
    pub(crate) fn of(description: &SessionDescription) -> String {
        let mut fragment = String::new();
        let mut sections = 0;
        for line in description.sdp.lines() {
            sections += u32::from(line.starts_with("m="));
            let names = [
                "a=ice-ufrag:",
                "a=ice-pwd:",
                "a=candidate:",
                "a=end-of-candidates",
            ];
            let is_of_ice = names.iter().any(|name| line.starts_with(name));
            let is_of_section = line.starts_with("m=") || line.starts_with("a=mid:");
            if sections == 1 && (is_of_ice || is_of_section) {
                fragment.push_str(line);
                fragment.push_str("\r\n");
            }
        }
        fragment
    }

    /// The description with other credentials, and no candidates: it restarts ICE.
    pub(crate) fn restarted(
        description: &SessionDescription,
        (ufrag, password): (&str, &str),
    ) -> String {
        let mut sdp = String::new();
        for line in description.sdp.lines() {
            match line {
                _ if line.starts_with("a=candidate:") || line == "a=end-of-candidates" => continue,
                _ if line.starts_with("a=ice-ufrag:") => {
                    sdp.push_str("a=ice-ufrag:");
                    sdp.push_str(ufrag);
                }
                _ if line.starts_with("a=ice-pwd:") => {
                    sdp.push_str("a=ice-pwd:");
                    sdp.push_str(password);
                }
                line => sdp.push_str(line),
            }
            sdp.push_str("\r\n");
        }
        sdp
    }
}

/// The user name fragment of a description.
pub(crate) fn ufrag(description: &SessionDescription) -> Option<&str> {
    let mut lines = description.sdp.lines();
    lines.find_map(|line| line.strip_prefix("a=ice-ufrag:"))
}

const MOST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_have_the_section_and_the_generation_that_they_stand_in() {
        let text = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
                    a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n";
        let fragment = Fragment::parse(text).unwrap();
        let (ufrag, password) = fragment.credentials.unwrap();
        assert_eq!((ufrag.as_str(), password.len()), ("EsAw", 24));
        let [first, last] = &fragment.candidates[..] else {
            panic!("{:?}", fragment.candidates);
        };
        assert!(first.candidate.starts_with("candidate:1 1 udp"));
        assert_eq!(first.sdp_mid.as_deref(), Some("0"));
        assert_eq!(first.username_fragment.as_deref(), Some("EsAw"));
        assert!(last.candidate.is_empty());
    }

    #[test]
    fn a_fragment_without_sections_is_of_the_first() {
        let fragment = Fragment::parse("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\n").unwrap();
        assert_eq!(fragment.candidates[0].sdp_m_line_index, Some(0));
        assert_eq!(fragment.credentials, None);
        let wrong = Fragment::parse(&"\u{1b}".repeat(1000)).unwrap_err();
        assert!(wrong.len() < 300 && !wrong.contains('\u{1b}'), "{wrong}");
        let many = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\n".repeat(101);
        assert!(Fragment::parse(&many).is_err());
    }

    #[test]
    fn a_restart_changes_the_credentials_of_all_sections() {
        let sdp = "v=0\r\nm=audio 9 X 0\r\na=ice-ufrag:aa\r\na=ice-pwd:bb\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n\
                   a=mid:0\r\nm=video 9 X 0\r\na=ice-ufrag:aa\r\na=ice-pwd:bb\r\na=mid:1\r\n";
        let description = SessionDescription::offer(sdp);
        assert_eq!(ufrag(&description), Some("aa"));
        let changed = Fragment::restarted(&description, ("cc", "dd"));
        let changed = SessionDescription::offer(changed);
        assert!(!changed.sdp.contains("candidate:") && !changed.sdp.contains(":aa"));
        assert_eq!(
            changed
                .sdp
                .matches("a=ice-ufrag:cc\r\na=ice-pwd:dd\r\n")
                .count(),
            2
        );
        let fragment = Fragment::of(&description);
        assert!(fragment.starts_with("m=audio 9 X 0\r\na=ice-ufrag:aa\r\n"));
        assert!(fragment.ends_with("a=mid:0\r\n") && fragment.contains("a=candidate:1 "));
    }
}
