#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod attribute;
mod candidate;
mod error;
mod group;
mod ice;
mod line;
mod media;
mod rtp;
mod scan;
mod sctp;
mod section;
mod security;
mod session;
mod simulcast;
mod source;
mod writer;

pub use attribute::Attribute;
pub use candidate::{Address, Candidate, CandidateKind, TcpType, Transport};
pub use error::{ParseError, Reason};
pub use group::{Group, Msid, MsidSemantic};
pub use ice::RemoteCandidates;
pub use line::{Bandwidth, Connection, Origin};
pub use media::Media;
pub use rtp::{Direction, ExtMap, Fmtp, ImageAttribute, Payload, Rtcp, RtcpFeedback, RtpMap};
pub use sctp::SctpMap;
pub use section::{Line, Section};
pub use security::{Fingerprint, Setup};
pub use session::Session;
pub use simulcast::{Rid, RidDirection, Simulcast, SimulcastId};
pub use source::{Ssrc, SsrcGroup};
pub use writer::Writer;
