//! Offers and answers with audio and video: recorded from browsers, and between two ends.

use oxirtc_jsep::{
    Announced, BundlePolicy, Change, Codecs, Error, MediaKind, Origin, ReceiveParameters,
    SendParameters, TransceiverId, TransceiverInit,
    sdp::{Direction, Session},
};

use crate::support::{Peer, answer_of, equipped, exchange, lines, offer_of, recorded, visible};

use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};

fn peer(name: char) -> Peer {
    Peer::with(name, equipped)
}

fn local(peer: &Peer) -> String {
    peer.negotiator
        .local_description()
        .expect("a description")
        .sdp
}

fn add(peer: &mut Peer, kind: MediaKind, direction: Direction) -> TransceiverId {
    let init = TransceiverInit {
        direction,
        streams: vec!["s".to_owned()],
        ..TransceiverInit::default()
    };
    let added = peer.negotiator.add_transceiver(kind, Origin::Init, init);
    added.expect("it is equipped")
}

fn received(changes: &[Change], wanted: TransceiverId) -> Option<ReceiveParameters> {
    let mut found = changes.iter().rev().filter_map(|change| match change {
        Change::Receives { id, parameters } if *id == wanted => Some(parameters.clone()),
        _ => None,
    });
    found.next().flatten().map(|it| *it)
}

fn sent(changes: &[Change], wanted: TransceiverId) -> Option<SendParameters> {
    let mut found = changes.iter().rev().filter_map(|change| match change {
        Change::Sends { id, parameters } if *id == wanted => Some(parameters.clone()),
        _ => None,
    });
    found.next().flatten().map(|it| *it)
}

/// The names of the changes of transceivers, in order.
fn names(changes: &[Change]) -> Vec<&'static str> {
    let name = |change: &Change| match change {
        Change::TransceiverAdded { .. } => Some("added"),
        Change::Associated { mid: Some(_), .. } => Some("associated"),
        Change::Associated { mid: None, .. } => Some("dissociated"),
        Change::Carried { .. } => Some("carried"),
        Change::Receives { .. } => Some("receives"),
        Change::Sends { .. } => Some("sends"),
        Change::Encodings { .. } => Some("encodings"),
        Change::Direction { .. } => Some("direction"),
        Change::RemoteStreams { .. } => Some("streams"),
        Change::Stopped { .. } => Some("stopped"),
        Change::TransceiverRemoved { .. } => Some("removed"),
        _ => None,
    };
    changes.iter().filter_map(name).collect()
}

/// The streams of the peer's tracks, and whether it sends.
fn remote_streams(changes: &[Change]) -> Vec<(Vec<String>, bool)> {
    let told = changes.iter().filter_map(|change| match change {
        Change::RemoteStreams {
            streams, receiving, ..
        } => Some((streams.clone(), *receiving)),
        _ => None,
    });
    told.collect()
}

fn first(peer: &Peer) -> TransceiverId {
    let mut all = peer.negotiator.transceivers();
    all.next().expect("a transceiver").id()
}

/// What our offer named and the answer left out is told apart, as long as its number means nothing else: some peers send it all the same.
#[test]
fn what_an_answer_leaves_out_is_still_known() {
    let [mut ours, mut theirs] = ['a', 'b'].map(peer);
    let video = add(&mut ours, MediaKind::Video, SendRecv);
    ours.local(None);
    let offer = local(&ours);
    theirs.remote(offer_of(offer.clone()));
    let both = theirs.negotiator.set_direction(first(&theirs), SendRecv);
    both.expect("it is not stopped");
    theirs.local(None);
    let number = |name: &str, sdp: &str| {
        let line = lines(sdp, &["a=rtpmap"])
            .into_iter()
            .find(|it| it.contains(name))
            .expect("it is offered");
        let number = line.split([':', ' ']).nth(1).expect("a number").to_owned();
        number.parse::<u8>().expect("a number")
    };
    let (vp8, vp9) = (number("VP8", &offer), number("VP9", &offer));
    // Their answer takes VP8 alone.
    let kept = |line: &str| {
        let of_codec = ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"]
            .iter()
            .find_map(|it| line.strip_prefix(it));
        of_codec.is_none_or(|rest| rest.starts_with(&format!("{vp8} ")))
    };
    let only_vp8 = |sdp: &str| {
        let line = |line: &str| match line.strip_prefix("m=video 9 UDP/TLS/RTP/SAVPF ") {
            Some(_) => format!("m=video 9 UDP/TLS/RTP/SAVPF {vp8}\r\n"),
            None => format!("{line}\r\n"),
        };
        let kept = sdp.lines().filter(|line| kept(line));
        kept.map(line).collect::<String>()
    };
    let changes = ours.remote(answer_of(only_vp8(&local(&theirs))));
    let receives = received(&changes, video).expect("it receives");
    let media = |codecs: &Codecs| codecs.media.iter().map(|it| it.payload).collect::<Vec<_>>();
    assert_eq!(media(&receives.codecs), [vp8]);
    let left_out = media(&receives.left_out);
    assert!(
        left_out.contains(&vp9) && !left_out.contains(&vp8),
        "{left_out:?}"
    );
    assert!(!receives.left_out.rtx.is_empty(), "with what repairs it");
    let sends = sent(&changes, video).expect("it sends");
    assert_eq!(media(&sends.codecs), [vp8]);
    // An offer of theirs gives the number another meaning.
    let offered = only_vp8(&local(&theirs)).replace("a=setup:active", "a=setup:actpass");
    let offered = offered.replace(
        &format!("m=video 9 UDP/TLS/RTP/SAVPF {vp8}\r\n"),
        &format!("m=video 9 UDP/TLS/RTP/SAVPF {vp8} {vp9}\r\na=rtpmap:{vp9} AV1/90000\r\n"),
    );
    ours.remote(offer_of(offered));
    let changes = ours.local(None);
    let receives = received(&changes, video).expect("it receives");
    assert!(!media(&receives.left_out).contains(&vp9), "{receives:?}");
    assert!(!receives.left_out.media.is_empty(), "the others are known");
}

