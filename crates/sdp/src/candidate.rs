//! The candidate attribute (RFC 8839 §5.1, RFC 6544 §4.5), in a description or alone.

use std::{fmt, net::IpAddr};

use crate::{
    Reason,
    scan::{fields, is_ice_text, is_token, number},
};

/// A transport address that ICE may try.
///
/// Owned, as candidates travel alone between peers. `Display` writes `candidate:…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Equal for candidates of one kind, base and server.
    pub foundation: String,
    /// 1 is RTP and everything that is multiplexed with it, 2 is RTCP.
    pub component: u16,
    /// The transport protocol.
    pub transport: Transport,
    /// The higher, the earlier it is tried.
    pub priority: u32,
    /// Where to send.
    pub address: Address,
    /// The port there; 9 where an active TCP candidate has none.
    pub port: u16,
    /// How it was found.
    pub kind: CandidateKind,
    /// The base of a reflexive, the mapped address of a relayed candidate.
    pub related: Option<(Address, u16)>,
    /// Which end opens the TCP connection (RFC 6544). Absent also where the line has a type that is not
    /// known, which is then one of the extensions.
    pub tcp_type: Option<TcpType>,
    /// Further pairs of name and value: `generation`, `network-cost`, `ufrag`, …
    pub extensions: Vec<(String, String)>,
}

/// An address of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// IPv4 or IPv6.
    Ip(IpAddr),
    /// A name to resolve, such as the `.local` names of multicast DNS.
    Name(String),
    /// Something else, such as an address with a zone: the candidate is of no use, but no error
    /// (RFC 8839 §5.1).
    Other(String),
}

/// The transport protocol of a candidate, written in any case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP (RFC 6544).
    Tcp,
    /// Something else: the candidate is of no use, but no error (RFC 8839 §5.1).
    Other(String),
}

/// How a candidate was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CandidateKind {
    /// `host`: an address of an interface.
    Host,
    /// `srflx`: what a STUN server saw.
    ServerReflexive,
    /// `prflx`: what a peer saw.
    PeerReflexive,
    /// `relay`: an address of a TURN server.
    Relayed,
    /// Something else: the candidate is of no use, but no error (RFC 8839 §5.1).
    Other(String),
}

/// Which end opens the TCP connection (RFC 6544 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcpType {
    /// This end connects.
    Active,
    /// This end listens.
    Passive,
    /// Both ends connect at once.
    SimultaneousOpen,
}

