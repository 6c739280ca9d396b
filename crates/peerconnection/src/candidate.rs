//! ICE candidates as they travel over signalling.

use std::{fmt, sync::Arc};

use oxirtc_sdp as sdp;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Protocol};

/// `RTCIceCandidate` (W3C §4.8.1): a candidate, with what its line says.
///
/// A line that does not parse is no error: what it should have said is then absent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "RTCIceCandidate")]
pub struct IceCandidate {
    /// It never changes, and is shown in several places.
    told: Arc<Told>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    init: IceCandidateInit,
    parsed: Option<sdp::Candidate>,
    url: Option<String>,
    relay: Option<IceServerTransportProtocol>,
}

/// `RTCIceCandidateInit` (W3C §4.8.1): what is sent to the peer, and what came from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[doc(alias = "RTCIceCandidateInit")]
pub struct IceCandidateInit {
    /// `candidate:…`; empty at the end of the candidates of a generation.
    pub candidate: String,
    /// The mid of the section that it belongs to.
    pub sdp_mid: Option<String>,
    /// The index of that section.
    pub sdp_m_line_index: Option<u16>,
    /// The ufrag of the generation that it belongs to.
    pub username_fragment: Option<String>,
}

/// `RTCIceComponent` (W3C §5.6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCIceComponent")]
pub enum IceComponent {
    /// RTP, and whatever is multiplexed with it; data as well.
    Rtp,
    /// RTCP.
    Rtcp,
}

/// `RTCIceCandidateType` (W3C §4.8.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCIceCandidateType")]
pub enum IceCandidateType {
    /// An address of an interface.
    Host,
    /// What a STUN server saw.
    Srflx,
    /// What the peer saw.
    Prflx,
    /// An address of a TURN server.
    Relay,
}

/// `RTCIceTcpCandidateType` (W3C §4.8.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCIceTcpCandidateType")]
pub enum IceTcpCandidateType {
    /// It connects.
    Active,
    /// It listens.
    Passive,
    /// Both connect at once.
    So,
}

/// `RTCIceServerTransportProtocol` (W3C §4.8.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "RTCIceServerTransportProtocol")]
pub enum IceServerTransportProtocol {
    /// By datagrams.
    Udp,
    /// By a TCP stream.
    Tcp,
    /// By a TLS stream.
    Tls,
}

/// `RTCPeerConnectionIceErrorEvent` (W3C §4.8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "RTCPeerConnectionIceErrorEvent")]
pub struct IceCandidateError {
    /// The local address, when a candidate has shown it already.
    pub address: Option<String>,
    /// The local port, likewise.
    pub port: Option<u16>,
    /// The server.
    pub url: String,
    /// A STUN error code, or 701 when the server cannot be reached.
    pub error_code: u16,
    /// The server's words.
    pub error_text: String,
}

impl IceCandidate {
    /// Reads the line of `init`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Type`] when neither the mid nor the index of its section is given.
    pub fn new(init: IceCandidateInit) -> Result<Self, Error> {
        if init.sdp_mid.is_none() && init.sdp_m_line_index.is_none() {
            let message = "a candidate needs sdpMid or sdpMLineIndex";
            return Err(Error::new(ErrorKind::Type, message));
        }
        Ok(Self::read(init))
    }

    /// Without the check of [`new`](Self::new): what the engine itself knows the place of.
    pub(crate) fn read(init: IceCandidateInit) -> Self {
        let parsed = sdp::Candidate::parse(&init.candidate).ok();
        // [4.8.1-03]: a field of an unknown kind is invalid, so none is shown.
        let parsed = parsed.filter(|it| {
            matches!(it.component, 1 | 2)
                && !matches!(it.transport, sdp::Transport::Other(_))
                && !matches!(it.address, sdp::Address::Other(_))
                && !matches!(it.kind, sdp::CandidateKind::Other(_))
        });
        Self::of(init, parsed)
    }

    /// What only a check has shown: all but the address, and no line.
    pub(crate) fn untold(candidate: sdp::Candidate, username_fragment: &str) -> Self {
        let init = IceCandidateInit {
            username_fragment: Some(username_fragment.to_owned()),
            ..IceCandidateInit::default()
        };
        let parsed = sdp::Candidate {
            address: sdp::Address::Name(String::new()),
            related: None,
            ..candidate
        };
        Self::of(init, Some(parsed))
    }

