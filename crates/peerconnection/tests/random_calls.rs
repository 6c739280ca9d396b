//! Calls in any order, with good and bad arguments, in any state: each ends at once, with a result or with an error that its
//! documentation names.
//!
//! A sample by default; 1,000,000 calls with `OXIRTC_FULL=1`.

mod pair;

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use oxirtc_netsim::{Link, for_each_seed_at_once, ms};
use oxirtc_peerconnection::{
    BundlePolicy, Configuration, DataChannelInit, DtxStatus, Error, ErrorKind, IceCandidateInit,
    IceServer, IceTransportPolicy, MediaKind, Message, OfferOptions, Priority,
    ResolutionRestriction, RtpEncodingParameters, RtpTransceiverDirection, SdpType,
    SessionDescription, SignalingState,
    engine::{
        ChannelId, Choice, Cutter, SendError, StatsSubject, TrackId, TransceiverId,
        TransceiverInit, capabilities_of,
    },
    media::{Codec, EncodedFrame, RtcpApp},
    stats::{DecoderStats, EncoderStats, PlayoutStats},
};
use pair::Pair;

const CALLS_OF_A_SEED: u64 = 1_000;

struct Calls {
    pair: Pair,
    random: u64,
    /// Descriptions that were made or told, good and stale.
    descriptions: Vec<SessionDescription>,
    candidates: Vec<IceCandidateInit>,
    channels: [Vec<ChannelId>; 2],
    transceivers: [Vec<TransceiverId>; 2],
    cutters: [Cutter; 2],
    refused: u64,
}

impl Calls {
    fn new(seed: u64) -> Self {
        Self {
            pair: Pair::new(seed, Link::new(seed).delay(ms(3))),
            random: seed,
            descriptions: Vec::new(),
            candidates: Vec::new(),
            channels: Default::default(),
            transceivers: Default::default(),
            cutters: Default::default(),
            refused: 0,
        }
    }