/// Where there are several sections, each finds a fingerprint: those without an address of their own at session level.
#[test]
fn a_fingerprint_is_there_for_every_section() {
    let (_, offer) = recorded("firefox-esr-153.7.0.offer-av-data.sdp").remove(0);
    let mut peer = peer('b');
    peer.remote(offer_of(offer));
    peer.local(None);
    let offer = peer.offer().sdp;
    for text in [local(&peer), offer] {
        let session = Session::parse(&text).expect("ours");
        assert!(session.header().fingerprints().next().is_some(), "{text}");
    }
}

/// [4.4.1.6-30] [4.4.1.6-33] [5.1-11] [5.1.1-01] Chromium's offer with audio, video and data, line by line: what is known of
/// it is taken, under its numbers and in its order.
#[test]
fn chromium_offer() {
    let (_, offer) = recorded("chromium-156.0.8078.79.offer-av-data.sdp").remove(0);
    let mut peer = peer('b');
    let changes = peer.remote(offer_of(offer.clone()));
    let one = ["added", "associated", "carried", "streams"];
    assert_eq!(names(&changes), [one, one].concat());
    let msids = lines(&offer, &["a=msid:"]).into_iter();
    let streams = msids.map(|it| it.split([':', ' ']).nth(1).expect("an id").to_owned());
    let told: Vec<_> = streams.map(|it| (vec![it], true)).collect();
    assert_eq!(told.len(), 2);
    assert_eq!(remote_streams(&changes), told);
    // Where the peer does not send, its lines name no stream.
    let silent = offer.replace("a=sendrecv", "a=recvonly");
    let changes = self::peer('c').remote(offer_of(silent.replace("a=sendonly", "a=inactive")));
    assert_eq!(remote_streams(&changes), []);
    let changes = peer.local(None);
    let one = ["receives", "direction"];
    assert_eq!(names(&changes), [one, one].concat());
    let media = lines(
        &local(&peer),
        &["m=", "a=extmap", "a=rtpmap", "a=fmtp", "a=group"],
    )
    .join("\n");
    assert_eq!(media, CHROMIUM);
    let rest = lines(
        &local(&peer),
        &[
            "a=mid",
            "a=rec",
            "a=rtcp-m",
            "a=rtcp-rs",
            "a=setup",
            "a=ssrc",
            "a=msid",
        ],
    )
    .join(" ");
    assert_eq!(
        rest,
        "a=mid:0 a=setup:active a=recvonly a=rtcp-mux a=rtcp-rsize a=mid:1 a=recvonly a=rtcp-mux a=rtcp-rsize a=mid:2"
    );
    let video = lines(&local(&peer), &["a=rtcp-fb:96"]).join(" ");
    assert_eq!(
        video,
        "a=rtcp-fb:96 transport-cc a=rtcp-fb:96 ccm fir a=rtcp-fb:96 nack a=rtcp-fb:96 nack pli"
    );
    // and an offer of ours keeps all numbers
    let numbers = |sdp: &str| {
        let mut all: Vec<_> = lines(sdp, &["a=rtpmap", "a=extmap"])
            .into_iter()
            .map(str::to_owned)
            .collect();
        all.sort();
        all
    };
    assert_eq!(numbers(&peer.offer().sdp), numbers(&local(&peer)));
}

