//! Transceivers: what the application wants of a section of RTP, and what became of it.

use oxirtc_sdp::Direction;

use crate::{Codec, Error, Layer, Levels};

/// What a section of RTP carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// `audio`
    Audio,
    /// `video`
    Video,
}

/// Who made a transceiver: a section of the peer goes to those of `addTrack` only (RFC 9429 §5.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// `addTrack`.
    Track,
    /// `addTransceiver`.
    Init,
    /// An offer of the peer.
    Peer,
}

/// A sender and a receiver that share a section: W3C's `RTCRtpTransceiver`, as far as descriptions go.
#[derive(Clone, Debug)]
pub struct Transceiver {
    kind: MediaKind,
    origin: Origin,
    /// `addTrack` has used it since it was made.
    tracked: bool,
    mid: Option<String>,
    direction: Direction,
    current: Option<Direction>,
    stage: Stage,
    preferences: Vec<Codec>,
    /// The streams of its track (W3C's `[[AssociatedMediaStreamIds]]`).
    pub streams: Vec<String>,
    /// The layers that it sends; none for one stream without a rid.
    pub layers: Vec<Layer>,
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
pub struct Described<'a> {
    /// The current local description is an offer; else it is an answer.
    pub offered: bool,
    /// In the current local description.
    pub local: Direction,
    /// In the current remote description, as the peer sees it.
    pub remote: Direction,
    /// The streams of `a=msid` in the current local description.
    pub streams: &'a [String],
    /// Either description rejects it.
    pub rejected: bool,
}

impl Transceiver {
    /// One that no description has yet.
    pub fn new(kind: MediaKind, origin: Origin, direction: Direction) -> Self {
        Self {
            kind,
            origin,
            tracked: origin == Origin::Track,
            mid: None,
            direction,
            current: None,
            stage: Stage::Running,
            preferences: Vec::new(),
            streams: Vec::new(),
            layers: Vec::new(),
        }
    }

    /// What it carries.
    pub fn kind(&self) -> MediaKind {
        self.kind
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
        self.current.filter(|_| self.stage != Stage::Stopped)
    }

    /// Whether `stop` was called, or the peer has rejected its section.
    pub fn is_stopping(&self) -> bool {
        self.stage != Stage::Running
    }

    /// Whether its section is rejected.
    pub fn is_stopped(&self) -> bool {
        self.stage == Stage::Stopped
    }

    /// Sets what the application wants. Returns whether that is something else.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidState`] when it is stopping.
    pub fn set_direction(&mut self, direction: Direction) -> Result<bool, Error> {
        if self.is_stopping() {
            return Err(Error::InvalidState("the transceiver is stopping"));
        }
        Ok(std::mem::replace(&mut self.direction, direction) != direction)
    }

    /// `addTrack` uses it.
    pub fn track(&mut self) {
        self.tracked = true;
        self.direction = Direction::new(true, self.direction.receives());
    }

    /// W3C's `stop`: nothing goes through it any more, and the next offer rejects its section.
    pub fn stop(&mut self) {
        if self.stage == Stage::Running {
            self.stage = Stage::Stopping;
        }
    }

    /// Its section is rejected, by whichever end.
    pub fn reject(&mut self) {
        self.stage = Stage::Stopped;
        self.direction = Direction::Inactive;
    }