    /// SplitMix64.
    fn below(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % bound as u64) as usize
    }

    /// Some description: made here or there, now or earlier, of this or another type, whole or damaged.
    fn description(&mut self) -> SessionDescription {
        let kinds = [
            SdpType::Offer,
            SdpType::Answer,
            SdpType::Pranswer,
            SdpType::Rollback,
        ];
        let recent = self.descriptions.len().min(6);
        let mut description = match recent {
            0 => SessionDescription::offer(""),
            _ => {
                let back = self.below(recent);
                self.descriptions[self.descriptions.len() - 1 - back].clone()
            }
        };
        match self.below(8) {
            0 => description.kind = kinds[self.below(4)],
            1 => {
                let at = self.below(description.sdp.len() + 1);
                if description.sdp.is_char_boundary(at) {
                    description.sdp.truncate(at);
                }
            }
            2 => {
                let lines: Vec<_> = description.sdp.lines().collect();
                let gone = self.below(lines.len() + 1);
                let kept = lines.iter().enumerate().filter(|(index, _)| *index != gone);
                description.sdp = kept.flat_map(|(_, line)| [*line, "\r\n"]).collect();
            }
            3 => {
                description.sdp = description
                    .sdp
                    .replace("m=application 9", "m=application 0")
            }
            _ => {}
        }
        description
    }

    fn candidate(&mut self) -> IceCandidateInit {
        let mut candidate = match self.candidates.len() {
            0 => IceCandidateInit::default(),
            length => {
                let at = self.below(length);
                self.candidates[at].clone()
            }
        };
        match self.below(8) {
            0 => candidate.sdp_mid = Some("none".into()),
            1 => (candidate.sdp_mid, candidate.sdp_m_line_index) = (None, Some(7)),
            2 => (candidate.sdp_mid, candidate.sdp_m_line_index) = (None, None),
            3 => candidate.candidate = "candidate:nonsense".into(),
            4 => candidate.username_fragment = Some("unknown".into()),
            5 => candidate.candidate.clear(),
            _ => {}
        }
        candidate
    }

    fn configuration(&mut self, side: usize) -> Configuration {
        let mut configuration = self.pair.ends[side].engine.configuration().clone();
        match self.below(8) {
            0 => configuration.bundle_policy = BundlePolicy::MaxBundle,
            1 => configuration.ice_transport_policy = IceTransportPolicy::All,
            2 => configuration.ice_servers = vec![IceServer::new("stun:host")],
            3 => configuration.ice_servers = vec![IceServer::new("nonsense")],
            4 => configuration.ice_servers = vec![IceServer::new("turn:host")],
            5 => configuration.ice_candidate_pool_size = 1,
            _ => {}
        }
        configuration
    }

    fn init(&mut self) -> DataChannelInit {
        let mut init = DataChannelInit::default();
        match self.below(8) {
            0 => (init.negotiated, init.id) = (true, Some(self.below(65_536) as u16)),
            1 => init.negotiated = true,
            2 => (init.max_retransmits, init.max_packet_life_time) = (Some(1), Some(1)),
            3 => init.protocol = "p".repeat(70_000),
            4 => init.ordered = false,
            _ => {}
        }
        init
    }

    fn channel(&mut self, side: usize) -> Option<ChannelId> {
        let there = self.pair.ends[side].channels.iter();
        let all: Vec<_> = self.channels[side].iter().chain(there).copied().collect();
        let at = self.below(all.len().max(1));
        all.get(at).copied()
    }

    /// One call, and what it may answer.
    fn call(&mut self) {
        let side = self.below(2);
        match self.below(42) {
            0..=11 => self.describe(side),
            12..=18 => self.hear(side),
            19..=21 => self.arrange(side),
            22..=23 => self.send(side),
            24..=25 => self.end(side),
            26 => self.look(side),
            27..=30 => self.carry(side),
            31..=34 => self.tune(side),
            35..=38 => self.supply(side),
            _ => {
                let time = Duration::from_millis(self.below(200) as u64);
                self.pair.run(time);
            }
        }
    }

    fn describe(&mut self, side: usize) {
        let now = self.pair.now;
        match self.below(12) {
            0..=3 => {
                let ice_restart = self.below(8) == 0;
                let mut maybe = || [None, None, None, Some(true), Some(false)][self.below(5)];
                let options = OfferOptions {
                    ice_restart,
                    offer_to_receive_audio: maybe(),
                    offer_to_receive_video: maybe(),
                    voice_activity_detection: maybe(),
                };
                let engine = &mut self.pair.ends[side].engine;
                let made = engine.create_offer(&options);
                self.made("createOffer", made);
            }
            4..=6 => {
                let made = self.pair.ends[side].engine.create_answer();
                self.made("createAnswer", made);
            }
            7..=9 => {
                let engine = &mut self.pair.ends[side].engine;
                let set = engine.set_local_description(now, None);
                let description = engine.local_description();
                self.judge("setLocalDescription", set, LOCAL);
                self.descriptions.extend(description);
            }
            _ => {
                let description = Some(self.description());
                let engine = &mut self.pair.ends[side].engine;
                let set = engine.set_local_description(now, description);
                self.judge("setLocalDescription", set, LOCAL);
            }
        }
    }

    fn hear(&mut self, side: usize) {
        let now = self.pair.now;
        if self.below(7) < 5 {
            let description = self.description();
            let engine = &mut self.pair.ends[side].engine;
            let set = engine.set_remote_description(now, description);
            self.judge("setRemoteDescription", set, REMOTE);
        } else {
            let candidate = self.candidate();
            let engine = &mut self.pair.ends[side].engine;
            let added = engine.add_ice_candidate(now, &candidate);
            let kinds = &[
                ErrorKind::Type,
                ErrorKind::InvalidState,
                ErrorKind::Operation,
            ];
            self.judge("addIceCandidate", added, kinds);
        }
    }

    fn arrange(&mut self, side: usize) {
        let now = self.pair.now;
        match self.below(3) {
            0 => {
                let init = self.init();
                let long = self.below(8) == 0;
                let label = "l".repeat(if long { 70_000 } else { 1 });
                let engine = &mut self.pair.ends[side].engine;
                let made = engine.create_data_channel(now, &label, &init);
                self.channels[side].extend(made.as_ref().ok());
                self.judge("createDataChannel", made.map(drop), CHANNEL);
            }
            1 => {
                let configuration = self.configuration(side);
                let engine = &mut self.pair.ends[side].engine;
                let set = engine.set_configuration(configuration);
                let kinds = &[
                    ErrorKind::InvalidState,
                    ErrorKind::InvalidModification,
                    ErrorKind::InvalidAccess,
                    ErrorKind::Syntax,
                ];
                self.judge("setConfiguration", set, kinds);
            }
            _ => self.pair.ends[side].engine.restart_ice(),
        }
    }

    fn transceiver(&mut self, side: usize) -> Option<TransceiverId> {
        let all = self.pair.ends[side].engine.transceivers();
        let all: Vec<_> = all.map(|it| it.id()).collect();
        self.transceivers[side].extend(&all);
        self.transceivers[side].dedup();
        // Those that are gone as well.
        let known = &self.transceivers[side];
        let recent: Vec<_> = known.iter().rev().take(8).copied().collect();
        let at = self.below(recent.len().max(1));
        recent.get(at).copied()
    }

    fn direction(&mut self) -> RtpTransceiverDirection {
        [
            RtpTransceiverDirection::SendRecv,
            RtpTransceiverDirection::SendOnly,
            RtpTransceiverDirection::RecvOnly,
            RtpTransceiverDirection::Inactive,
            RtpTransceiverDirection::Stopped,
        ][self.below(5)]
    }

    fn encodings(&mut self) -> Vec<RtpEncodingParameters> {
        let rids: &[&str] = [
            &[][..],
            &["q", "h", "f"],
            &["a", "a"],
            &["ä"],
            &["a"],
            &["1", ""],
        ][self.below(6)];
        let mut encodings: Vec<_> = rids
            .iter()
            .map(|rid| RtpEncodingParameters::named(*rid))
            .collect();
        if let Some(first) = encodings.first_mut() {
            self.change(first);
        }
        encodings
    }

    fn change(&mut self, encoding: &mut RtpEncodingParameters) {
        let (width, rate) = (self.below(3) as u32, self.below(3) as f64 - 1.0);
        match self.below(9) {
            0 => encoding.active = !encoding.active,
            1 => encoding.scale_resolution_down_by = Some(rate),
            2 => encoding.max_framerate = Some(rate),
            3 => encoding.scalability_mode = Some(["L1T2", "L3T9", ""][self.below(3)].to_owned()),
            4 => {
                encoding.scale_resolution_down_to = Some(ResolutionRestriction {
                    max_width: width,
                    max_height: 1,
                });
            }
            5 => encoding.codec_payload_type = Some(96),
            6 => encoding.max_bitrate = Some(width * 100_000),
            7 => encoding.priority = Priority::High,
            _ => encoding.dtx = Some(DtxStatus::Enabled),
        }
    }

    /// What is sent and received.
    fn carry(&mut self, side: usize) {
        let now = self.pair.now;
        let kind = [MediaKind::Audio, MediaKind::Video][self.below(2)];
        let track = TrackId(self.below(4) as u64);
        let dice = self.below(9);
        // Descriptions grow with what they describe.
        let many = self.pair.ends[side].engine.transceivers().count() > 6;
        if dice < 3 && !many {
            let (direction, encodings) = (self.direction(), self.encodings());
            let init = TransceiverInit {
                direction,
                encodings,
                streams: vec!["s".to_owned()],
            };
            let engine = &mut self.pair.ends[side].engine;
            if dice == 0 {
                let made = engine.add_track(kind, track, vec!["s".to_owned()]);
                let kinds = &[ErrorKind::InvalidState, ErrorKind::InvalidAccess];
                return self.judge("addTrack", made.map(drop), kinds);
            }
            let made = engine.add_transceiver(kind, Some(track), init);
            return self.judge("addTransceiver", made.map(drop), ENCODINGS);
        }
        let (Some(id), direction) = (self.transceiver(side), self.direction()) else {
            return;
        };
        let engine = &mut self.pair.ends[side].engine;
        let (done, kinds) = match dice {
            0..=3 => (engine.set_direction(id, direction), TYPE),
            4 => {
                let track = Some((kind, track));
                (engine.replace_track(now, id, track), TYPE)
            }
            5 => (engine.remove_track(now, id), STATE),
            6 => (engine.stop_transceiver(now, id), STATE),
            7 => {
                let streams = vec!["t".to_owned(), "s".to_owned()];
                (engine.set_streams(id, streams), STATE)
            }
            _ => {
                let played = engine.insert_dtmf(now, id, "1x", ms(100), ms(50));
                (played, CHARACTER)
            }
        };
        self.judge("a verb of media", done, kinds);
    }

    /// How it is sent and received.
    fn tune(&mut self, side: usize) {
        let now = self.pair.now;
        let Some(id) = self.transceiver(side) else {
            return;
        };
        let (dice, direction, at) = (self.below(5), self.direction(), self.below(6));
        let engine = &mut self.pair.ends[side].engine;
        let (done, kinds) = match dice {
            0..=1 => {
                let mut parameters = engine.parameters(id);
                if let Some(first) = parameters.encodings.first_mut() {
                    self.change(first);
                }
                let engine = &mut self.pair.ends[side].engine;
                (engine.set_parameters(now, id, parameters), PARAMETERS)
            }
            2 => {
                let all = engine.header_extensions_to_negotiate(id);
                let set = all.and_then(|mut all| {
                    let length = all.len();
                    all[at % length].direction = direction;
                    engine.set_header_extensions_to_negotiate(id, &all)
                });
                (set, MODIFICATION)
            }
            3 => {
                let target = Some(ms(at as u64 * 1000));
                (engine.set_jitter_buffer_target(id, target), RANGE)
            }
            _ => {
                let mut codecs = capabilities_of(MediaKind::Video).codecs;
                codecs.truncate(at);
                (engine.set_codec_preferences(id, &codecs), MODIFICATION)
            }
        };
        self.judge("how it is sent", done, kinds);
        let engine = &self.pair.ends[side].engine;
        let negotiated = engine.negotiated_header_extensions(id);
        assert_eq!(negotiated.is_ok(), engine.transceiver(id).is_some());
    }

    /// Media, who takes it, and what only an application knows of it.
    fn supply(&mut self, side: usize) {
        let now = self.pair.now;
        let Some(id) = self.transceiver(side) else {
            return;
        };
        let (dice, number) = (self.below(9), self.below(5) as u8);
        let engine = &mut self.pair.ends[side].engine;
        match dice {
            0..=2 => {
                let of_audio = |id| Some(engine.transceiver(id)?.kind() == MediaKind::Audio);
                let codec = match of_audio(id) {
                    Some(true) => Codec::Opus,
                    _ => Codec::Vp8,
                };
                // A key frame of VP8, a packet of Opus, or nothing at all.
                let mut payload = vec![0; usize::from(4 - number) * 2_000];
                if let Some(head) = payload.first_chunk_mut() {
                    *head = [0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0];
                }
                let frame = EncodedFrame::new(codec, payload);
                let cut = self.cutters[side].cut_frame(now, number, &frame);
                if let Ok(batch) = &cut {
                    engine.write(now, id, batch);
                    engine.lag(id, number.into());
                }
                self.judge("a frame", cut.map(drop), TYPE_OR_LANE);
            }
            3 => {
                let rids = ["q".to_owned(), "h".to_owned()];
                engine.choose(now, id, &rids, &Choice::lane(number));
                engine.request_keyframe(now, id, (number > 0).then_some(number));
            }
            4 => {
                engine.set_delivery(id, number & 1 == 0, number & 2 == 0);
                while engine.read_frame(now, id).is_some() {}
                while engine.read_packets().is_some() {}
            }
            5 => {
                let app = RtcpApp {
                    name: *b"test",
                    subtype: number * 8,
                    data: vec![0; usize::from(number) * 200].into(),
                };
                let on = engine.transports().next().map(|it| it.id());
                if let Some(on) = on {
                    engine.read_rtcp(on, number > 2);
                    let sent = engine.send_app(now, on, &app);
                    self.judge("send_app", sent, APP);
                }
            }
            6 => {
                let encoder = EncoderStats::default();
                let told = engine.set_encoder_stats(id, number.into(), encoder);
                self.judge("set_encoder_stats", told, TYPE);
            }
            7 => {
                let told = engine.set_decoder_stats(id, number, DecoderStats::default());
                let played = engine.set_playout_stats(id, PlayoutStats::default());
                self.judge("set_decoder_stats", told, TYPE);
                self.judge("set_playout_stats", played, STATE);
            }
            _ => {
                let on = engine.transports().next().map(|it| it.id());
                let of = [StatsSubject::Sender(id), StatsSubject::Receiver(id)];
                let all = of.into_iter().chain(on.map(StatsSubject::Transport));
                assert!(all.into_iter().all(|it| engine.stats_of(now, it).is_some()));
                let heard = engine.sources(now, id);
                assert!(heard.iter().all(|it| !it.contributes), "nobody mixes");
            }
        }
    }

    fn end(&mut self, side: usize) {
        let (now, dice) = (self.pair.now, self.below(40));
        let channel = self.channel(side);
        let engine = &mut self.pair.ends[side].engine;
        match (dice, channel) {
            (0, _) => {
                engine.close(now);
                assert_eq!(engine.signaling_state(), SignalingState::Closed);
            }
            (1..=19, Some(channel)) => {
                engine.close_channel(now, channel);
                let _unread = engine.read(now, channel);
            }
            (_, Some(channel)) => engine.forget_channel(now, channel),
            (_, None) => {}
        }
    }

    fn send(&mut self, side: usize) {
        let Some(channel) = self.channel(side) else {
            return;
        };
        let length = [0, 10, 3_000, 300_000][self.below(4)];
        let now = self.pair.now;
        let message = Message::from(vec![1; length]);
        let engine = &mut self.pair.ends[side].engine;
        match engine.send(now, channel, &message) {
            Ok(()) | Err(SendError::Full) => {}
            Err(SendError::Refused(error)) => {
                self.judge("send", Err(error), CHANNEL);
            }
        }
    }

    fn look(&mut self, side: usize) {
        let now = self.pair.now;
        let engine = &self.pair.ends[side].engine;
        let report = engine.stats(now);
        for object in &report {
            for id in object.references() {
                assert!(report.get(id).is_some(), "{object:?}");
            }
        }
        assert_eq!(
            engine.is_closed(),
            engine.signaling_state() == SignalingState::Closed
        );
        for task in &self.pair.ends[1 - side].tasks {
            for event in task {
                if let oxirtc_peerconnection::engine::Event::IceCandidate(Some(it)) = event {
                    self.candidates.push(it.to_init());
                }
            }
        }
        self.pair.ends[1 - side].tasks.clear();
        let many = self.candidates.len().saturating_sub(8);
        self.candidates.drain(..many);
    }

    fn made(&mut self, name: &str, made: Result<SessionDescription, Error>) {
        self.descriptions.extend(made.as_ref().ok().cloned());
        self.judge(name, made.map(drop), &[ErrorKind::InvalidState]);
    }

    fn judge(&mut self, name: &str, result: Result<(), Error>, documented: &[ErrorKind]) {
        if let Err(error) = result {
            self.refused += 1;
            assert!(documented.contains(&error.kind()), "{name}: {error:?}");
        }
    }
}

