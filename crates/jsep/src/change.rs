//! What follows from a description, for the engine to do in order.

use std::fmt;

use oxirtc_sdp::{Candidate, Direction};

use crate::{
    Credentials, Encoding, Fingerprint, MediaKind, ReceiveParameters, SendParameters,
    SignalingState, TransceiverId,
};

/// One thing that follows from a description that was applied.
///
/// In one list: transports that are added, then for each transport its ICE and DTLS, then SCTP, then
/// transceivers in the order of their sections, then transports that are removed, and the signalling state
/// last. Of one transceiver: that it is there, its section and transport, what it receives and sends, then
/// what the application sees of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A transport is needed; nothing of it is known yet.
    TransportAdded {
        /// The new transport.
        transport: TransportId,
        /// The mid of its first section.
        mid: String,
    },
    /// Which end nominates (RFC 8445 §6.1.1). Once for each transport.
    IceRole {
        /// The transport.
        transport: TransportId,
        /// Our role.
        role: IceRole,
    },
    /// Our credentials: the first ones, or those of a restart. Gathering begins. They are told once more
    /// behind those of a peer that restarts alone.
    LocalIce {
        /// The transport.
        transport: TransportId,
        /// The credentials.
        credentials: Credentials,
        /// A rollback went back to an earlier generation, whose credentials these are.
        restored: bool,
    },
    /// The peer's credentials: the first ones, or those of its restart. Its candidates follow.
    RemoteIce {
        /// The transport.
        transport: TransportId,
        /// The credentials.
        credentials: Credentials,
        /// The peer is an ICE-lite agent (RFC 8445 §2.5).
        lite: bool,
        /// More candidates may come; without it those of the description are all (RFC 8838 §4.1).
        trickle: bool,
        /// It reads numbers of nominations, so that it may be told another pair (draft-thatcher-ice-renomination).
        renomination: bool,
    },
    /// A candidate of the peer that ICE can use: of component 1, UDP or TCP, of a known kind. Its
    /// address may be a name.
    RemoteCandidate {
        /// The transport.
        transport: TransportId,
        /// The fragment of its generation: the one in force or, while an exchange is open, the one that is to take its place.
        ufrag: String,
        /// Where in the peer's description it stands.
        section: MediaSection,
        /// The candidate.
        candidate: Candidate,
    },
    /// No more candidates of this generation will come from the peer (RFC 8838 §14).
    RemoteEndOfCandidates {
        /// The transport.
        transport: TransportId,
        /// The fragment of the generation.
        ufrag: String,
    },
    /// A new DTLS association: who opens it, and what the peer's certificate must match. With
    /// answers: the first one of the transport, or one that replaces it (RFC 8842 §4); then what runs
    /// above it is new as well.
    Dtls {
        /// The transport.
        transport: TransportId,
        /// Our role.
        role: DtlsRole,
        /// One of these must match.
        fingerprints: Vec<Fingerprint>,
    },
    /// The section that named the transport of its group was rejected, and another names it (RFC 9143 §7.3). The transport and
    /// what runs on it stay, but the peer may begin another DTLS association on it, as Chromium does. Told with an offer of ours that
    /// rejects the section, and with the answer.
    TagMoved {
        /// The transport.
        transport: TransportId,
        /// Our role in another association: what the answer says, taken by its word. `None` with an offer.
        role: Option<DtlsRole>,
        /// One of these must match, as they were.
        fingerprints: Vec<Fingerprint>,
    },
    /// The SCTP association.
    Sctp(Sctp),
    /// An offer of the peer has made a transceiver.
    TransceiverAdded {
        /// The new one.
        id: TransceiverId,
        /// What it carries.
        kind: MediaKind,
    },
    /// A transceiver has a section now, or, after a rollback, has none any more.
    Associated {
        /// Which one.
        id: TransceiverId,
        /// The mid of its section.
        mid: Option<String>,
    },
    /// Which transport carries a transceiver.
    Carried {
        /// Which one.
        id: TransceiverId,
        /// The transport; `None` when its section does not live.
        transport: Option<TransportId>,
    },
    /// What a transceiver receives has changed. With an offer of ours it may come before the answer.
    Receives {
        /// Which one.
        id: TransceiverId,
        /// All of it, also what is as before; `None` when nothing is taken any more.
        parameters: Option<Box<ReceiveParameters>>,
    },
    /// What a transceiver sends has changed.
    Sends {
        /// Which one.
        id: TransceiverId,
        /// All of it, also what is as before; `None` when nothing is to be sent any more.
        parameters: Option<Box<SendParameters>>,
    },
    /// The layers of a transceiver have changed: the peer asks for some, or an answer has taken but some of ours.
    Encodings {
        /// Which one.
        id: TransceiverId,
        /// Those that are left, or the new ones; one without a rid is what is left of all when none was taken.
        encodings: Vec<Encoding>,
    },
    /// What was negotiated (W3C's `[[CurrentDirection]]`).
    Direction {
        /// Which one.
        id: TransceiverId,
        /// The direction; `None` before the first answer, and when stopped.
        current: Option<Direction>,
    },
    /// The streams of the peer's track, or whether it sends (W3C §5.1.1). Returned only when one of them differs.
    RemoteStreams {
        /// Which one.
        id: TransceiverId,
        /// The ids of the streams.
        streams: Vec<String>,
        /// The peer sends.
        receiving: bool,
    },
    /// A section was rejected: the transceiver is stopped.
    Stopped {
        /// Which one.
        id: TransceiverId,
    },
    /// A transceiver is not in the connection any more.
    TransceiverRemoved {
        /// Which one.
        id: TransceiverId,
    },
    /// The transport is not needed any more.
    TransportRemoved {
        /// The transport.
        transport: TransportId,
    },
    /// The signalling state is now this one.
    SignalingState(SignalingState),
}

/// What becomes of the SCTP association.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sctp {
    /// An offer describes one, and there was none, or one takes the place of another.
    Created {
        /// The transport that carries it.
        transport: TransportId,
    },
    /// An answer has settled its parameters, or changed them.
    Negotiated {
        /// The transport that carries it.
        transport: TransportId,
        /// Our port.
        local_port: u16,
        /// The peer's port.
        remote_port: u16,
        /// The longest message that the peer takes, in bytes; `u64::MAX` when it takes any.
        max_message_size: u64,
        /// The peer's INIT chunk in base64, when both descriptions have one (draft-hancke-tsvwg-snap): then both ends do
        /// without a handshake, unless another association has used it up.
        remote_init: Option<String>,
        /// Our role in the DTLS association below it, by which the ends share the streams (RFC 8832 §6).
        role: DtlsRole,
    },
    /// The section was rejected (RFC 8841 §10.3), or rolled back; a port of 0 closes it, another port than
    /// before puts another in its place.
    Closed,
}

/// Where in a description a candidate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaSection {
    /// W3C's `sdpMid`.
    pub mid: String,
    /// W3C's `sdpMLineIndex`.
    pub index: u16,
}

/// A transport: one ICE agent and what runs on it. Never used twice by one negotiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportId(pub(crate) u32);

/// Which end nominates (RFC 8445 §6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IceRole {
    /// We do.
    Controlling,
    /// The peer does.
    Controlled,
}

/// Which end sends the ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// We do.
    Client,
    /// The peer does.
    Server,
}

impl TransportId {
    /// Its number, from 0 in order of creation.
    pub fn value(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TransportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
