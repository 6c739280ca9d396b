//! The order of events, from the first track to the end of the connection, as one table that can be held against the specification.

mod pair;

use std::time::Duration;

use oxirtc_netsim::{Link, ms};
use oxirtc_peerconnection::{
    DataChannelInit, MediaKind, OfferOptions, RtpTransceiverDirection, SessionDescription,
    engine::TransceiverId,
};
use pair::{
    Pair,
    media::{Camera, Microphone, ONE, TWO},
    words::lines,
};

/// What is done, and what both sides are told then: a line a task.
struct Step {
    what: &'static str,
    does: fn(&mut Story),
    near: &'static [&'static str],
    far: &'static [&'static str],
}

/// Two sides, of which 0 is near, and the description that is on its way.
struct Story {
    pair: Pair,
    sent: Option<SessionDescription>,
    /// The channel that the near side has opened.
    channel: Option<oxirtc_peerconnection::engine::ChannelId>,
}

const AUDIO: usize = 0;
const VIDEO: usize = 1;

impl Story {
    fn transceiver(&self, side: usize, at: usize) -> TransceiverId {
        let mut all = self.pair.ends[side].engine.transceivers();
        all.nth(at).expect("a transceiver").id()
    }

    fn set_local_offer(&mut self) {
        self.sent = Some(
            self.pair
                .offer(0, &OfferOptions::default())
                .expect("an offer"),
        );
    }

    fn set_remote_offer(&mut self) {
        self.take(1);
    }

    fn set_local_answer(&mut self) {
        let now = self.pair.now;
        let engine = &mut self.pair.ends[1].engine;
        engine.set_local_description(now, None).expect("an answer");
        self.sent = engine.local_description();
    }

    fn set_remote_answer(&mut self) {
        self.take(0);
        self.pair.exchange();
    }

    fn take(&mut self, side: usize) {
        let now = self.pair.now;
        let description = self.sent.take().expect("a description");
        let engine = &mut self.pair.ends[side].engine;
        let set = engine.set_remote_description(now, description);
        set.expect("a description that can be applied");
    }

    fn roll_back(&mut self, side: usize) {
        let now = self.pair.now;
        let rollback = SessionDescription::rollback();
        let engine = &mut self.pair.ends[side].engine;
        let set = match side {
            0 => engine.set_local_description(now, Some(rollback)),
            _ => engine.set_remote_description(now, rollback),
        };
        set.expect("an offer that can be taken back");
    }

    fn speak_and_film(&mut self) {
        for at in [AUDIO, VIDEO] {
            let there = self.transceiver(1, at);
            self.pair.ends[1].engine.set_delivery(there, true, false);
        }
        let ids = |at| [self.transceiver(0, at), self.transceiver(1, at)];
        let (audio, video) = (ids(AUDIO), ids(VIDEO));
        Microphone::default().speak(&mut self.pair, audio, 3, None);
        Camera::default().film(&mut self.pair, video, 3);
    }
}