const LOCAL: &[ErrorKind] = &[
    ErrorKind::InvalidState,
    ErrorKind::InvalidModification,
    ErrorKind::InvalidAccess,
    ErrorKind::Operation,
];
const REMOTE: &[ErrorKind] = &[
    ErrorKind::InvalidState,
    ErrorKind::InvalidAccess,
    ErrorKind::Operation,
];

const STATE: &[ErrorKind] = &[ErrorKind::InvalidState];
const TYPE: &[ErrorKind] = &[ErrorKind::InvalidState, ErrorKind::Type];
const TYPE_OR_LANE: &[ErrorKind] = &[ErrorKind::Type, ErrorKind::Operation];
const RANGE: &[ErrorKind] = &[ErrorKind::InvalidState, ErrorKind::Range];
const CHARACTER: &[ErrorKind] = &[ErrorKind::InvalidState, ErrorKind::InvalidCharacter];
const MODIFICATION: &[ErrorKind] = &[ErrorKind::InvalidState, ErrorKind::InvalidModification];
const PARAMETERS: &[ErrorKind] = &[
    ErrorKind::InvalidState,
    ErrorKind::InvalidModification,
    ErrorKind::Range,
];
const APP: &[ErrorKind] = &[
    ErrorKind::Type,
    ErrorKind::InvalidState,
    ErrorKind::Operation,
];
/// Of `addTransceiver`.
const ENCODINGS: &[ErrorKind] = &[
    ErrorKind::InvalidState,
    ErrorKind::Type,
    ErrorKind::InvalidAccess,
    ErrorKind::Operation,
    ErrorKind::Range,
    ErrorKind::InvalidModification,
];
const CHANNEL: &[ErrorKind] = &[
    ErrorKind::InvalidState,
    ErrorKind::Type,
    ErrorKind::Operation,
];

