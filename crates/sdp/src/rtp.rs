//! RTP attributes (RFC 8866 §6, 4585, 3605, 8285, 6236).

use std::fmt;

use crate::scan::{field, fields, is_token, number};

/// `a=sendrecv` and its three siblings (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// From the author of the description only.
    SendOnly,
    /// To the author of the description only.
    RecvOnly,
    /// Neither.
    Inactive,
}

/// Which payload types an attribute speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Payload {
    /// Of every payload type: `*`.
    All,
    /// This one, at most 127.
    Type(u8),
}

/// `a=rtpmap`: what a payload type means (RFC 8866 §6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// The payload type, at most 127.
    pub payload: u8,
    /// The encoding name, which compares without regard to case.
    pub encoding: &'a str,
    /// Ticks per second.
    pub clock_rate: u32,
    /// What follows the clock rate: the number of channels of audio.
    pub parameters: Option<&'a str>,
}

/// `a=fmtp`: parameters of a format (RFC 8866 §6.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fmtp<'a> {
    /// The format: for RTP the payload type.
    pub format: &'a str,
    /// The parameters as they were written.
    pub parameters: &'a str,
}

/// `a=rtcp-fb`: a feedback message that the author understands (RFC 4585 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtcpFeedback<'a> {
    /// For these payload types.
    pub payload: Payload,
    /// `nack`, `ack`, `ccm`, `goog-remb`, …
    pub kind: &'a str,
    /// What follows the kind: `pli`, `fir`.
    pub parameter: Option<&'a str>,
}

/// `a=rtcp`: where RTCP goes without multiplexing (RFC 3605).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtcp<'a> {
    /// The port.
    pub port: u16,
    /// Network type, address type and address, if given.
    pub connection: Option<crate::Connection<'a>>,
}

/// `a=extmap`: a header extension and its id (RFC 8285 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtMap<'a> {
    /// 1 to 255, or 4096 to 4351 where ids are still to be agreed on.
    pub id: u16,
    /// In which direction it is used.
    pub direction: Option<Direction>,
    /// Which extension it is.
    pub uri: &'a str,
    /// What follows: of `urn:ietf:params:rtp-hdrext:encrypt`, the extension that is encrypted.
    pub parameters: Option<&'a str>,
}

/// `a=imageattr`: the image sizes that can be sent or received (RFC 6236).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageAttribute<'a> {
    /// For these payload types.
    pub payload: Payload,
    /// `send` and `recv` and their sets, as they were written.
    pub sets: &'a str,
}

impl Direction {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "sendrecv" => Some(Self::SendRecv),
            "sendonly" => Some(Self::SendOnly),
            "recvonly" => Some(Self::RecvOnly),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }

    /// The one with these halves, as its owner sees them.
    pub fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether its owner sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether its owner receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// As the other end sees it.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// What is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::new(
            self.sends() && other.sends(),
            self.receives() && other.receives(),
        )
    }

    /// As a word inside a value.
    // RFC 5234 §2.3: words that a grammar quotes have no case; names of attributes have (RFC 8866 §6)
    fn parse_word(word: &str) -> Option<Self> {
        Self::parse(&word.to_ascii_lowercase())
    }

    /// The word that stands in the description.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

impl Payload {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            Some(Self::All)
        } else {
            payload_type(text).map(Self::Type)
        }
    }
}

impl<'a> RtpMap<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (payload, encoding) = field(value);
        let mut parts = encoding.splitn(3, '/');
        Some(Self {
            payload: payload_type(payload)?,
            encoding: parts.next().filter(|name| is_token(name))?,
            clock_rate: number(parts.next()?)?,
            parameters: parts.next(),
        })
    }
}

impl<'a> Fmtp<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (format, parameters) = field(value);
        (is_token(format) && !parameters.is_empty()).then_some(Self { format, parameters })
    }

    /// The parameters that are separated by `;`: name and value, or a name alone.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.parameters
            .split(';')
            .map(str::trim_ascii)
            .filter(|part| !part.is_empty())
            .map(|part| match part.split_once('=') {
                Some((name, value)) => (name.trim_ascii(), Some(value.trim_ascii())),
                None => (part, None),
            })
    }
}

impl<'a> RtcpFeedback<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (payload, rest) = field(value);
        let (kind, parameter) = field(rest);
        Some(Self {
            payload: Payload::parse(payload)?,
            kind: Some(kind).filter(|kind| is_token(kind))?,
            parameter: (!parameter.is_empty()).then_some(parameter),
        })
    }
}

impl<'a> Rtcp<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (port, rest) = field(value);
        let connection = match rest {
            "" => None,
            rest => Some(crate::Connection::parse(rest)?),
        };
        Some(Self {
            port: number(port)?,
            connection,
        })
    }
}

impl<'a> ExtMap<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (id, rest) = field(value);
        let (id, direction) = match id.split_once('/') {
            Some((id, direction)) => (id, Some(Direction::parse_word(direction)?)),
            None => (id, None),
        };
        let (uri, parameters) = field(rest);
        let id = number(id).filter(|id| matches!(id, 1..=255 | 4096..=4351))?;
        let parameters = (!parameters.is_empty()).then_some(parameters);
        (!uri.is_empty()).then_some(Self {
            id,
            direction,
            uri,
            parameters,
        })
    }
}

impl<'a> ImageAttribute<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (payload, sets) = field(value);
        let payload = Payload::parse(payload)?;
        matches!(fields(sets).next(), Some("send" | "recv")).then_some(Self { payload, sets })
    }
}

/// RFC 3551 §3: seven bits.
fn payload_type(text: &str) -> Option<u8> {
    number(text).filter(|payload| *payload <= 127)
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Type(payload) => payload.fmt(f),
        }
    }
}

impl fmt::Display for RtpMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.payload, self.encoding, self.clock_rate)?;
        self.parameters
            .map_or(Ok(()), |parameters| write!(f, "/{parameters}"))
    }
}

impl fmt::Display for Fmtp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.format, self.parameters)
    }
}

impl fmt::Display for RtcpFeedback<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.payload, self.kind)?;
        self.parameter
            .map_or(Ok(()), |parameter| write!(f, " {parameter}"))
    }
}

impl fmt::Display for Rtcp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.port.fmt(f)?;
        self.connection
            .map_or(Ok(()), |connection| write!(f, " {connection}"))
    }
}

impl fmt::Display for ExtMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)?;
        if let Some(direction) = self.direction {
            write!(f, "/{direction}")?;
        }
        write!(f, " {}", self.uri)?;
        self.parameters
            .map_or(Ok(()), |parameters| write!(f, " {parameters}"))
    }
}

impl fmt::Display for ImageAttribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.payload, self.sets)
    }
}