impl Candidate {
    /// Reads `candidate:…`, the `candidate-attribute` of the W3C API. The prefix is required; `a=` is
    /// no part of it. It is one line: its end is no part of it either.
    ///
    /// # Errors
    ///
    /// [`Reason::ControlCharacter`] when there is a CR, LF or NUL, [`Reason::Attribute`] when the text
    /// does not follow the grammar.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        // RFC 8866 §9: byte-string; what came alone must not become two lines of a description
        if text.bytes().any(|byte| matches!(byte, 0 | b'\n' | b'\r')) {
            return Err(Reason::ControlCharacter);
        }
        text.strip_prefix("candidate:")
            .and_then(Self::parse_value)
            .ok_or(Reason::Attribute("candidate"))
    }

    /// The value of an extension, such as `ufrag`.
    pub fn extension(&self, name: &str) -> Option<&str> {
        self.extensions
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn parse_value(value: &str) -> Option<Self> {
        let mut fields = fields(value);
        let foundation = fields
            .next()
            .filter(|it| it.len() <= 32 && is_foundation(it))?;
        let component = fields.next().filter(|it| it.len() <= 5).and_then(number)?;
        let transport = Transport::parse(fields.next()?)?;
        let priority = fields.next().filter(|it| it.len() <= 10).and_then(number)?;
        let address = Address::parse(fields.next()?)?;
        let port = number(fields.next()?)?;
        // RFC 5234 §2.3: words that the grammar quotes have no case
        let typ = fields.next()?;
        let kind = CandidateKind::parse(fields.next()?)?;
        if !typ.eq_ignore_ascii_case("typ") {
            return None;
        }
        let mut candidate = Self {
            foundation: foundation.to_owned(),
            component,
            transport,
            priority,
            address,
            port,
            kind,
            related: None,
            tcp_type: None,
            extensions: Vec::new(),
        };
        candidate.read_extensions(fields);
        Some(candidate)
    }

    fn read_extensions<'a>(&mut self, mut fields: impl Iterator<Item = &'a str>) {
        while let Some(name) = fields.next() {
            // a lone name at the end breaks the grammar; other stacks pass over it
            let value = fields.next().unwrap_or_default();
            let tcp_type = TcpType::parse(value).filter(|_| name.eq_ignore_ascii_case("tcptype"));
            match tcp_type {
                Some(tcp_type) => self.tcp_type = Some(tcp_type),
                // RFC 8839 §5.1: what is not known spoils nothing
                None => self.extensions.push((name.to_owned(), value.to_owned())),
            }
        }
        self.read_related();
    }

    /// Address and port serve diagnosis alone: what they are not leaves the candidate as useful, and stays where it stands.
    fn read_related(&mut self) {
        let find = |known: &str| {
            let mut names = self.extensions.iter();
            names.position(|(name, _)| name.eq_ignore_ascii_case(known))
        };
        let value = |at: usize| self.extensions.get(at).map(|(_, value)| value.as_str());
        let (address_at, port_at) = (find("raddr"), find("rport"));
        let address = address_at.and_then(value).and_then(Address::parse);
        let port = port_at.map_or(Some(0), |at| value(at).and_then(number));
        if let (Some(address), Some(port)) = (address, port) {
            self.related = Some((address, port));
            let mut at = 0..;
            self.extensions.retain(|_| {
                let here = at.next();
                here != address_at && here != port_at
            });
        }
    }
}

/// RFC 8839 §5.1 has ice-char; any token is let through.
fn is_foundation(text: &str) -> bool {
    is_ice_text(text, 1, 32) || is_token(text)
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse() {
            return Some(Self::Ip(ip));
        }
        let correct = (1..=255).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if correct {
            return Some(Self::Name(text.to_owned()));
        }
        // RFC 8839 §5.1: extension-addr, of which nothing is known but its characters
        let printable = text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic());
        (printable && !text.is_empty()).then(|| Self::Other(text.to_owned()))
    }
}

impl Transport {
    fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("udp") {
            Some(Self::Udp)
        } else if text.eq_ignore_ascii_case("tcp") {
            Some(Self::Tcp)
        } else {
            is_token(text).then(|| Self::Other(text.to_owned()))
        }
    }
}

impl CandidateKind {
    fn parse(text: &str) -> Option<Self> {
        let known = [
            Self::Host,
            Self::ServerReflexive,
            Self::PeerReflexive,
            Self::Relayed,
        ];
        let known = known
            .into_iter()
            .find(|it| text.eq_ignore_ascii_case(it.as_str()));
        known.or_else(|| is_token(text).then(|| Self::Other(text.to_owned())))
    }

    /// The word that stands in the line.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
            Self::Other(name) => name,
        }
    }
}

impl TcpType {
    fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Passive, Self::SimultaneousOpen]
            .into_iter()
            .find(|it| text.eq_ignore_ascii_case(it.as_str()))
    }

    /// The word that stands in the line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::SimultaneousOpen => "so",
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "candidate:{} {} {} {} {} {} typ {}",
            self.foundation,
            self.component,
            self.transport,
            self.priority,
            self.address,
            self.port,
            self.kind
        )?;
        if let Some((address, port)) = &self.related {
            write!(f, " raddr {address} rport {port}")?;
        }
        if let Some(tcp_type) = self.tcp_type {
            write!(f, " tcptype {tcp_type}")?;
        }
        for (name, value) in &self.extensions {
            write!(f, " {name}")?;
            if !value.is_empty() {
                write!(f, " {value}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) | Self::Other(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Other(name) => name,
        })
    }
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for TcpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