    /// W3C's `setCodecPreferences`: the codecs in this order, duplicates left out; none for the default.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModification`] when one is not among `capabilities`, or none carries media.
    pub fn set_codec_preferences(
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
    pub fn codecs<'a>(&'a self, capabilities: &'a [Codec]) -> &'a [Codec] {
        match self.preferences.as_slice() {
            [] => capabilities,
            preferred => preferred,
        }
    }

    /// Its direction in an offer; `None` rejects the section.
    pub fn offered_direction(&self) -> Option<Direction> {
        self.direction()
    }

    /// Its direction in an answer to an offer of this one; `None` rejects the section. One that is only
    /// stopping is answered as inactive, and rejected by the next offer.
    pub fn answered_direction(&self, offered: Direction) -> Option<Direction> {
        match self.stage {
            Stage::Running => Some(self.direction.and(offered.reversed())),
            Stage::Stopping => Some(Direction::Inactive),
            Stage::Stopped => None,
        }
    }

    /// Whether a section of the peer that no transceiver has is to be this one's (RFC 9429 §5.10): it was
    /// used by `addTrack`, it has no section, and the peer receives.
    pub fn takes(&self, kind: MediaKind, offered: Direction) -> bool {
        self.kind == kind
            && self.tracked
            && self.origin != Origin::Peer
            && self.mid.is_none()
            && !self.is_stopping()
            && offered.receives()
    }

    /// A description has it.
    pub fn associate(&mut self, mid: impl Into<String>) {
        self.mid = Some(mid.into());
    }

    /// The description that first had it is rolled back. Returns whether it stays: one that the peer's offer
    /// made goes, unless `addTrack` has used it.
    pub fn dissociate(&mut self) -> bool {
        self.mid = None;
        self.current = None;
        self.origin != Origin::Peer || self.tracked
    }

    /// An answer has settled its section.
    pub fn settle(&mut self, local: Direction, remote: Direction) {
        self.current = Some(local.and(remote.reversed()));
    }

    /// W3C's check of one transceiver (§4.7.3). `None` is a section that the current local description does
    /// not have.
    pub fn needs_negotiation(&self, described: Option<&Described<'_>>) -> bool {
        match (self.stage, described) {
            (Stage::Stopping, _) | (Stage::Running, None) => true,
            (Stage::Stopped, described) => described.is_some_and(|it| !it.rejected),
            (Stage::Running, Some(described)) => {
                let mut wanted: Vec<_> = self.streams.iter().collect();
                let mut told: Vec<_> = described.streams.iter().collect();
                wanted.sort();
                told.sort();
                wanted.dedup();
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
mod tests {
    use super::*;

    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

    const ALL: [Direction; 4] = [SendRecv, SendOnly, RecvOnly, Inactive];

    fn video(origin: Origin, direction: Direction) -> Transceiver {
        Transceiver::new(MediaKind::Video, origin, direction)
    }

    /// [5.4-01] [5.4-02] [5.4-03] [5.4-05] [5.4-06] [5.4-07] The life of one: directions, stopping, stopped.
    #[test]
    fn life() {
        let mut it = video(Origin::Init, SendRecv);
        assert_eq!((it.mid(), it.current_direction()), (None, None));
        assert_eq!(it.set_direction(SendRecv), Ok(false));
        assert_eq!(it.set_direction(SendOnly), Ok(true));
        it.associate("7");
        it.settle(SendOnly, RecvOnly);
        assert_eq!(
            (it.mid(), it.current_direction()),
            (Some("7"), Some(SendOnly))
        );
        it.settle(SendOnly, Inactive);
        assert_eq!(it.current_direction(), Some(Inactive));
        it.stop();
        assert!(it.is_stopping() && !it.is_stopped());
        assert_eq!(it.direction(), None);
        assert_eq!(
            it.current_direction(),
            Some(Inactive),
            "until it is negotiated"
        );
        assert!(matches!(
            it.set_direction(SendOnly),
            Err(Error::InvalidState(_))
        ));
        it.reject();
        it.stop();
        assert!(it.is_stopped() && it.current_direction().is_none());
    }

    /// [5.4-08] What stands in offers and answers: never more than both ends take; a stopping one is rejected
    /// by offers only.
    #[test]
    fn directions() {
        for ours in ALL {
            let it = video(Origin::Init, ours);
            assert_eq!(it.offered_direction(), Some(ours));
            for theirs in ALL {
                let answer = it.answered_direction(theirs).expect("it runs");
                assert_eq!(answer.sends(), ours.sends() && theirs.receives());
                assert_eq!(answer.receives(), ours.receives() && theirs.sends());
            }
        }
        let mut it = video(Origin::Init, SendRecv);
        it.stop();
        assert_eq!(
            (it.offered_direction(), it.answered_direction(SendRecv)),
            (None, Some(Inactive))
        );
        it.reject();
        assert_eq!(
            (it.offered_direction(), it.answered_direction(SendRecv)),
            (None, None)
        );
    }

    /// [4.4.1.6-29] [4.4.1.6-37] [4.4.1.6-38] Which of the peer's sections one takes, and what a rollback
    /// leaves.
    #[test]
    fn association() {
        let takes = |it: &Transceiver| ALL.map(|offered| it.takes(MediaKind::Video, offered));
        let tracked = video(Origin::Track, SendRecv);
        assert_eq!(takes(&tracked), [true, false, true, false]);
        assert!(!tracked.takes(MediaKind::Audio, SendRecv));
        let none = [false; 4];
        assert_eq!(takes(&video(Origin::Init, SendRecv)), none);
        let mut init = video(Origin::Init, RecvOnly);
        init.track();
        assert_eq!(
            (takes(&init), init.direction()),
            ([true, false, true, false], Some(SendRecv))
        );
        init.associate("0");
        assert_eq!(takes(&init), none);
        assert!(init.dissociate());
        assert_eq!((init.mid(), takes(&init)[0]), (None, true));
        init.stop();
        assert_eq!(takes(&init), none);
        let mut theirs = video(Origin::Peer, RecvOnly);
        theirs.associate("0");
        assert!(!theirs.dissociate());
        theirs.track();
        assert!(theirs.dissociate(), "a track is kept");
    }

    /// [5.4-10] to [5.4-14] Preferences: of our codecs, each once, one with media; none is the default.
    #[test]
    fn preferences() {
        let capabilities = ["VP8", "VP9", "rtx", "red"].map(|name| Codec::new(name, 90_000));
        let [vp8, vp9, rtx, red] = &capabilities;
        let mut it = video(Origin::Init, SendRecv);
        let mut set = |list: &[&Codec]| {
            let list: Vec<_> = list.iter().map(|it| (*it).clone()).collect();
            let result = it.set_codec_preferences(&list, &capabilities);
            (result.is_ok(), it.codecs(&capabilities).to_vec())
        };
        let lower = Codec::new("vp9", 90_000);
        let chosen = vec![vp9.clone(), rtx.clone()];
        assert_eq!(set(&[&lower, rtx, vp9, rtx]), (true, chosen.clone()));
        for wrong in [vec![rtx, red], vec![vp8, &Codec::new("AV1", 90_000)]] {
            assert_eq!(set(&wrong), (false, chosen.clone()), "nothing has changed");
        }
        assert_eq!(set(&[]), (true, capabilities.to_vec()));
    }

    /// [4.7.3-07] to [4.7.3-13] When negotiation is needed for one.
    #[test]
    fn negotiation_needed() {
        let mut it = video(Origin::Init, SendRecv);
        let streams = ["a".to_owned(), "b".to_owned()];
        it.streams = vec!["b".to_owned(), "a".to_owned(), "a".to_owned()];
        let described = Described {
            offered: true,
            local: SendRecv,
            remote: SendRecv,
            streams: &streams,
            rejected: false,
        };
        let with = |edit: &dyn Fn(&mut Described<'_>)| {
            let mut it = described.clone();
            edit(&mut it);
            it
        };
        assert!(it.needs_negotiation(None));
        assert!(!it.needs_negotiation(Some(&described)));
        assert!(it.needs_negotiation(Some(&with(&|it| it.streams = &[]))));
        // our offer: neither what we said nor what the peer took
        let half = |local, remote| with(&|it| (it.local, it.remote) = (local, remote));
        assert!(!it.needs_negotiation(Some(&half(SendRecv, Inactive))));
        assert!(!it.needs_negotiation(Some(&half(Inactive, SendRecv))));
        assert!(it.needs_negotiation(Some(&half(SendOnly, RecvOnly))));
        // our answer: other than what both want
        let answer =
            |local, remote| with(&|it| (it.offered, it.local, it.remote) = (false, local, remote));
        assert!(!it.needs_negotiation(Some(&answer(RecvOnly, SendOnly))));
        assert!(it.needs_negotiation(Some(&answer(Inactive, SendOnly))));
        assert!(it.needs_negotiation(Some(&answer(RecvOnly, SendRecv))));
        it.set_direction(RecvOnly).expect("it runs");
        assert!(!it.needs_negotiation(Some(&with(&|it| (it.local, it.streams) = (RecvOnly, &[])))));
        it.stop();
        assert!(it.needs_negotiation(Some(&described)));
        it.reject();
        assert!(
            it.needs_negotiation(Some(&described)),
            "not rejected in a description yet"
        );
        assert!(!it.needs_negotiation(Some(&with(&|it| it.rejected = true))));
        assert!(!it.needs_negotiation(None));
    }
}
