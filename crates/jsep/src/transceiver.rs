//! Transceivers: what the application wants of a section of RTP, and what became of it.

use std::fmt;

use oxirtc_sdp::Direction;

use crate::{
    Announced, Codec, Encoding, Error, Extension, Levels, MediaAgreement, ReceiveParameters,
    SendParameters, Source, encoding::Ssrcs,
};

/// What a section of RTP carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// Sound: `m=audio`.
    Audio,
    /// Pictures: `m=video`.
    Video,
}

/// Who made a transceiver: a section of the peer goes to those of `addTrack` only (RFC 9429 §5.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// By `addTrack`: an offer of the peer may take it for a section of its own.
    Track,
    /// By `addTransceiver`: it gets a section of its own.
    Init,
    /// An offer of the peer.
    Peer,
}

/// A transceiver. Never used twice by one negotiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransceiverId(pub(crate) u32);

/// A sender and a receiver that share a section: W3C's `RTCRtpTransceiver`, as far as descriptions go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transceiver {
    id: TransceiverId,
    kind: MediaKind,
    origin: Origin,
    /// `addTrack` has used it since it was made.
    tracked: bool,
    /// It has sent, or could have.
    has_sent: bool,
    mid: Option<String>,
    direction: Direction,
    stage: Stage,
    preferences: Vec<Codec>,
    /// Those that were chosen, where that was done.
    extensions: Option<Vec<Extension>>,
    streams: Vec<String>,
    encodings: Vec<Encoding>,
    agreement: MediaAgreement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    /// `stop` was called; the section is not rejected yet.
    Stopping,
    Stopped,
}

/// How a section stands in the current descriptions, for the question whether negotiation is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described<'a> {
    /// The current local description is an offer; else it is an answer.
    pub(crate) offered: bool,
    /// In the current local description.
    pub(crate) local: Direction,
    /// In the current remote description, as the peer sees it.
    pub(crate) remote: Direction,
    /// The streams of `a=msid` in the current local description.
    pub(crate) streams: &'a [String],
    /// Either description rejects it.
    pub(crate) rejected: bool,
}

