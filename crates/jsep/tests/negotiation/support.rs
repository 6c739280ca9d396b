//! What the tests share: negotiators and their credentials.
#![expect(clippy::unwrap_used, reason = "functions that only tests call")]

use std::{fs, path::PathBuf};

use oxirtc_jsep::{
    Capabilities, Change, Codec, Config, Credentials, Description, Error, Extension, Fingerprint,
    MediaKind, Negotiator, OfferOptions, SdpType, SignalingState, Source, Transceiver,
};

/// A negotiator with a source of credentials that can be told apart.
pub(crate) struct Peer {
    pub(crate) negotiator: Negotiator,
    source: Numbers,
}

/// Makes credentials that can be told apart, and SSRCs.
struct Numbers {
    name: char,
    count: u32,
    ssrc: u32,
}

impl Numbers {
    fn nth(&self, count: u32) -> Credentials {
        let name = self.name;
        Credentials {
            ufrag: format!("{name}{count:07}"),
            password: format!("{name}{count:023}"),
        }
    }
}

impl Source for Numbers {
    fn credentials(&mut self) -> Credentials {
        self.count += 1;
        self.nth(self.count)
    }

    fn ssrc(&mut self) -> u32 {
        self.ssrc += 1;
        self.ssrc
    }
}

impl Peer {
    pub(crate) fn new(name: char) -> Self {
        Self::with(name, |config| config)
    }

    pub(crate) fn with(name: char, configure: impl FnOnce(Config) -> Config) -> Self {
        let value = vec![name as u8; 32];
        let fingerprint = Fingerprint {
            algorithm: "sha-256".to_owned(),
            value,
        };
        let config = configure(Config::new(u64::from(name as u32), vec![fingerprint]));
        Self {
            negotiator: Negotiator::new(config),
            source: Numbers {
                name,
                count: 0,
                ssrc: name as u32 * 1000,
            },
        }
    }

    /// A peer that has a data channel.
    pub(crate) fn with_channel(name: char) -> Self {
        let mut peer = Self::new(name);
        peer.negotiator.add_data_channel();
        peer
    }

    pub(crate) fn offer(&mut self) -> Description {
        self.try_offer(false).unwrap()
    }

    pub(crate) fn try_offer(&mut self, ice_restart: bool) -> Result<Description, Error> {
        let options = OfferOptions {
            ice_restart,
            ..OfferOptions::default()
        };
        self.negotiator.create_offer(options, &mut self.source)
    }

    pub(crate) fn answer(&mut self) -> Description {
        self.try_answer().unwrap()
    }

    pub(crate) fn try_answer(&mut self) -> Result<Description, Error> {
        self.negotiator.create_answer(&mut self.source)
    }

    pub(crate) fn local(&mut self, description: impl Into<Option<Description>>) -> Vec<Change> {
        self.try_local(description).unwrap()
    }

    pub(crate) fn try_local(
        &mut self,
        description: impl Into<Option<Description>>,
    ) -> Result<Vec<Change>, Error> {
        self.negotiator
            .set_local(description.into(), &mut self.source)
    }

    pub(crate) fn remote(&mut self, description: Description) -> Vec<Change> {
        self.try_remote(description).unwrap()
    }

    /// As W3C §4.4.2 has it: ours gives way first.
    pub(crate) fn try_remote(&mut self, description: Description) -> Result<Vec<Change>, Error> {
        let mut changes = self.negotiator.give_way(description.kind);
        changes.extend(self.negotiator.set_remote(description)?);
        Ok(changes)
    }

    pub(crate) fn state(&self) -> SignalingState {
        self.negotiator.signaling_state()
    }

    /// The latest credentials that this peer made.
    pub(crate) fn latest(&self) -> Credentials {
        self.source.nth(self.source.count)
    }
}

/// One exchange, all the way. Returns what followed at both ends.
pub(crate) fn exchange(offerer: &mut Peer, answerer: &mut Peer) -> (Vec<Change>, Vec<Change>) {
    let mut ours = offerer.local(None);
    let offer = offerer.negotiator.local_description().unwrap();
    let mut theirs = answerer.remote(offer);
    theirs.extend(answerer.local(None));
    ours.extend(offerer.remote(answerer.negotiator.local_description().unwrap()));
    (ours, theirs)
}