    fn of(init: IceCandidateInit, parsed: Option<sdp::Candidate>) -> Self {
        let told = Told {
            init,
            parsed,
            url: None,
            relay: None,
        };
        Self {
            told: Arc::new(told),
        }
    }

    /// The same, with the server that it came from.
    pub(crate) fn of_server(
        mut self,
        url: Option<String>,
        relay: Option<IceServerTransportProtocol>,
    ) -> Self {
        let told = Arc::make_mut(&mut self.told);
        (told.url, told.relay) = (url, relay);
        self
    }

    /// What its line says.
    pub(crate) fn line(&self) -> Option<&sdp::Candidate> {
        self.told.parsed.as_ref()
    }

    /// The line: `candidate:…`; empty at the end of the candidates of a generation.
    pub fn candidate(&self) -> &str {
        &self.told.init.candidate
    }

    /// The mid of its section.
    pub fn sdp_mid(&self) -> Option<&str> {
        self.told.init.sdp_mid.as_deref()
    }

    /// The index of its section.
    pub fn sdp_m_line_index(&self) -> Option<u16> {
        self.told.init.sdp_m_line_index
    }

    /// Equal for candidates that are likely to fare alike.
    pub fn foundation(&self) -> Option<&str> {
        self.told.parsed.as_ref().map(|it| it.foundation.as_str())
    }

    /// RTP or RTCP.
    pub fn component(&self) -> Option<IceComponent> {
        self.told.parsed.as_ref().map(|it| match it.component {
            2 => IceComponent::Rtcp,
            _ => IceComponent::Rtp,
        })
    }

    /// The higher, the earlier it is tried.
    pub fn priority(&self) -> Option<u32> {
        self.told.parsed.as_ref().map(|it| it.priority)
    }

    /// An IP address, or a name.
    pub fn address(&self) -> Option<String> {
        self.shown().map(|it| text_of(&it.address))
    }

    /// UDP or TCP.
    pub fn protocol(&self) -> Option<Protocol> {
        match self.told.parsed.as_ref()?.transport {
            sdp::Transport::Udp => Some(Protocol::Udp),
            sdp::Transport::Tcp => Some(Protocol::Tcp),
            _ => None,
        }
    }

    /// The port.
    pub fn port(&self) -> Option<u16> {
        self.shown().map(|it| it.port)
    }

    /// [4.8.1-06]: a candidate without a line shows no address.
    fn shown(&self) -> Option<&sdp::Candidate> {
        let told = !self.told.init.candidate.is_empty();
        self.told.parsed.as_ref().filter(|_| told)
    }

    /// How it was found: W3C's `type`.
    pub fn kind(&self) -> Option<IceCandidateType> {
        match self.told.parsed.as_ref()?.kind {
            sdp::CandidateKind::Host => Some(IceCandidateType::Host),
            sdp::CandidateKind::ServerReflexive => Some(IceCandidateType::Srflx),
            sdp::CandidateKind::PeerReflexive => Some(IceCandidateType::Prflx),
            sdp::CandidateKind::Relayed => Some(IceCandidateType::Relay),
            _ => None,
        }
    }

    /// Which end of a TCP candidate connects.
    pub fn tcp_type(&self) -> Option<IceTcpCandidateType> {
        let parsed = self.told.parsed.as_ref()?;
        let tcp_type = parsed
            .tcp_type
            .filter(|_| parsed.transport == sdp::Transport::Tcp)?;
        Some(match tcp_type {
            sdp::TcpType::Active => IceTcpCandidateType::Active,
            sdp::TcpType::Passive => IceTcpCandidateType::Passive,
            sdp::TcpType::SimultaneousOpen => IceTcpCandidateType::So,
        })
    }

    /// The base of a reflexive, the mapped address of a relayed candidate.
    pub fn related_address(&self) -> Option<String> {
        self.related().map(|(address, _)| text_of(address))
    }

    /// The port of [`related_address`](Self::related_address).
    pub fn related_port(&self) -> Option<u16> {
        self.related().map(|(_, port)| *port)
    }

    fn related(&self) -> Option<&(sdp::Address, u16)> {
        let parsed = self.told.parsed.as_ref()?;
        parsed
            .related
            .as_ref()
            .filter(|_| parsed.kind != sdp::CandidateKind::Host)
    }