/// [4.4.1.6-28] Simulcast of both browsers: three rids in the answer, in their order; Firefox announces SSRCs
/// beside them.
#[test]
fn simulcast_offers() {
    for (name, offer) in recorded("offer-simulcast-rid") {
        let mut peer = peer('b');
        peer.remote(offer_of(offer));
        let id = first(&peer);
        let changes = peer.local(None);
        let layers = lines(&local(&peer), &["a=rid", "a=simulcast"]).join(" ");
        assert_eq!(
            layers, "a=rid:q recv a=rid:h recv a=rid:f recv a=simulcast:recv q;h;f",
            "{name}"
        );
        let parameters = received(&changes, id).expect("it receives");
        assert_eq!(parameters.rids, ["q", "h", "f"], "{name}");
        let rid = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
        let mut extensions = parameters.extensions.iter();
        assert!(extensions.any(|it| it.extension.uri == rid), "{name}");
        let announced = match name.contains("firefox") {
            true => vec![
                (4_023_381_159, 176_215_741),
                (713_951_794, 2_017_075_123),
                (2_014_248_793, 3_169_695_333),
            ],
            false => Vec::new(),
        };
        let announced: Vec<_> = announced
            .into_iter()
            .map(|(ssrc, rtx)| Announced {
                ssrc,
                rtx: Some(rtx),
                fec: None,
            })
            .collect();
        assert_eq!(parameters.announced, announced, "{name}");
        let again = lines(&peer.offer().sdp, &["a=simulcast"]).join(" ");
        assert_eq!(again, "a=simulcast:recv q;h;f", "what is taken goes on");
    }
}

/// Layers by `ssrc-group:SIM`, without rids: each SSRC is a layer, in the order of the group.
#[test]
fn layers_without_rids() {
    let mut ours = peer('a');
    add(&mut ours, MediaKind::Video, SendOnly);
    let offer = ours.offer().sdp;
    let head = offer.find("a=ssrc-group").expect("announced");
    let plain = &offer[..head];
    let text = format!(
        "{plain}a=ssrc-group:SIM 3 1 2\r\na=ssrc-group:FID 1 11\r\na=ssrc-group:FID 2 12\r\n\
         a=ssrc-group:FID 3 13\r\na=ssrc-group:FEC-FR 3 23\r\na=ssrc:1 cname:x\r\na=ssrc:2 cname:x\r\n\
         a=ssrc:3 cname:x\r\na=ssrc:11 cname:x\r\na=ssrc:12 cname:x\r\na=ssrc:13 cname:x\r\na=ssrc:23 cname:x\r\n"
    );
    let mut theirs = peer('b');
    theirs.remote(offer_of(text));
    let id = first(&theirs);
    let parameters = received(&theirs.local(None), id).expect("it receives");
    let announced = |ssrc, fec| Announced {
        ssrc,
        rtx: Some(ssrc + 10),
        fec,
    };
    assert_eq!(
        parameters.announced,
        [
            announced(3, Some(23)),
            announced(1, None),
            announced(2, None)
        ]
    );
}

/// [4.4.1.6-24] [4.4.1.6-25] [4.4.1.6-26] [4.4.1.6-32] [4.4.1.6-34] Two ends: what is offered can be received at once, an answer
/// settles codecs, SSRCs, numbers and directions at both.
#[test]
fn two_ends() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    let audio = add(&mut ours, MediaKind::Audio, SendRecv);
    let video = add(&mut ours, MediaKind::Video, SendOnly);
    let offered = ours.local(None);
    assert_eq!(
        names(&offered),
        ["associated", "carried", "receives", "associated", "carried"]
    );
    assert!(received(&offered, audio).is_some_and(|it| it.codecs.media.len() == 4));
    let sdp = local(&ours);
    assert_eq!(lines(&sdp, &["m="]).len(), 2);
    assert_eq!(lines(&sdp, &["a=msid"]), ["a=msid:s", "a=msid:s"]);
    assert_eq!(lines(&sdp, &["a=ssrc-group"]).len(), 1, "audio has no RTX");
    theirs.remote(offer_of(sdp));
    let ids: Vec<_> = theirs.negotiator.transceivers().map(|it| it.id()).collect();
    let mids: Vec<_> = theirs
        .negotiator
        .transceivers()
        .map(|it| it.mid())
        .collect();
    assert_eq!(mids, [Some("0"), Some("1")]);
    // addTrack on what the offer made
    theirs
        .negotiator
        .attach_track(ids[0], vec!["t".to_owned()])
        .expect("it is there");
    let answered = theirs.local(None);
    let settled = ours.remote(answer_of(local(&theirs)));
    let (send, receive) = (
        sent(&settled, audio).expect("sends"),
        received(&answered, ids[0]),
    );
    let receive = receive.expect("receives");
    assert_eq!(send.codecs, receive.codecs);
    assert_eq!(send.encodings[0].ssrc, receive.announced[0].ssrc);
    assert_eq!(
        (send.encodings[0].rtx, receive.announced[0].rtx),
        (None, None)
    );
    assert!(send.reduced_size && receive.reduced_size && send.mixed && receive.mixed);
    assert_eq!(send.extensions, receive.extensions);
    let (send, receive) = (
        sent(&settled, video).expect("sends"),
        received(&answered, ids[1]),
    );
    let receive = receive.expect("receives");
    assert_eq!(send.encodings[0].rtx, receive.announced[0].rtx);
    assert!(send.encodings[0].rtx.is_some());
    assert_eq!(received(&settled, video), None);
    let current = |peer: &Peer, id| {
        peer.negotiator
            .transceiver(id)
            .expect("there")
            .current_direction()
    };
    assert_eq!(
        (current(&ours, audio), current(&theirs, ids[0])),
        (Some(SendRecv), Some(SendRecv))
    );
    assert_eq!(
        (current(&ours, video), current(&theirs, ids[1])),
        (Some(SendOnly), Some(RecvOnly))
    );
    assert!(!ours.negotiator.negotiation_needed() && !theirs.negotiator.negotiation_needed());
    assert!(settled.iter().any(|it| matches!(it,
        Change::RemoteStreams { streams, receiving: true, .. } if *streams == ["t"])));
}

