//! One `a=` line, typed.

use std::fmt;

use crate::{
    Candidate, Direction, ExtMap, Fingerprint, Fmtp, Group, ImageAttribute, Msid, MsidSemantic,
    Reason, RemoteCandidates, Rid, Rtcp, RtcpFeedback, RtpMap, SctpMap, Setup, Simulcast, Ssrc,
    SsrcGroup,
    scan::{is_ice_text, is_token, number},
    sctp::message_size,
    security::is_tls_id,
};

/// The value of an `a=` line. `Display` writes it as it stands after `a=`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Attribute<'a> {
    /// `candidate` (RFC 8839 §5.1).
    Candidate(Box<Candidate>),
    /// `remote-candidates` (RFC 8839 §5.2).
    RemoteCandidates(RemoteCandidates<'a>),
    /// `end-of-candidates` (RFC 8840 §8.2).
    EndOfCandidates,
    /// `ice-ufrag` (RFC 8839 §5.4).
    IceUfrag(&'a str),
    /// `ice-pwd` (RFC 8839 §5.4).
    IcePwd(&'a str),
    /// `ice-options`: tags separated by spaces (RFC 8839 §5.6).
    IceOptions(&'a str),
    /// `ice-lite` (RFC 8839 §5.3).
    IceLite,
    /// `ice-mismatch` (RFC 8839 §5.3).
    IceMismatch,
    /// `ice-pacing` in milliseconds (RFC 8839 §5.5).
    IcePacing(u32),
    /// `fingerprint` (RFC 8122 §5).
    Fingerprint(Fingerprint<'a>),
    /// `setup` (RFC 4145 §4).
    Setup(Setup),
    /// `tls-id` (RFC 8842 §4).
    TlsId(&'a str),
    /// `identity` (RFC 8827 §5).
    Identity(&'a str),
    /// `crypto`: keys in the open (RFC 4568), which WebRTC forbids.
    Crypto(&'a str),
    /// `sctp-port` (RFC 8841 §5).
    SctpPort(u16),
    /// `max-message-size` in bytes, 0 for any (RFC 8841 §6).
    MaxMessageSize(u64),
    /// `sctpmap`, of older drafts.
    SctpMap(SctpMap<'a>),
    /// `mid` (RFC 5888).
    Mid(&'a str),
    /// `group` (RFC 5888, 9143).
    Group(Group<'a>),
    /// `bundle-only` (RFC 9143 §6).
    BundleOnly,
    /// `msid` (RFC 8830).
    Msid(Msid<'a>),
    /// `msid-semantic`, of older drafts.
    MsidSemantic(MsidSemantic<'a>),
    /// `sendrecv`, `sendonly`, `recvonly`, `inactive` (RFC 8866 §6.7).
    Direction(Direction),
    /// `rtpmap` (RFC 8866 §6.6).
    RtpMap(RtpMap<'a>),
    /// `fmtp` (RFC 8866 §6.15).
    Fmtp(Fmtp<'a>),
    /// `ptime` in milliseconds (RFC 8866 §6.4).
    Ptime(f32),
    /// `maxptime` in milliseconds (RFC 8866 §6.5).
    MaxPtime(f32),
    /// `rtcp` (RFC 3605).
    Rtcp(Rtcp<'a>),
    /// `rtcp-fb` (RFC 4585 §4.2).
    RtcpFeedback(RtcpFeedback<'a>),
    /// `rtcp-mux` (RFC 5761).
    RtcpMux,
    /// `rtcp-mux-only` (RFC 8858).
    RtcpMuxOnly,
    /// `rtcp-rsize` (RFC 5506).
    RtcpReducedSize,
    /// `extmap` (RFC 8285 §5).
    ExtMap(ExtMap<'a>),
    /// `extmap-allow-mixed` (RFC 8285 §6).
    ExtMapAllowMixed,
    /// `rid` (RFC 8851).
    Rid(Rid<'a>),
    /// `simulcast` (RFC 8853).
    Simulcast(Simulcast<'a>),
    /// `ssrc` (RFC 5576 §4.1).
    Ssrc(Ssrc<'a>),
    /// `ssrc-group` (RFC 5576 §4.2).
    SsrcGroup(SsrcGroup<'a>),
    /// `imageattr` (RFC 6236).
    ImageAttribute(ImageAttribute<'a>),
    /// Any other.
    Other {
        /// What stands before `:`.
        name: &'a str,
        /// What stands behind `:`, if there is one.
        value: Option<&'a str>,
    },
}

impl<'a> Attribute<'a> {
    /// Reads what stands after `a=`.
    ///
    /// # Errors
    ///
    /// [`Reason::AttributeName`] when the name is no token, [`Reason::Attribute`] when the value of a
    /// known attribute breaks its grammar.
    pub fn parse(text: &'a str) -> Result<Self, Reason> {
        let Some((name, value)) = text.split_once(':') else {
            return Self::flag(text);
        };
        match Self::valued(name, value) {
            Some(Ok(attribute)) => Ok(attribute),
            Some(Err(name)) => Err(Reason::Attribute(name)),
            None if is_token(name) => Ok(Self::Other {
                name,
                value: Some(value),
            }),
            None => Err(Reason::AttributeName),
        }
    }

    /// What stands before `:`.
    pub fn name(&self) -> &'a str {
        match self {
            Self::EndOfCandidates => "end-of-candidates",
            Self::IceLite => "ice-lite",
            Self::IceMismatch => "ice-mismatch",
            Self::BundleOnly => "bundle-only",
            Self::RtcpMux => "rtcp-mux",
            Self::RtcpMuxOnly => "rtcp-mux-only",
            Self::RtcpReducedSize => "rtcp-rsize",
            Self::ExtMapAllowMixed => "extmap-allow-mixed",
            Self::Direction(direction) => direction.as_str(),
            Self::Other { name, .. } => name,
            _ => self.valued_name(),
        }
    }

    fn valued_name(&self) -> &'static str {
        match self {
            Self::Candidate(_) => "candidate",
            Self::RemoteCandidates(_) => "remote-candidates",
            Self::IceUfrag(_) => "ice-ufrag",
            Self::IcePwd(_) => "ice-pwd",
            Self::IceOptions(_) => "ice-options",
            Self::IcePacing(_) => "ice-pacing",
            Self::Fingerprint(_) => "fingerprint",
            Self::Setup(_) => "setup",
            Self::TlsId(_) => "tls-id",
            Self::Identity(_) => "identity",
            Self::Crypto(_) => "crypto",
            Self::SctpPort(_) => "sctp-port",
            Self::MaxMessageSize(_) => "max-message-size",
            Self::SctpMap(_) => "sctpmap",
            Self::Mid(_) => "mid",
            Self::Group(_) => "group",
            Self::Msid(_) => "msid",
            Self::MsidSemantic(_) => "msid-semantic",
            Self::RtpMap(_) => "rtpmap",
            Self::Fmtp(_) => "fmtp",
            Self::Ptime(_) => "ptime",
            Self::MaxPtime(_) => "maxptime",
            Self::Rtcp(_) => "rtcp",
            Self::RtcpFeedback(_) => "rtcp-fb",
            Self::ExtMap(_) => "extmap",
            Self::Rid(_) => "rid",
            Self::Simulcast(_) => "simulcast",
            Self::Ssrc(_) => "ssrc",
            Self::SsrcGroup(_) => "ssrc-group",
            Self::ImageAttribute(_) => "imageattr",
            _ => "",
        }
    }

    fn flag(name: &'a str) -> Result<Self, Reason> {
        if let Some(direction) = Direction::parse(name) {
            return Ok(Self::Direction(direction));
        }
        Ok(match name {
            "rtcp-mux" => Self::RtcpMux,
            "rtcp-mux-only" => Self::RtcpMuxOnly,
            "rtcp-rsize" => Self::RtcpReducedSize,
            "end-of-candidates" => Self::EndOfCandidates,
            "ice-lite" => Self::IceLite,
            "ice-mismatch" => Self::IceMismatch,
            "bundle-only" => Self::BundleOnly,
            "extmap-allow-mixed" => Self::ExtMapAllowMixed,
            _ => {
                // a known attribute that has lost its value
                if let Some(Err(name)) = Self::valued(name, "") {
                    return Err(Reason::Attribute(name));
                }
                if !is_token(name) {
                    return Err(Reason::AttributeName);
                }
                Self::Other { name, value: None }
            }
        })
    }

    /// `None` for an unknown name, the name for a value that breaks its grammar.
    fn valued(name: &str, value: &'a str) -> Option<Result<Self, &'static str>> {
        let text = || value.trim_ascii();
        // ordered by how often each is seen
        let (name, attribute) = match name {
            "rtcp-fb" => (
                "rtcp-fb",
                RtcpFeedback::parse(value).map(Self::RtcpFeedback),
            ),
            "rtpmap" => ("rtpmap", RtpMap::parse(value).map(Self::RtpMap)),
            "fmtp" => ("fmtp", Fmtp::parse(value).map(Self::Fmtp)),
            "candidate" => (
                "candidate",
                Candidate::parse_value(value).map(|it| Self::Candidate(Box::new(it))),
            ),
            "extmap" => ("extmap", ExtMap::parse(value).map(Self::ExtMap)),
            "ssrc" => ("ssrc", Ssrc::parse(value).map(Self::Ssrc)),
            "ssrc-group" => ("ssrc-group", SsrcGroup::parse(value).map(Self::SsrcGroup)),
            "mid" => (
                "mid",
                Some(text()).filter(|mid| is_token(mid)).map(Self::Mid),
            ),
            "setup" => ("setup", Setup::parse(value).map(Self::Setup)),
            "ice-ufrag" => (
                "ice-ufrag",
                Some(text())
                    .filter(|ufrag| is_ice_text(ufrag, 4, 256))
                    .map(Self::IceUfrag),
            ),
            "ice-pwd" => (
                "ice-pwd",
                Some(text())
                    .filter(|pwd| is_ice_text(pwd, 22, 256))
                    .map(Self::IcePwd),
            ),
            "ice-options" => (
                "ice-options",
                Some(text())
                    .filter(|options| !options.is_empty())
                    .map(Self::IceOptions),
            ),
            "ice-pacing" => ("ice-pacing", number(text()).map(Self::IcePacing)),
            "fingerprint" => (
                "fingerprint",
                Fingerprint::parse(value).map(Self::Fingerprint),
            ),
            "group" => ("group", Group::parse(value).map(Self::Group)),
            "msid" => ("msid", Msid::parse(value).map(Self::Msid)),
            "msid-semantic" => (
                "msid-semantic",
                MsidSemantic::parse(value).map(Self::MsidSemantic),
            ),
            "rtcp" => ("rtcp", Rtcp::parse(value).map(Self::Rtcp)),
            "rid" => ("rid", Rid::parse(value).map(Self::Rid)),
            "simulcast" => ("simulcast", Simulcast::parse(value).map(Self::Simulcast)),
            "sctp-port" => ("sctp-port", number(text()).map(Self::SctpPort)),
            "max-message-size" => (
                "max-message-size",
                message_size(value).map(Self::MaxMessageSize),
            ),
            "sctpmap" => ("sctpmap", SctpMap::parse(value).map(Self::SctpMap)),
            "ptime" => ("ptime", milliseconds(value).map(Self::Ptime)),
            "maxptime" => ("maxptime", milliseconds(value).map(Self::MaxPtime)),
            "imageattr" => (
                "imageattr",
                ImageAttribute::parse(value).map(Self::ImageAttribute),
            ),
            "tls-id" => (
                "tls-id",
                Some(text()).filter(|id| is_tls_id(id)).map(Self::TlsId),
            ),
            "identity" => (
                "identity",
                (!text().is_empty()).then(|| Self::Identity(text())),
            ),
            "crypto" => ("crypto", (!text().is_empty()).then(|| Self::Crypto(text()))),
            "remote-candidates" => (
                "remote-candidates",
                RemoteCandidates::parse(value).map(Self::RemoteCandidates),
            ),
            _ => return None,
        };
        Some(attribute.ok_or(name))
    }
}

/// RFC 8866 §9: zero-based-integer or a real number; not negative, not a word.
fn milliseconds(value: &str) -> Option<f32> {
    let value = value.trim_ascii();
    let correct = value.starts_with(|first: char| first.is_ascii_digit())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if correct {
        value.parse().ok().filter(|it: &f32| it.is_finite())
    } else {
        None
    }
}

impl fmt::Display for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value: &dyn fmt::Display = match self {
            Self::Candidate(candidate) => return candidate.fmt(f),
            Self::EndOfCandidates
            | Self::IceLite
            | Self::IceMismatch
            | Self::BundleOnly
            | Self::RtcpMux
            | Self::RtcpMuxOnly
            | Self::RtcpReducedSize
            | Self::ExtMapAllowMixed
            | Self::Direction(_)
            | Self::Other { value: None, .. } => return f.write_str(self.name()),
            Self::RemoteCandidates(value) => &value.as_str(),
            Self::IceUfrag(value)
            | Self::IcePwd(value)
            | Self::IceOptions(value)
            | Self::TlsId(value)
            | Self::Identity(value)
            | Self::Crypto(value)
            | Self::Mid(value)
            | Self::Other {
                value: Some(value), ..
            } => value,
            Self::IcePacing(value) => value,
            Self::Fingerprint(value) => value,
            Self::Setup(value) => value,
            Self::SctpPort(value) => value,
            Self::MaxMessageSize(value) => value,
            Self::SctpMap(value) => value,
            Self::Group(value) => value,
            Self::Msid(value) => value,
            Self::MsidSemantic(value) => value,
            Self::RtpMap(value) => value,
            Self::Fmtp(value) => value,
            Self::Ptime(value) | Self::MaxPtime(value) => value,
            Self::Rtcp(value) => value,
            Self::RtcpFeedback(value) => value,
            Self::ExtMap(value) => value,
            Self::Rid(value) => value,
            Self::Simulcast(value) => value,
            Self::Ssrc(value) => value,
            Self::SsrcGroup(value) => value,
            Self::ImageAttribute(value) => value,
        };
        write!(f, "{}:{value}", self.name())
    }
}
