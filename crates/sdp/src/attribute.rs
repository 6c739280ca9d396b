//! One `a=` line, typed. The table at the end of the file has all names that are known.

use std::fmt;

use crate::{
    Candidate, Direction, ExtMap, Fingerprint, Fmtp, Group, ImageAttribute, Msid, MsidSemantic,
    Reason, RemoteCandidates, Rid, Rtcp, RtcpFeedback, RtpMap, SctpMap, Setup, Simulcast, Ssrc,
    SsrcGroup,
    scan::{is_ice_text, is_token, number},
    sctp::message_size,
    security::is_tls_id,
};

/// What a value that breaks its grammar spoils.
enum Spoils {
    /// The whole description: without this line something would be misunderstood.
    Description,
    /// Its line only: the line is a hint, or has a default, or its owner has it ignored.
    Line,
}

/// Makes the type, its reader, its names and its writer out of one table.
///
/// A row of `valued` is: documentation, variant and type, name, what a malformed value spoils, and the
/// reader of the value. A row of `flags` has no value.
macro_rules! attributes {
    (
        valued { $( $(#[$doc:meta])* $variant:ident($type:ty): $name:literal, $spoils:ident, $read:expr; )* }
        flags { $( $(#[$flag_doc:meta])* $flag:ident: $flag_name:literal; )* }
    ) => {
        /// The value of an `a=` line. `Display` writes it as it stands after `a=`.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Attribute<'a> {
            $( $(#[$doc])* $variant($type), )*
            $( $(#[$flag_doc])* $flag, )*
            /// `sendrecv`, `sendonly`, `recvonly`, `inactive` (RFC 8866 §6.7).
            Direction(Direction),
            /// A known name with a value that breaks its grammar, where this spoils the line only. The
            /// line is to be treated as if it were not there.
            Malformed {
                /// What stands before `:`.
                name: &'static str,
                /// What stands behind `:`, if there is one.
                value: Option<&'a str>,
            },
            /// Any other.
            Other {
                /// What stands before `:`.
                name: &'a str,
                /// What stands behind `:`, if there is one.
                value: Option<&'a str>,
            },
        }

        impl<'a> Attribute<'a> {
            /// What stands before `:`.
            pub fn name(&self) -> &'a str {
                match self {
                    $( Self::$variant(_) => $name, )*
                    $( Self::$flag => $flag_name, )*
                    Self::Direction(direction) => direction.as_str(),
                    Self::Malformed { name, .. } => name,
                    Self::Other { name, .. } => name,
                }
            }

            /// `None` for a name that is not in the table.
            fn known(name: &str, value: Option<&'a str>) -> Option<Result<Self, Reason>> {
                match name {
                    $( $name => {
                        // a valued attribute that has lost its value is malformed
                        let read: fn(&'a str) -> Option<$type> = $read;
                        Some(match (read(value.unwrap_or_default()), Spoils::$spoils) {
                            (Some(it), _) => Ok(Self::$variant(it)),
                            (None, Spoils::Line) => Ok(Self::Malformed { name: $name, value }),
                            (None, Spoils::Description) => Err(Reason::Attribute($name)),
                        })
                    } )*
                    $( $flag_name if value.is_none() => Some(Ok(Self::$flag)), )*
                    _ => None,
                }
            }

            /// What stands behind `:`.
            fn shown_value(&self) -> Option<&dyn fmt::Display> {
                match self {
                    $( Self::$variant(value) => Some(value), )*
                    $( Self::$flag => None, )*
                    Self::Direction(_) => None,
                    Self::Malformed { value, .. } | Self::Other { value, .. } => {
                        value.as_ref().map(|value| value as &dyn fmt::Display)
                    }
                }
            }
        }
    };
}

impl<'a> Attribute<'a> {
    /// Reads what stands after `a=`.
    ///
    /// # Errors
    ///
    /// [`Reason::AttributeName`] when the name is no token, [`Reason::Attribute`] when the value of a
    /// known attribute breaks its grammar, and the description cannot be understood without it; where it
    /// can, the line is [`Attribute::Malformed`].
    pub fn parse(text: &'a str) -> Result<Self, Reason> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        if let Some(known) = Self::known(name, value) {
            return known;
        }
        match Direction::parse(text) {
            Some(direction) => Ok(Self::Direction(direction)),
            None if is_token(name) => Ok(Self::Other { name, value }),
            None => Err(Reason::AttributeName),
        }
    }
}

impl fmt::Display for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.shown_value()) {
            // it travels alone as well, and prints its name itself
            (Self::Candidate(candidate), _) => candidate.fmt(f),
            (_, Some(value)) => write!(f, "{}:{value}", self.name()),
            (_, None) => f.write_str(self.name()),
        }
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

/// A value of at least one character.
fn some_text(value: &str) -> Option<&str> {
    Some(value.trim_ascii()).filter(|it| !it.is_empty())
}

attributes! {
    valued {
        // ordered by how often each is seen
        /// `rtcp-fb` (RFC 4585 §4.2).
        RtcpFeedback(RtcpFeedback<'a>): "rtcp-fb", Line, RtcpFeedback::parse;
        /// `rtpmap` (RFC 8866 §6.6).
        RtpMap(RtpMap<'a>): "rtpmap", Description, RtpMap::parse;
        /// `fmtp` (RFC 8866 §6.15).
        Fmtp(Fmtp<'a>): "fmtp", Description, Fmtp::parse;
        /// `candidate` (RFC 8839 §5.1).
        Candidate(Box<Candidate>): "candidate", Line, |value| Candidate::parse_value(value).map(Box::new);
        /// `extmap` (RFC 8285 §5).
        ExtMap(ExtMap<'a>): "extmap", Line, ExtMap::parse;
        /// `ssrc` (RFC 5576 §4.1).
        Ssrc(Ssrc<'a>): "ssrc", Line, Ssrc::parse;
        /// `ssrc-group` (RFC 5576 §4.2).
        SsrcGroup(SsrcGroup<'a>): "ssrc-group", Line, SsrcGroup::parse;
        /// `mid` (RFC 5888).
        Mid(&'a str): "mid", Description, |value| Some(value.trim_ascii()).filter(|mid| is_token(mid));
        /// `setup` (RFC 4145 §4).
        Setup(Setup): "setup", Description, Setup::parse;
        /// `ice-ufrag` (RFC 8839 §5.4): 4 to 256 characters.
        IceUfrag(&'a str): "ice-ufrag", Line, |value| Some(value.trim_ascii()).filter(|it| is_ice_text(it, 4, 256));
        /// `ice-pwd` (RFC 8839 §5.4): 22 to 256 characters.
        IcePwd(&'a str): "ice-pwd", Line, |value| Some(value.trim_ascii()).filter(|it| is_ice_text(it, 22, 256));
        /// `ice-options`: tags separated by spaces (RFC 8839 §5.6).
        IceOptions(&'a str): "ice-options", Line, some_text;
        /// `ice-pacing` in milliseconds (RFC 8839 §5.5).
        IcePacing(u32): "ice-pacing", Line, |value| number(value.trim_ascii());
        /// `fingerprint` (RFC 8122 §5).
        Fingerprint(Fingerprint<'a>): "fingerprint", Description, Fingerprint::parse;
        /// `group` (RFC 5888, 9143).
        Group(Group<'a>): "group", Description, Group::parse;
        /// `msid` (RFC 8830).
        Msid(Msid<'a>): "msid", Line, Msid::parse;
        /// `msid-semantic`, of older drafts.
        MsidSemantic(MsidSemantic<'a>): "msid-semantic", Line, MsidSemantic::parse;
        /// `rtcp` (RFC 3605).
        Rtcp(Rtcp<'a>): "rtcp", Line, Rtcp::parse;
        /// `rid` (RFC 8851).
        Rid(Rid<'a>): "rid", Line, Rid::parse;
        /// `simulcast` (RFC 8853).
        Simulcast(Simulcast<'a>): "simulcast", Line, Simulcast::parse;
        /// `sctp-port` (RFC 8841 §5).
        SctpPort(u16): "sctp-port", Description, |value| number(value.trim_ascii());
        /// `sctp-init`: an INIT chunk in base64 (draft-hancke-tsvwg-snap).
        SctpInit(&'a str): "sctp-init", Line, some_text;
        /// `max-message-size` in bytes, 0 for any (RFC 8841 §6).
        MaxMessageSize(u64): "max-message-size", Line, message_size;
        /// `sctpmap`, of older drafts.
        SctpMap(SctpMap<'a>): "sctpmap", Line, SctpMap::parse;
        /// `ptime` in milliseconds (RFC 8866 §6.4).
        Ptime(f32): "ptime", Line, milliseconds;
        /// `maxptime` in milliseconds (RFC 8866 §6.5).
        MaxPtime(f32): "maxptime", Line, milliseconds;
        /// `imageattr` (RFC 6236).
        ImageAttribute(ImageAttribute<'a>): "imageattr", Line, ImageAttribute::parse;
        /// `tls-id` (RFC 8842 §4).
        TlsId(&'a str): "tls-id", Description, |value| Some(value.trim_ascii()).filter(|id| is_tls_id(id));
        /// `identity` (RFC 8827 §5).
        Identity(&'a str): "identity", Line, some_text;
        /// `crypto`: keys in the open (RFC 4568), which WebRTC never uses.
        Crypto(&'a str): "crypto", Line, some_text;
        /// `remote-candidates` (RFC 8839 §5.2).
        RemoteCandidates(RemoteCandidates<'a>): "remote-candidates", Line, RemoteCandidates::parse;
    }
    flags {
        /// `end-of-candidates` (RFC 8840 §8.2).
        EndOfCandidates: "end-of-candidates";
        /// `ice-lite` (RFC 8839 §5.3).
        IceLite: "ice-lite";
        /// `ice-mismatch` (RFC 8839 §5.3).
        IceMismatch: "ice-mismatch";
        /// `bundle-only` (RFC 9143 §6).
        BundleOnly: "bundle-only";
        /// `rtcp-mux` (RFC 5761).
        RtcpMux: "rtcp-mux";
        /// `rtcp-mux-only` (RFC 8858).
        RtcpMuxOnly: "rtcp-mux-only";
        /// `rtcp-rsize` (RFC 5506).
        RtcpReducedSize: "rtcp-rsize";
        /// `extmap-allow-mixed` (RFC 8285 §6).
        ExtMapAllowMixed: "extmap-allow-mixed";
        /// `cryptex` (RFC 9335 §4).
        Cryptex: "cryptex";
    }
}