/// [5.1.1-05] [5.1-11] Hold and resume, another stream, a track taken away: what the other end is told.
#[test]
fn directions_and_streams() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    let id = add(&mut ours, MediaKind::Audio, SendRecv);
    exchange(&mut ours, &mut theirs);
    let streams = |changes: &[Change]| {
        let mut found = changes.iter().filter_map(|it| match it {
            Change::RemoteStreams {
                streams, receiving, ..
            } => Some((streams.join(" "), *receiving)),
            _ => None,
        });
        let only = found.next();
        assert_eq!(found.next(), None);
        only
    };
    assert_eq!(
        streams(&exchange(&mut ours, &mut theirs).1),
        None,
        "nothing has changed"
    );
    type Edit<'a> = (&'a dyn Fn(&mut Peer), Option<(&'a str, bool)>);
    let edits: [Edit<'_>; 5] = [
        (
            &|it| assert!(it.negotiator.set_direction(id, Inactive).is_ok()),
            Some(("", false)),
        ),
        (
            &|it| assert!(it.negotiator.set_direction(id, SendOnly).is_ok()),
            Some(("s", true)),
        ),
        (
            &|it| {
                assert!(
                    it.negotiator
                        .set_streams(id, vec!["x".into(), "s".into()])
                        .is_ok()
                )
            },
            Some(("x s", true)),
        ),
        (
            &|it| assert!(it.negotiator.detach_track(id).is_ok()),
            Some(("", false)),
        ),
        (
            &|it| assert!(it.negotiator.attach_track(id, vec![]).is_ok()),
            Some(("", true)),
        ),
    ];
    for (edit, expected) in edits {
        edit(&mut ours);
        assert!(ours.negotiator.negotiation_needed());
        let (_, changes) = exchange(&mut ours, &mut theirs);
        assert_eq!(
            streams(&changes),
            expected.map(|(streams, receiving)| (streams.to_owned(), receiving))
        );
        assert!(!ours.negotiator.negotiation_needed());
    }
}

/// [4.4.1.6-35] [4.4.1.6-40] [4.4.2-13] [5.4-07] [5.4-08] What is stopped is rejected by the next offer, is gone at both ends, and
/// its section serves the next one of its kind under another mid.
#[test]
fn stopped_and_used_again() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    let audio = add(&mut ours, MediaKind::Audio, SendRecv);
    let video = add(&mut ours, MediaKind::Video, SendRecv);
    exchange(&mut ours, &mut theirs);
    let stopping = ours.negotiator.stop(video).expect("open");
    assert_eq!(names(&stopping), ["sends"], "the peer sends no video");
    assert!(ours.negotiator.negotiation_needed());
    let (changed, told) = exchange(&mut ours, &mut theirs);
    assert!(names(&changed).ends_with(&["stopped", "removed"]));
    assert!(names(&told).contains(&"stopped") && names(&told).contains(&"removed"));
    assert_eq!(ours.negotiator.transceivers().count(), 1);
    assert_eq!(theirs.negotiator.transceivers().count(), 1);
    let sdp = local(&ours);
    assert_eq!(lines(&sdp, &["m=video"])[0].split(' ').nth(1), Some("0"));
    // another kind does not take the place
    add(&mut ours, MediaKind::Audio, SendRecv);
    add(&mut ours, MediaKind::Video, SendRecv);
    exchange(&mut ours, &mut theirs);
    let kinds: Vec<_> = lines(&local(&ours), &["m="])
        .iter()
        .map(|it| it.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(kinds, ["m=audio 9", "m=video 9", "m=audio 9"]);
    let mids = lines(&local(&ours), &["a=mid"]).join(" ");
    assert_eq!(mids, "a=mid:0 a=mid:3 a=mid:2");
    // one that no description has is gone at once
    let alone = add(&mut ours, MediaKind::Audio, SendRecv);
    let changes = ours.negotiator.stop(alone).expect("open");
    assert_eq!(names(&changes), ["stopped", "removed"]);
    assert!(!ours.negotiator.negotiation_needed());
    assert!(ours.negotiator.transceiver(audio).is_some());
}