    /// The ufrag of its generation, as the dictionary gave it; what the line says in an extension does not count.
    pub fn username_fragment(&self) -> Option<&str> {
        self.told.init.username_fragment.as_deref()
    }

    /// How the server of a local relayed candidate is reached.
    pub fn relay_protocol(&self) -> Option<IceServerTransportProtocol> {
        self.told.relay
    }

    /// The server of a local reflexive or relayed candidate.
    pub fn url(&self) -> Option<&str> {
        self.told.url.as_deref()
    }

    /// `toJSON()`: what the peer needs.
    #[doc(alias = "toJSON")]
    pub fn to_init(&self) -> IceCandidateInit {
        self.told.init.clone()
    }
}

fn text_of(address: &sdp::Address) -> String {
    match address {
        sdp::Address::Ip(ip) => ip.to_string(),
        sdp::Address::Name(name) | sdp::Address::Other(name) => name.clone(),
    }
}

impl From<IceCandidate> for IceCandidateInit {
    fn from(candidate: IceCandidate) -> Self {
        Arc::unwrap_or_clone(candidate.told).init
    }
}

/// `None` ends the candidates, as an empty one does.
impl From<Option<IceCandidate>> for IceCandidateInit {
    fn from(candidate: Option<IceCandidate>) -> Self {
        candidate.map(Self::from).unwrap_or_default()
    }
}

/// `None` ends the candidates, as an empty one does.
impl From<Option<Self>> for IceCandidateInit {
    fn from(candidate: Option<Self>) -> Self {
        candidate.unwrap_or_default()
    }
}

impl Serialize for IceCandidate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.told.init.serialize(serializer)
    }
}