/// Plays a seed: how many calls were refused, and whether a connection had a path.
fn play(seed: u64) -> (u64, bool) {
    let mut game = Calls::new(seed);
    for _ in 0..CALLS_OF_A_SEED {
        game.call();
    }
    let has_path = |it: &pair::End| it.engine.counters().round_trip.is_some();
    (game.refused, game.pair.ends.iter().any(has_path))
}

/// [11.3-08] Nothing that an application or its signalling says ends in anything but a documented error.
/// Known failure 40.
#[test]
fn calls_in_any_order_end_in_documented_errors() {
    let calls = if env::var_os("OXIRTC_FULL").is_some() {
        1_000_000
    } else {
        20_000
    };
    let [played, refused, connected] = [const { AtomicU64::new(0) }; 3];
    for_each_seed_at_once(calls / CALLS_OF_A_SEED, |seed| {
        let (these, has_path) = play(seed);
        played.fetch_add(CALLS_OF_A_SEED, Ordering::Relaxed);
        refused.fetch_add(these, Ordering::Relaxed);
        connected.fetch_add(has_path.into(), Ordering::Relaxed);
    });
    let [calls, refused, connected] = [played, refused, connected].map(AtomicU64::into_inner);
    println!("{calls} calls, {refused} of them refused; {connected} connections had a path");
    assert!(refused > calls / 10 && refused < calls, "{refused}");
}