/// [4.4.1.6-26] [5.1.1-06] What the application refuses before the answer was announced by the offer, and is taken
/// back with the answer.
#[test]
fn refused_before_the_answer() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    add(&mut ours, MediaKind::Audio, SendRecv);
    ours.local(None);
    let changes = theirs.remote(offer_of(local(&ours)));
    assert!(names(&changes).contains(&"streams"));
    let id = first(&theirs);
    assert_eq!(theirs.negotiator.set_direction(id, Inactive), Ok(true));
    let changes = theirs.local(None);
    assert_eq!(names(&changes), ["direction", "streams"]);
    let agreement = theirs.negotiator.transceiver(id).expect("it is there");
    assert!(!agreement.agreement().receiving && agreement.agreement().streams.is_empty());
    assert_eq!(lines(&local(&theirs), &["a=inactive"]).len(), 1);
    // Or by stopping it, which is told with the next offer.
    let mut theirs = peer('c');
    theirs.remote(offer_of(local(&ours)));
    let stopped = theirs.negotiator.stop(first(&theirs));
    assert!(stopped.is_ok());
    theirs.local(None);
    assert_eq!(lines(&local(&theirs), &["a=inactive"]).len(), 1);
}

/// A provisional answer that rejects a section stops nothing: another end may take it.
#[test]
fn rejected_for_now() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    add(&mut ours, MediaKind::Audio, SendRecv);
    add(&mut ours, MediaKind::Video, SendRecv);
    ours.local(None);
    theirs.remote(offer_of(local(&ours)));
    theirs.local(None);
    let answer = local(&theirs);
    let rejecting = answer
        .replace("m=video 9", "m=video 0")
        .replace("BUNDLE 0 1", "BUNDLE 0");
    let rejecting = oxirtc_jsep::Description::new(oxirtc_jsep::SdpType::Pranswer, rejecting);
    let changes = ours.remote(rejecting);
    assert!(!names(&changes).contains(&"stopped"));
    let changes = ours.remote(answer_of(answer));
    assert!(names(&changes).contains(&"sends"));
}

/// A section that our open offer rejects is not used again before the answer has rejected it, too.
#[test]
fn used_again_after_the_answer() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    let id = add(&mut ours, MediaKind::Video, SendRecv);
    ours.negotiator.add_data_channel();
    exchange(&mut ours, &mut theirs);
    ours.negotiator.stop(id).expect("open");
    ours.local(None);
    add(&mut ours, MediaKind::Video, SendRecv);
    assert_eq!(lines(&ours.offer().sdp, &["m="]).len(), 3);
    ours.local(oxirtc_jsep::Description::rollback());
    exchange(&mut ours, &mut theirs);
    assert_eq!(lines(&local(&ours), &["m="]).len(), 3);
    add(&mut ours, MediaKind::Video, SendRecv);
    assert_eq!(lines(&ours.offer().sdp, &["m="]).len(), 3, "now it is");
}

/// [4.4.1.6-35] [4.4.1.6-40] A section that the peer's offer rejects: its transceiver stops with the offer, is not there
/// any more after the answer, and stays stopped when the offer is rolled back.
#[test]
fn stopped_by_the_peer() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    let id = add(&mut ours, MediaKind::Audio, SendRecv);
    exchange(&mut ours, &mut theirs);
    let told = first(&theirs);
    ours.negotiator.stop(id).expect("open");
    let offer = ours.offer();
    let changes = theirs.remote(offer.clone());
    assert_eq!(
        names(&changes),
        ["carried", "receives", "direction", "streams", "stopped"]
    );
    let changes = theirs.remote(oxirtc_jsep::Description::rollback());
    assert_eq!(names(&changes), ["carried"], "a track does not begin again");
    let stopped = theirs.negotiator.transceiver(told).expect("it is there");
    assert!(stopped.is_stopped() && theirs.negotiator.negotiation_needed());
    theirs.remote(offer);
    let changes = theirs.local(None);
    assert_eq!(names(&changes), ["removed"]);
    assert!(!theirs.negotiator.negotiation_needed());
}