#[rustfmt::skip]
const STORY: &[Step] = &[
    Step {
        what: "the near side adds a channel, and audio and video of one stream: asked for once",
        does: |story| {
            story.channel = Some(story.pair.open(0, "a", &DataChannelInit::default()));
            let engine = &mut story.pair.ends[0].engine;
            for (kind, track) in [(MediaKind::Audio, ONE), (MediaKind::Video, TWO)] {
                engine.add_track(kind, track, vec!["one".into()]).expect("a track");
            }
        },
        near: &["negotiationneeded"],
        far: &[],
    },
    Step {
        what: "its offer",
        does: Story::set_local_offer,
        near: &[
            "signalingstatechange HaveLocalOffer",
            "ice gatheringstatechange Gathering, icegatheringstatechange Gathering",
            "ice gatheringstatechange Gathering",
            "ice gatheringstatechange Gathering",
            "icecandidate",
            "icecandidate end",
            "ice gatheringstatechange Complete",
            "icecandidate",
            "icecandidate end",
            "ice gatheringstatechange Complete",
            "icecandidate",
            "icecandidate end",
            "ice gatheringstatechange Complete, icegatheringstatechange Complete, icecandidate null",
        ],
        far: &[],
    },
    Step {
        what: "the far side takes it: the state, then the stream, then the tracks",
        does: Story::set_remote_offer,
        near: &[],
        far: &[
            "signalingstatechange HaveRemoteOffer, addtrack one, addtrack one, track [\"one\"], track [\"one\"]",
        ],
    },
    Step {
        what: "its answer",
        does: Story::set_local_answer,
        near: &[
            "ice statechange Checking, iceconnectionstatechange Checking, connectionstatechange Connecting",
            "ice statechange Checking",
            "ice statechange Checking",
        ],
        far: &[
            "signalingstatechange Stable",
            "ice gatheringstatechange Gathering, icegatheringstatechange Gathering",
            "ice statechange Checking, iceconnectionstatechange Checking, connectionstatechange Connecting",
            "icecandidate",
            "icecandidate end",
            "ice gatheringstatechange Complete, icegatheringstatechange Complete, icecandidate null",
            "ice selectedcandidatepairchange, ice statechange Connected, iceconnectionstatechange Connected",
            "dtls statechange Connecting",
            "ice selectedcandidatepairchange",
        ],
    },
    Step {
        what: "the near side takes it, and all connects: pair, transport, connection in one task",
        does: Story::set_remote_answer,
        near: &[
            "signalingstatechange Stable",
            "ice selectedcandidatepairchange, ice statechange Connected, iceconnectionstatechange Connected",
            "dtls statechange Connecting",
            "ice statechange Completed, iceconnectionstatechange Completed",
            "dtls statechange Connected",
            "connectionstatechange Connected",
            "sctp statechange Connected",
            "channel open",
        ],
        far: &[
            "dtls statechange Connected",
            "connectionstatechange Connected",
            "ice selectedcandidatepairchange, ice statechange Completed, iceconnectionstatechange Completed",
            "sctp statechange Connected",
            "datachannel",
            "channel open",
        ],
    },
    Step {
        what: "the first packets",
        does: Story::speak_and_film,
        near: &[],
        far: &[
            "unmute",
            "unmute",
        ],
    },
    Step {
        what: "the near side plays a tone: told when it begins, and when all were played",
        does: |story| {
            let (now, audio) = (story.pair.now, story.transceiver(0, AUDIO));
            let engine = &mut story.pair.ends[0].engine;
            let played = engine.insert_dtmf(now, audio, "1", ms(100), ms(50));
            played.expect("a sender of audio");
        },
        near: &[
            "tonechange \"1\"",
            "tonechange \"\"",
        ],
        far: &[],
    },
    Step {
        what: "audio is held, video goes into another stream",
        does: |story| {
            let (audio, video) = (story.transceiver(0, AUDIO), story.transceiver(0, VIDEO));
            let engine = &mut story.pair.ends[0].engine;
            let set = engine.set_direction(audio, RtpTransceiverDirection::Inactive);
            set.expect("a direction");
            engine.set_streams(video, vec!["two".into()]).expect("a stream");
        },
        near: &[
            "negotiationneeded",
        ],
        far: &[],
    },
    Step {
        what: "its offer",
        does: Story::set_local_offer,
        near: &[
            "signalingstatechange HaveLocalOffer",
        ],
        far: &[],
    },
    Step {
        what: "the far side takes it: the state, then what is muted, what leaves a stream, what comes to one, the track",
        does: Story::set_remote_offer,
        near: &[],
        far: &[
            "signalingstatechange HaveRemoteOffer, mute, removetrack one, removetrack one, addtrack two, track [\"two\"]",
        ],
    },
    Step {
        what: "the far side takes it back: all as before, the other way round",
        does: |story| story.roll_back(1),
        near: &[],
        far: &[
            "signalingstatechange Stable, removetrack two, addtrack one, addtrack one, track [\"one\"], track [\"one\"]",
        ],
    },
    Step {
        what: "the near side takes it back, and still needs to negotiate",
        does: |story| story.roll_back(0),
        near: &[
            "signalingstatechange Stable",
            "negotiationneeded",
        ],
        far: &[],
    },
    Step {
        what: "once more, to the end",
        does: |story| {
            story.set_local_offer();
            story.set_remote_offer();
            story.set_local_answer();
            story.set_remote_answer();
        },
        near: &[
            "signalingstatechange HaveLocalOffer",
            "signalingstatechange Stable",
        ],
        far: &[
            "signalingstatechange HaveRemoteOffer, removetrack one, removetrack one, addtrack two, track [\"two\"]",
            "signalingstatechange Stable",
        ],
    },
    Step {
        what: "the near side stops its video: its own track ends at once",
        does: |story| {
            let (now, video) = (story.pair.now, story.transceiver(0, VIDEO));
            let engine = &mut story.pair.ends[0].engine;
            engine.stop_transceiver(now, video).expect("an open connection");
        },
        near: &[
            "ended",
            "negotiationneeded",
        ],
        far: &[
            "mute",
        ],
    },
    Step {
        what: "and that of the far side with the offer",
        does: |story| {
            story.set_local_offer();
            story.set_remote_offer();
        },
        near: &[
            "signalingstatechange HaveLocalOffer",
        ],
        far: &[
            "signalingstatechange HaveRemoteOffer, removetrack two",
            "ended",
        ],
    },
    Step {
        what: "which it answers",
        does: |story| {
            story.set_local_answer();
            story.set_remote_answer();
        },
        near: &[
            "signalingstatechange Stable",
        ],
        far: &[
            "signalingstatechange Stable",
        ],
    },
    Step {
        what: "the near side closes the channel",
        does: |story| {
            let channel = story.channel.expect("a channel");
            story.pair.close_channel(0, channel);
        },
        near: &[
            "channel close",
        ],
        far: &[
            "channel closing",
            "channel close",
        ],
    },
    Step {
        what: "the near side closes: it is told nothing, and the far side what has closed with it",
        does: |story| {
            let now = story.pair.now;
            story.pair.ends[0].engine.close(now);
        },
        near: &[],
        far: &[
            "sctp statechange Closed",
            "the peer has closed",
            "dtls statechange Closed",
        ],
    },
];

/// [4.4.1.4-01] [4.4.1.4-02] [4.4.1.5-01] [4.4.1.6-44] [5.1.1-05] [5.5-03] [5.5-07] [5.6-07] [6.1.2-01] [11.3-02] [11.3-03] [11.3-04] [11.3-05] What is told, in
/// which order, and in which task, of both sides.
#[test]
fn the_order_of_events() {
    let mut story = Story {
        pair: Pair::new(5, Link::new(1).delay(ms(10))),
        sent: None,
        channel: None,
    };
    for step in STORY {
        (step.does)(&mut story);
        story.pair.run(Duration::from_secs(5));
        let [near, far] = &mut story.pair.ends;
        let told = [lines(near), lines(far)];
        for (side, told, expected) in [("near", &told[0], step.near), ("far", &told[1], step.far)] {
            assert_eq!(told, expected, "{}: {side}", step.what);
        }
    }
}