/// Two peers with a data channel that have agreed.
pub(crate) fn connected() -> (Peer, Peer) {
    let mut offerer = Peer::with_channel('a');
    let mut answerer = Peer::new('b');
    exchange(&mut offerer, &mut answerer);
    (offerer, answerer)
}

pub(crate) fn offer_of(sdp: impl Into<String>) -> Description {
    Description::new(SdpType::Offer, sdp)
}

pub(crate) fn answer_of(sdp: impl Into<String>) -> Description {
    Description::new(SdpType::Answer, sdp)
}

/// Descriptions recorded from browsers whose names contain this.
pub(crate) fn recorded(part: &str) -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../sdp/tests/recorded");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(part))
        .map(|path| {
            (
                path.to_string_lossy().into_owned(),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// All that can be seen of a negotiator.
pub(crate) fn visible(peer: &Peer) -> impl PartialEq + std::fmt::Debug + use<> {
    let it = &peer.negotiator;
    (
        it.signaling_state(),
        [
            it.current_local_description(),
            it.pending_local_description(),
            it.current_remote_description(),
            it.pending_remote_description(),
        ],
        it.transports().collect::<Vec<_>>(),
        it.transceivers().map(shown).collect::<Vec<_>>(),
        it.negotiation_needed(),
        it.can_trickle_ice_candidates(),
    )
}

/// All of a transceiver but for its SSRCs, which are given when they are first needed.
fn shown(it: &Transceiver) -> impl PartialEq + std::fmt::Debug + use<> {
    let encodings = it.encodings().iter();
    let encodings: Vec<_> = encodings.map(|it| (it.rid.clone(), it.paused)).collect();
    (
        (it.id(), it.mid().map(str::to_owned), it.direction()),
        (it.current_direction(), it.is_stopping(), it.is_stopped()),
        (it.streams().to_vec(), encodings, it.agreement().clone()),
    )
}

/// The latest local ufrag that a peer's changes name.
pub(crate) fn local_ufrags(changes: &[Change]) -> Vec<String> {
    let ufrag = |change: &Change| match change {
        Change::LocalIce { credentials, .. } => Some(credentials.ufrag.clone()),
        _ => None,
    };
    changes.iter().filter_map(ufrag).collect()
}

/// What the peers of the media tests can do: as much as a browser, in its order.
pub(crate) fn equipped(config: Config) -> Config {
    let mid = Extension::new("urn:ietf:params:rtp-hdrext:sdes:mid");
    let level = Extension::new("urn:ietf:params:rtp-hdrext:ssrc-audio-level");
    let transport =
        Extension::new("http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01");
    let rid = Extension::new("urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id");
    let repaired = Extension::new("urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id");
    let audio = Capabilities {
        codecs: vec![
            Codec::new("opus", 48_000)
                .channels(2)
                .parameters("minptime=10;useinbandfec=1")
                .feedback(["transport-cc"]),
            Codec::new("red", 48_000).channels(2),
            Codec::new("G722", 8000),
            Codec::new("PCMU", 8000),
            Codec::new("PCMA", 8000),
            Codec::new("CN", 8000),
            Codec::new("telephone-event", 48_000).parameters("0-15"),
            Codec::new("telephone-event", 8000).parameters("0-15"),
        ],
        extensions: vec![mid.clone(), level, transport.clone()],
    };
    let feedback = ["transport-cc", "ccm fir", "nack", "nack pli"];
    let video = |name: &str| Codec::new(name, 90_000).feedback(feedback);
    let h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
    let video = Capabilities {
        codecs: vec![
            video("VP8"),
            video("VP9").parameters("profile-id=0"),
            video("H264").parameters(h264),
            video("AV1").parameters("level-idx=5;profile=0;tier=0"),
            Codec::new("rtx", 90_000),
            Codec::new("red", 90_000),
            Codec::new("ulpfec", 90_000),
        ],
        extensions: vec![mid, transport, rid, repaired],
    };
    config
        .media(MediaKind::Audio, audio)
        .media(MediaKind::Video, video)
}

/// Lines of a description that begin with one of these, without their ends.
pub(crate) fn lines<'a>(sdp: &'a str, beginnings: &[&str]) -> Vec<&'a str> {
    let wanted = |line: &&str| beginnings.iter().any(|it| line.starts_with(it));
    sdp.lines().filter(wanted).collect()
}