/// [4.4.1.6-36] [4.4.1.6-37] [4.4.1.6-38] [4.4.1.6-39] A rollback of the peer's offer: what it made is gone, what it took is as before, and what
/// the application did meanwhile stays.
#[test]
fn rollback() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    for _ in 0..2 {
        add(&mut ours, MediaKind::Audio, SendRecv);
    }
    let init = TransceiverInit::default();
    let tracked = theirs
        .negotiator
        .add_transceiver(MediaKind::Audio, Origin::Track, init);
    let tracked = tracked.expect("equipped");
    let offer = ours.offer();
    theirs.remote(offer.clone());
    let all: Vec<_> = theirs
        .negotiator
        .transceivers()
        .map(|it| (it.id(), it.mid().map(str::to_owned)))
        .collect();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0], (tracked, Some("0".to_owned())));
    theirs
        .negotiator
        .set_direction(tracked, SendOnly)
        .expect("open");
    let changes = theirs.remote(oxirtc_jsep::Description::rollback());
    assert_eq!(
        names(&changes),
        [
            "dissociated",
            "carried",
            "streams",
            "streams",
            "stopped",
            "removed"
        ]
    );
    let left: Vec<_> = theirs.negotiator.transceivers().collect();
    assert_eq!(
        (left.len(), left[0].id(), left[0].mid()),
        (1, tracked, None)
    );
    assert_eq!(left[0].direction(), Some(SendOnly));
    // once more, and what the offer made gets a track: it stays
    theirs.remote(offer);
    let made = theirs.negotiator.transceivers().last().expect("made").id();
    theirs
        .negotiator
        .attach_track(made, Vec::new())
        .expect("open");
    theirs.remote(oxirtc_jsep::Description::rollback());
    let kept = theirs.negotiator.transceiver(made).expect("kept");
    assert_eq!(kept.mid(), None);
    assert!(theirs.negotiator.negotiation_needed());
}

/// [4.4.1.6-15] [4.4.1.6-39] A rollback, of our offer or the peer's, restores transports, streams, codecs, layers and the association.
#[test]
fn rollback_restores() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    let audio = add(&mut ours, MediaKind::Audio, SendRecv);
    add(&mut ours, MediaKind::Video, SendRecv);
    ours.negotiator.add_data_channel();
    exchange(&mut ours, &mut theirs);
    let told = first(&theirs);
    // The peer leaves the association, moves its stream, takes other codecs, holds, restarts and adds a section.
    let change = |peer: &mut Peer, id| {
        let pcmu = oxirtc_jsep::Codec::new("PCMU", 8000);
        let it = &mut peer.negotiator;
        it.set_codec_preferences(id, &[pcmu]).expect("ours");
        it.set_streams(id, vec!["other".to_owned()]).expect("open");
        it.set_direction(id, Inactive).expect("open");
        it.restart_ice();
        add(peer, MediaKind::Video, SendRecv);
    };
    let before = visible(&theirs);
    change(&mut ours, audio);
    let offer = ours
        .offer()
        .sdp
        .replace("m=application 9", "m=application 0");
    let offer = offer.replace("BUNDLE 0 1 2", "BUNDLE 0 1");
    theirs.remote(offer_of(offer));
    assert_ne!(visible(&theirs), before);
    theirs.remote(oxirtc_jsep::Description::rollback());
    assert_eq!(visible(&theirs), before);
    // Our own: what was agreed on is as it was, what the application wants stays.
    let agreed = |peer: &Peer| {
        let it = peer.negotiator.transceiver(told).expect("there");
        (
            it.agreement().clone(),
            it.current_direction(),
            it.mid().map(str::to_owned),
        )
    };
    let before = agreed(&theirs);
    change(&mut theirs, told);
    theirs.local(None);
    theirs.local(oxirtc_jsep::Description::rollback());
    assert_eq!(agreed(&theirs), before);
    assert!(theirs.negotiator.negotiation_needed());
}