impl fmt::Display for IceCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told.init.candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(line: &str) -> IceCandidate {
        let candidate = line.to_owned();
        let init = IceCandidateInit {
            candidate,
            sdp_m_line_index: Some(0),
            ..Default::default()
        };
        IceCandidate::new(init).unwrap()
    }

    /// [4.8.1-01]
    #[test]
    fn a_candidate_needs_its_section() {
        let error = IceCandidate::new(IceCandidateInit::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Type);
        // Either will do; an empty mid is one.
        let by_mid = IceCandidateInit {
            sdp_mid: Some(String::new()),
            ..IceCandidateInit::default()
        };
        let by_index = IceCandidateInit {
            sdp_m_line_index: Some(0),
            ..IceCandidateInit::default()
        };
        for init in [by_mid, by_index] {
            let candidate = IceCandidate::new(init.clone()).unwrap();
            assert_eq!(candidate.to_init(), init);
        }
    }

    /// [4.8.1-02] [4.8.1-03] [4.8.1-04]
    #[test]
    fn what_does_not_parse_shows_nothing() {
        for line in [
            "",
            "candidate:",
            "1 1 udp 1 10.0.0.1 9 typ host",
            "a=candidate:1 1 udp 1 10.0.0.1 9 typ host",
            "candidate:1 1 udp 1 10.0.0.1 70000 typ host",
            "candidate:1 3 udp 1 10.0.0.1 9 typ host",
            "candidate:1 1 sctp 1 10.0.0.1 9 typ host",
            "candidate:1 1 udp 1 10.0.0.1 9 typ other",
            "candidate:1 1 udp 1 fe80::1%eth0 9 typ host",
            "candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n",
        ] {
            let candidate = candidate(line);
            assert_eq!(candidate.candidate(), line);
            assert_eq!(candidate.sdp_m_line_index(), Some(0));
            assert_eq!(candidate.foundation(), None, "{line}");
            assert_eq!(candidate.address(), None);
            assert_eq!(candidate.kind(), None);
        }
    }

    /// [4.8.1-05] [4.8.1.1-01] [4.8.1.1-02] [4.8.1.2-01] [4.8.1.3-01] [4.8.1.4-01] [5.6.6-01]
    #[test]
    fn the_line_shows_its_parts() {
        let it = candidate(
            "candidate:842163049 1 UDP 1677729535 fd00::1 3478 typ srflx raddr 10.0.0.1 rport 9 \
             generation 0 ufrag EsAw network-cost 999",
        );
        assert_eq!(it.foundation(), Some("842163049"));
        assert_eq!(it.component(), Some(IceComponent::Rtp));
        assert_eq!(it.priority(), Some(1_677_729_535));
        assert_eq!(it.address().as_deref(), Some("fd00::1"));
        assert_eq!(it.protocol(), Some(Protocol::Udp));
        assert_eq!(it.port(), Some(3478));
        assert_eq!(it.kind(), Some(IceCandidateType::Srflx));
        assert_eq!(it.tcp_type(), None);
        assert_eq!(it.related_address().as_deref(), Some("10.0.0.1"));
        assert_eq!(it.related_port(), Some(9));
        assert_eq!(it.username_fragment(), None, "it is no part of the line");
        let host =
            candidate("candidate:1 2 tcp 1 a-b.local 9 typ host tcptype active raddr ::1 rport 4");
        assert_eq!(host.component(), Some(IceComponent::Rtcp));
        assert_eq!(host.tcp_type(), Some(IceTcpCandidateType::Active));
        assert_eq!((host.port(), host.related_address()), (Some(9), None));
        for (text, expected) in [
            ("passive", IceTcpCandidateType::Passive),
            ("so", IceTcpCandidateType::So),
        ] {
            let it = candidate(&format!(
                "candidate:1 1 tcp 1 10.0.0.1 5 typ host tcptype {text}"
            ));
            assert_eq!(it.tcp_type(), Some(expected));
        }
        assert_eq!(host.address().as_deref(), Some("a-b.local"));
        for (text, expected) in [
            ("host", IceCandidateType::Host),
            ("srflx", IceCandidateType::Srflx),
            ("prflx", IceCandidateType::Prflx),
            ("relay", IceCandidateType::Relay),
        ] {
            let line = format!("candidate:1 1 udp 1 10.0.0.1 5 typ {text} raddr ::1 rport 4");
            let it = candidate(&line);
            assert_eq!(it.kind(), Some(expected));
            assert_eq!(it.related_port().is_none(), text == "host");
        }
        for (text, expected) in [
            ("udp", Protocol::Udp),
            ("UDP", Protocol::Udp),
            ("tcp", Protocol::Tcp),
            ("TCP", Protocol::Tcp),
        ] {
            let line = format!("candidate:1 1 {text} 1 10.0.0.1 5 typ host tcptype so");
            let it = candidate(&line);
            assert_eq!(it.protocol(), Some(expected));
            let tcp_type = (expected == Protocol::Tcp).then_some(IceTcpCandidateType::So);
            assert_eq!(it.tcp_type(), tcp_type, "there is none of UDP");
        }
    }

    /// [4.8.1-05]
    #[test]
    fn the_ufrag_is_that_of_the_dictionary() {
        let line = "candidate:1 1 udp 1 10.0.0.1 9 typ host ufrag line";
        let init = IceCandidateInit {
            candidate: line.to_owned(),
            sdp_mid: Some("0".to_owned()),
            username_fragment: Some("dictionary".to_owned()),
            ..Default::default()
        };
        let it = IceCandidate::new(init).unwrap();
        assert_eq!(it.username_fragment(), Some("dictionary"));
        assert_eq!(candidate(line).username_fragment(), None);
    }

    #[test]
    fn no_candidate_is_the_end_of_them() {
        let end = IceCandidateInit::default();
        assert_eq!(IceCandidateInit::from(None::<IceCandidate>), end);
        assert_eq!(IceCandidateInit::from(None::<IceCandidateInit>), end);
    }

    /// [4.8.1-08]
    #[test]
    fn json_has_four_members() {
        let it = candidate("candidate:1 1 udp 1 10.0.0.1 9 typ host");
        let json = serde_json::to_string(&it).unwrap();
        let text = "{\"candidate\":\"candidate:1 1 udp 1 10.0.0.1 9 typ host\",\"sdpMid\":null,\
                    \"sdpMLineIndex\":0,\"usernameFragment\":null}";
        assert_eq!(json, text);
        let back: IceCandidateInit = serde_json::from_str(&json).unwrap();
        assert_eq!(back, it.to_init());
        assert_eq!(
            serde_json::from_str::<IceCandidateInit>("{}").unwrap(),
            IceCandidateInit::default()
        );
    }
}