impl TransceiverId {
    /// Its number, from 0 in order of creation.
    pub fn value(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TransceiverId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MediaKind {
    /// As it stands in an `m=` line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

impl Transceiver {
    /// One that no description has yet.
    pub(crate) fn new(
        id: TransceiverId,
        kind: MediaKind,
        origin: Origin,
        direction: Direction,
    ) -> Self {
        Self {
            id,
            kind,
            origin,
            tracked: origin == Origin::Track,
            has_sent: false,
            mid: None,
            direction,
            stage: Stage::Running,
            preferences: Vec::new(),
            extensions: None,
            streams: Vec::new(),
            encodings: vec![Encoding::default()],
            agreement: MediaAgreement::default(),
        }
    }

    /// Which one it is.
    pub fn id(&self) -> TransceiverId {
        self.id
    }

    /// What it carries.
    pub fn kind(&self) -> MediaKind {
        self.kind
    }

    /// Who made it.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Its section, once a description has it.
    pub fn mid(&self) -> Option<&str> {
        self.mid.as_deref()
    }

    /// What the application wants; `None` is W3C's `stopped`.
    pub fn direction(&self) -> Option<Direction> {
        (self.stage == Stage::Running).then_some(self.direction)
    }

    /// What was negotiated; `None` before that, and when stopped.
    pub fn current_direction(&self) -> Option<Direction> {
        let current = self.agreement.direction;
        current.filter(|_| self.stage != Stage::Stopped)
    }

    /// Whether a direction that sends was ever negotiated: `addTrack` takes one that has not (W3C §5.1).
    pub fn has_sent(&self) -> bool {
        self.has_sent
    }

    /// Whether `stop` was called, or its section was rejected.
    pub fn is_stopping(&self) -> bool {
        self.stage != Stage::Running
    }

    /// Whether its section is rejected.
    pub fn is_stopped(&self) -> bool {
        self.stage == Stage::Stopped
    }

    /// The streams of its track (W3C's `[[AssociatedMediaStreamIds]]`).
    pub fn streams(&self) -> &[String] {
        &self.streams
    }

    /// The streams that it sends: one without a rid, or one for each layer. Never none.
    pub fn encodings(&self) -> &[Encoding] {
        &self.encodings
    }

    /// What was set as codec preferences; none for the default.
    pub fn codec_preferences(&self) -> &[Codec] {
        &self.preferences
    }

    /// What both ends have agreed on, or propose.
    pub fn agreement(&self) -> &MediaAgreement {
        &self.agreement
    }

    /// What it is to receive; `None` when nothing is to be.
    pub fn receive_parameters(&self) -> Option<ReceiveParameters> {
        let running = !self.is_stopping();
        running.then(|| self.agreement.receive_parameters())?
    }

    /// What it is to send; `None` when nothing is to be.
    pub fn send_parameters(&self) -> Option<SendParameters> {
        let running = !self.is_stopping();
        running.then(|| self.agreement.send_parameters(&self.encodings))?
    }

    pub(crate) fn agreement_mut(&mut self) -> &mut MediaAgreement {
        &mut self.agreement
    }

    /// Sets what the application wants. Returns whether that is something else.
    pub(crate) fn set_direction(&mut self, direction: Direction) -> Result<bool, Error> {
        if self.is_stopping() {
            return Err(Error::InvalidState("the transceiver is stopping"));
        }
        Ok(std::mem::replace(&mut self.direction, direction) != direction)
    }

    /// `addTrack` uses it.
    pub(crate) fn track(&mut self) {
        self.tracked = true;
        self.direction = Direction::new(true, self.direction.receives());
    }

    /// Each stream once, in their order.
    pub(crate) fn set_streams(&mut self, streams: Vec<String>) {
        self.streams.clear();
        for stream in streams {
            if !self.streams.contains(&stream) {
                self.streams.push(stream);
            }
        }
    }

    pub(crate) fn set_encodings(&mut self, encodings: Vec<Encoding>) {
        self.encodings = encodings;
        if self.encodings.is_empty() {
            self.encodings.push(Encoding::default());
        }
    }

    /// Gives the streams that have none their SSRCs.
    pub(crate) fn draw_ssrcs(&mut self, source: &mut dyn Source, taken: &dyn Fn(u32) -> bool) {
        for index in 0..self.encodings.len() {
            let missing = |it: &Encoding| it.ssrcs.is_none();
            if self.encodings.get(index).is_some_and(missing) {
                let own: Vec<_> = self.ssrcs().collect();
                let drawn = Ssrcs::draw(source, |ssrc| taken(ssrc) || own.contains(&ssrc));
                if let Some(encoding) = self.encodings.get_mut(index) {
                    encoding.ssrcs = Some(drawn);
                }
            }
        }
    }

    /// One of its SSRCs is the peer's: another takes its place.
    pub(crate) fn replace_ssrc(&mut self, old: u32, new: u32) {
        let ssrcs = self.encodings.iter_mut().filter_map(|it| it.ssrcs.as_mut());
        ssrcs.for_each(|it| it.replace(old, new));
    }

    /// The SSRCs that it sends with, and those that the peer has announced for it.
    pub(crate) fn ssrcs(&self) -> impl Iterator<Item = u32> {
        let own = self.encodings.iter().filter_map(|it| it.ssrcs);
        let announced = self.agreement.announced.iter();
        own.flat_map(Ssrcs::all)
            .chain(announced.flat_map(Announced::ssrcs))
    }

    /// W3C's `stop`: nothing goes through it any more, and the next offer rejects its section.
    pub(crate) fn stop(&mut self) {
        if self.stage == Stage::Running {
            self.stage = Stage::Stopping;
        }
    }

    /// Its section is rejected, by whichever end.
    pub(crate) fn reject(&mut self) {
        self.stage = Stage::Stopped;
        self.direction = Direction::Inactive;
        self.agreement.direction = None;
        self.agreement.receptive = false;
        self.agreement.receiving = false;
        self.agreement.streams.clear();
    }

    /// W3C's `setCodecPreferences`: the codecs in this order, duplicates left out; none for the default.
    pub(crate) fn set_codec_preferences(
        &mut self,
        codecs: &[Codec],
        capabilities: &[Codec],
    ) -> Result<(), Error> {
        let same = |one: &Codec, two: &Codec| one.is_same(two, Levels::Compared);
        let mut chosen: Vec<Codec> = Vec::new();
        for codec in codecs {
            let known = capabilities.iter().find(|it| same(it, codec));
            let known = known.ok_or(Error::InvalidModification("not a codec of ours"))?;
            if !chosen.iter().any(|it| same(it, codec)) {
                chosen.push(known.clone());
            }
        }
        if !chosen.is_empty() && chosen.iter().all(Codec::is_auxiliary) {
            return Err(Error::InvalidModification("no codec carries media"));
        }
        self.preferences = chosen;
        Ok(())
    }

    /// The codecs of a description, of those that we can do: the preferred ones, or all.
    pub(crate) fn codecs<'a>(&'a self, capabilities: &'a [Codec]) -> &'a [Codec] {
        match self.preferences.as_slice() {
            [] => capabilities,
            preferred => preferred,
        }
    }

    /// The header extensions of a description, of those that we can do: those that were chosen, or all.
    pub fn extensions<'a>(&'a self, capabilities: &'a [Extension]) -> &'a [Extension] {
        self.extensions.as_deref().unwrap_or(capabilities)
    }

    pub(crate) fn set_extensions(&mut self, extensions: Vec<Extension>) {
        self.extensions = Some(extensions);
    }

    /// WebRTC Extensions: one that is new has what the first of its kind has. It needs names also where that one needed none.
    pub(crate) fn share_extensions(&mut self, first: &Self, capabilities: &[Extension]) {
        let shared = |chosen: &Vec<Extension>| {
            let shared = capabilities.iter().filter_map(|own| {
                let mut chosen = chosen.iter();
                chosen
                    .find(|it| it.is(own))
                    .or(own.names_packets().then_some(own))
            });
            shared.cloned().collect()
        };
        self.extensions = first.extensions.as_ref().map(shared);
    }

    /// RFC 9429 §5.2.2: from an answer on, an offer has what was agreed on, until others are chosen.
    pub(crate) fn keep_extensions(&mut self) {
        let agreed = self.agreement.extensions.iter();
        self.extensions = Some(agreed.map(|it| it.extension.clone()).collect());
    }

    /// Its direction in an offer; `None` rejects the section.
    pub(crate) fn offered_direction(&self) -> Option<Direction> {
        self.direction()
    }

    /// Its direction in an answer to an offer of this one; `None` rejects the section. One that is only
    /// stopping is answered as inactive, and rejected by the next offer.
    pub(crate) fn answered_direction(&self, offered: Direction) -> Option<Direction> {
        match self.stage {
            Stage::Running => Some(self.direction.and(offered.reversed())),
            Stage::Stopping => Some(Direction::Inactive),
            Stage::Stopped => None,
        }
    }

    /// Whether a section of the peer that no transceiver has is to be this one's (RFC 9429 §5.10): it was
    /// used by `addTrack`, it has no section, and the peer receives.
    pub(crate) fn takes(&self, kind: MediaKind, offered: Direction) -> bool {
        self.kind == kind
            && self.tracked
            && self.origin != Origin::Peer
            && self.mid.is_none()
            && !self.is_stopping()
            && offered.receives()
    }

    /// A description has it.
    pub(crate) fn associate(&mut self, mid: impl Into<String>) {
        self.mid = Some(mid.into());
    }

    /// An answer has settled its section.
    pub(crate) fn settle(&mut self, local: Direction, remote: Direction) {
        let direction = local.and(remote.reversed());
        self.agreement.direction = Some(direction);
        self.has_sent |= direction.sends();
    }

    /// Goes back to what it was before a description that is rolled back; `None` is that it was not there.
    /// What the application has set meanwhile stays. Returns whether it stays itself: one that the peer's
    /// offer made goes, unless `addTrack` has used it.
    pub(crate) fn roll_back(&mut self, stable: Option<&Self>) -> bool {
        match stable {
            Some(stable) => {
                let mut encodings = stable.encodings.clone();
                for encoding in &mut encodings {
                    let now = self.encodings.iter().find(|it| it.rid == encoding.rid);
                    encoding.ssrcs = encoding.ssrcs.or(now.and_then(|it| it.ssrcs));
                }
                self.encodings = encodings;
                self.mid.clone_from(&stable.mid);
                self.agreement = stable.agreement.clone();
                if self.is_stopped() {
                    self.reject();
                }
                true
            }
            None => {
                self.mid = None;
                self.agreement = MediaAgreement::default();
                if self.tracked {
                    self.origin = Origin::Track;
                }
                self.origin != Origin::Peer
            }
        }
    }

    /// W3C's check of one transceiver (§4.7.3). `None` is a section that the current local description does
    /// not have.
    pub(crate) fn needs_negotiation(&self, described: Option<&Described<'_>>) -> bool {
        match (self.stage, described) {
            (Stage::Stopping, _) | (Stage::Running, None) => true,
            (Stage::Stopped, described) => described.is_some_and(|it| !it.rejected),
            (Stage::Running, Some(described)) => {
                let mut wanted: Vec<_> = self.streams.iter().collect();
                let mut told: Vec<_> = described.streams.iter().collect();
                wanted.sort();
                told.sort();
                told.dedup();
                let streams = self.direction.sends() && wanted != told;
                let Described { local, remote, .. } = described;
                let direction = match described.offered {
                    true => *local != self.direction && remote.reversed() != self.direction,
                    false => *local != self.direction.and(remote.reversed()),
                };
                streams || direction
            }
        }
    }
}

#[cfg(test)]
mod tests;