/// [5-04] [4.4.1.6-13] [9-01] What an offer does not cover stays without a section, and asks for negotiation; a track that is
/// added before the answer is matched to what the offer made.
#[test]
fn what_an_offer_does_not_cover() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    add(&mut ours, MediaKind::Video, SendRecv);
    let own = add(&mut theirs, MediaKind::Video, SendRecv);
    ours.local(None);
    theirs.remote(offer_of(local(&ours)));
    let made = theirs.negotiator.transceivers().last().expect("made").id();
    assert_ne!(made, own);
    let attached = theirs.negotiator.attach_track(made, vec!["t".to_owned()]);
    assert_eq!(attached, Ok(()));
    theirs.local(None);
    let left = theirs.negotiator.transceiver(own).expect("there");
    assert_eq!((left.mid(), left.current_direction()), (None, None));
    assert!(theirs.negotiator.negotiation_needed());
    let sdp = local(&theirs);
    assert_eq!(lines(&sdp, &["m="]).len(), 1);
    assert_eq!(
        lines(&sdp, &["a=sendrecv", "a=msid"]),
        ["a=sendrecv", "a=msid:t"]
    );
    exchange(&mut theirs, &mut ours);
    let left = theirs.negotiator.transceiver(own).expect("there");
    assert!(left.mid().is_some() && !theirs.negotiator.negotiation_needed());
}

/// [4.4.2-23] An answer says of each section what both sides want of it: rejected where nothing can be done, in the group of the offer, with
/// the offer's multiplexing, in the direction of both.
#[test]
fn answers_say_what_both_want() {
    let rejected = "m=audio 9 UDP/TLS/RTP/SAVPF 77\r\nc=IN IP4 0.0.0.0\r\na=mid:3\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:77 X/8000\r\n";
    for (grouped, setup, answered) in [
        (true, "actpass", "active"),
        (false, "passive", "active"),
        (true, "active", "passive"),
    ] {
        let (mut ours, mut theirs) = (peer('a'), peer('b'));
        add(&mut ours, MediaKind::Audio, SendRecv);
        add(&mut ours, MediaKind::Video, SendRecv);
        ours.negotiator.add_data_channel();
        let mut offer = ours
            .offer()
            .sdp
            .replace("setup:actpass", &format!("setup:{setup}"));
        offer = match grouped {
            true => offer.replace("a=group:BUNDLE 0 1 2\r\n", "a=group:BUNDLE 0 1 2 3\r\n"),
            false => offer.replace("a=group:BUNDLE 0 1 2\r\n", "a=group:BUNDLE 0 2\r\n"),
        };
        theirs.remote(offer_of(offer + rejected));
        let video = theirs.negotiator.transceivers().nth(1).expect("made").id();
        let set = theirs.negotiator.set_direction(video, SendOnly);
        set.expect("open");
        let answer = theirs.answer().sdp;
        let sections: Vec<_> = answer.split("m=").skip(1).collect();
        let ports = sections.iter().map(|it| it.split(' ').nth(1));
        assert_eq!(
            ports.collect::<Vec<_>>(),
            [Some("9"), Some("9"), Some("9"), Some("0")]
        );
        let says = |at: usize| {
            lines(
                sections[at],
                &[
                    "a=sendrecv",
                    "a=sendonly",
                    "a=recvonly",
                    "a=inactive",
                    "a=rtcp-mux",
                ],
            )
        };
        assert_eq!(
            says(0),
            ["a=recvonly", "a=rtcp-mux"],
            "the direction of what the offer made"
        );
        assert_eq!(says(1), ["a=sendonly", "a=rtcp-mux"]);
        assert_eq!(says(2), [""; 0], "data has no direction");
        let group = if grouped {
            "a=group:BUNDLE 0 1 2"
        } else {
            "a=group:BUNDLE 0 2"
        };
        assert_eq!(lines(&answer, &["a=group"]), [group]);
        let setups = lines(&answer, &["a=setup"]);
        assert_eq!(setups.len(), if grouped { 1 } else { 2 });
        assert!(setups.iter().all(|it| *it == format!("a=setup:{answered}")));
    }
}

/// An unknown codec, or a kind that nobody equipped, is a rejected section, and nothing else.
#[test]
fn unknown() {
    let mut ours = Peer::with('a', |config| {
        equipped(config).bundle_policy(BundlePolicy::MaxCompat)
    });
    add(&mut ours, MediaKind::Video, SendRecv);
    ours.negotiator.add_data_channel();
    let offer = ours.offer().sdp;
    let codecs = ["VP8", "VP9", "H264", "AV1"];
    let strange = codecs
        .iter()
        .fold(offer, |offer, it| offer.replace(it, &format!("X-{it}")));
    let apart = strange.replace("a=group:BUNDLE 0 1\r\n", "");
    let mut theirs = peer('b');
    theirs.remote(offer_of(apart));
    assert_eq!(theirs.negotiator.transceivers().count(), 0);
    theirs.local(None);
    let ports: Vec<_> = lines(&local(&theirs), &["m="])
        .iter()
        .map(|it| it.split(' ').nth(1) == Some("0"))
        .collect();
    assert_eq!(ports, [true, false]);
    let mut plain = Peer::new('c');
    let added = plain.negotiator.add_transceiver(
        MediaKind::Audio,
        Origin::Init,
        TransceiverInit::default(),
    );
    assert!(matches!(added, Err(Error::Operation(_))));
    // in one group the section stays for its address
    let mut theirs = peer('d');
    theirs.remote(offer_of(strange));
    theirs.local(None);
    assert_eq!(
        lines(&local(&theirs), &["a=inactive", "a=group"]),
        ["a=group:BUNDLE 0 1", "a=inactive"]
    );
}

/// [5.4-10] [5.4-14] [4.4.2-15] Preferences decide offers and the order of answers; without one that both have the section is
/// rejected.
#[test]
fn preferences() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    add(&mut ours, MediaKind::Video, SendRecv);
    ours.local(None);
    theirs.remote(offer_of(local(&ours)));
    let id = first(&theirs);
    let named = |name: &str| oxirtc_jsep::Codec::new(name, 90_000);
    let vp9 = named("VP9").parameters("profile-id=0");
    theirs
        .negotiator
        .set_codec_preferences(id, &[vp9.clone(), named("VP8"), named("rtx")])
        .expect("ours");
    let attached = theirs.negotiator.attach_track(id, Vec::new());
    assert_eq!(attached, Ok(()));
    let changes = theirs.local(None);
    let first_sent =
        |changes: &[Change], id| sent(changes, id).map(|it| it.codecs.media[0].codec.name.clone());
    let named_first = first_sent(&changes, id);
    assert_eq!(
        named_first.as_deref(),
        Some("VP9"),
        "in the order of the answer"
    );
    let maps: Vec<_> = lines(&local(&theirs), &["a=rtpmap"])
        .iter()
        .map(|it| it.split(' ').next_back().unwrap_or(""))
        .map(str::to_owned)
        .collect();
    assert_eq!(maps, ["VP9/90000", "rtx/90000", "VP8/90000", "rtx/90000"]);
    let changes = ours.remote(answer_of(local(&theirs)));
    let send = first_sent(&changes, first(&ours));
    assert_eq!(send.as_deref(), Some("VP9"));
    ours.negotiator
        .set_codec_preferences(first(&ours), &[named("VP8")])
        .expect("ours");
    assert!(!ours.negotiator.negotiation_needed());
    let offer = ours.offer().sdp;
    assert_eq!(lines(&offer, &["a=rtpmap"]).len(), 1);
    theirs
        .negotiator
        .set_codec_preferences(id, &[vp9])
        .expect("ours");
    theirs.remote(offer_of(offer));
    let answer = theirs.answer().sdp;
    assert!(
        Session::parse(&answer)
            .expect("ours")
            .media_at(0)
            .expect("a section")
            .is_rejected()
    );
}

/// The lines of an answer to Chromium that say what is sent.
const CHROMIUM: &str = "a=group:BUNDLE 0 1 2\n\
    a=extmap-allow-mixed\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\n\
    a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\n\
    a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\n\
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\n\
    a=rtpmap:111 opus/48000/2\n\
    a=fmtp:111 minptime=10;useinbandfec=1\n\
    a=rtpmap:63 red/48000/2\n\
    a=fmtp:63 111/111\n\
    a=rtpmap:9 G722/8000\n\
    a=rtpmap:0 PCMU/8000\n\
    a=rtpmap:8 PCMA/8000\n\
    a=rtpmap:13 CN/8000\n\
    a=rtpmap:110 telephone-event/48000\n\
    a=rtpmap:126 telephone-event/8000\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96 97 108 109 45 46 98 99 118 119 120\n\
    a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\n\
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\n\
    a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n\
    a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\n\
    a=rtpmap:96 VP8/90000\n\
    a=rtpmap:97 rtx/90000\n\
    a=fmtp:97 apt=96\n\
    a=rtpmap:108 H264/90000\n\
    a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\n\
    a=rtpmap:109 rtx/90000\n\
    a=fmtp:109 apt=108\n\
    a=rtpmap:45 AV1/90000\n\
    a=fmtp:45 level-idx=5;profile=0;tier=0\n\
    a=rtpmap:46 rtx/90000\n\
    a=fmtp:46 apt=45\n\
    a=rtpmap:98 VP9/90000\n\
    a=fmtp:98 profile-id=0\n\
    a=rtpmap:99 rtx/90000\n\
    a=fmtp:99 apt=98\n\
    a=rtpmap:118 red/90000\n\
    a=rtpmap:119 rtx/90000\n\
    a=fmtp:119 apt=118\n\
    a=rtpmap:120 ulpfec/90000\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel";
