//! Layers, SSRCs, and what the peer limits.

use oxirtc_jsep::{
    Change, Description, Encoding, MediaKind, Origin, SdpType, SendParameters, TransceiverId,
    TransceiverInit, sdp::Direction,
};

use crate::support::{Peer, answer_of, equipped, exchange, lines, offer_of};

fn peer(name: char) -> Peer {
    Peer::with(name, equipped)
}

fn add(peer: &mut Peer, kind: MediaKind, rids: &[&str]) -> TransceiverId {
    let init = TransceiverInit {
        direction: Direction::SendRecv,
        streams: Vec::new(),
        rids: rids.iter().map(|it| (*it).to_owned()).collect(),
    };
    let added = peer.negotiator.add_transceiver(kind, Origin::Track, init);
    added.expect("it is equipped")
}

fn local(peer: &Peer) -> String {
    let description = peer.negotiator.local_description();
    description.expect("a description").sdp
}

fn simulcast(sdp: &str) -> String {
    lines(sdp, &["a=simulcast"]).join(" ")
}

fn rids(encodings: &[Encoding]) -> Vec<Option<&str>> {
    encodings.iter().map(|it| it.rid.as_deref()).collect()
}

fn encodings(changes: &[Change]) -> Option<Vec<Encoding>> {
    let mut found = changes.iter().filter_map(|it| match it {
        Change::Encodings { encodings, .. } => Some(encodings.clone()),
        _ => None,
    });
    found.next()
}

fn sent(changes: &[Change]) -> SendParameters {
    let mut found = changes.iter().filter_map(|it| match it {
        Change::Sends { parameters, .. } => parameters.clone(),
        _ => None,
    });
    *found.next().expect("it sends")
}

/// [4.4.1.6-26] [4.4.1.6-31] [4.4.2-16] [5.1-19] [5.4.1-01] [5.4.1-02] An answer takes but some of our layers, or none: what is left keeps its SSRCs, and
/// nothing more is ever offered.
#[test]
fn narrowed_by_answers() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    add(&mut ours, MediaKind::Video, &["q", "h", "f", "cut"]);
    ours.local(None);
    let offer = local(&ours);
    assert_eq!(simulcast(&offer), "a=simulcast:send q;h;f");
    let rids_offered = lines(&offer, &["a=rid"]).join(" ");
    assert_eq!(rids_offered, "a=rid:q send a=rid:h send a=rid:f send");
    assert!(lines(&offer, &["a=ssrc"]).is_empty(), "known by their rids");
    theirs.remote(offer_of(offer));
    theirs.local(None);
    let answer = local(&theirs);
    let two = answer
        .replace("a=rid:h recv\r\n", "")
        .replace("recv q;h;f", "recv ~f;q");
    let pranswer = Description::new(SdpType::Pranswer, answer);
    let all = sent(&ours.remote(pranswer)).encodings;
    assert_eq!(all.len(), 3);
    let changes = ours.remote(answer_of(two));
    let left = encodings(&changes).expect("they have changed");
    assert_eq!(rids(&left), [Some("q"), Some("f")]);
    assert_eq!([left[0].paused, left[1].paused], [false, true]);
    let some = sent(&changes).encodings;
    assert_eq!((some[0].ssrc, some[1].ssrc), (all[0].ssrc, all[2].ssrc));
    assert!(some[1].paused && some[1].rtx == all[2].rtx);
    assert_eq!(simulcast(&ours.offer().sdp), "a=simulcast:send q;~f");
    // one that knows no simulcast
    ours.local(None);
    let plain = local(&theirs);
    let plain: String = plain
        .lines()
        .filter(|it| !it.starts_with("a=rid") && !it.starts_with("a=simulcast"))
        .map(|it| format!("{it}\r\n"))
        .collect();
    let changes = ours.remote(answer_of(plain));
    let left = encodings(&changes).expect("they have changed");
    assert_eq!(rids(&left), [None]);
    assert_eq!(sent(&changes).encodings[0].ssrc, all[0].ssrc);
    let offer = ours.offer().sdp;
    assert_eq!(simulcast(&offer), "");
    assert_eq!(lines(&offer, &["a=ssrc-group"]).len(), 1);
}

/// RFC 8853 §5.3.2: what is said of layers is said of those that are held as well, by whichever side, so that they go on: a browser whose
/// layers are not in a description gives all but the first up.
#[test]
fn held_and_resumed() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    let id = add(&mut ours, MediaKind::Video, &["q", "h", "f"]);
    add(&mut theirs, MediaKind::Video, &[]);
    exchange(&mut ours, &mut theirs);
    let of = |peer: &Peer| peer.negotiator.transceivers().next().map(|it| it.id());
    let (all, there) = (["q", "h", "f"], of(&theirs).expect("it is there"));
    let set = |peer: &mut Peer, id, direction| {
        let set = peer.negotiator.set_direction(id, direction);
        assert_eq!(set, Ok(true));
    };
    let held = [
        (Direction::RecvOnly, Direction::SendOnly),
        (Direction::Inactive, Direction::Inactive),
    ];
    for (by_us, by_them) in held {
        for ours_holds in [true, false] {
            for resumed in [false, true] {
                let direction = |held| if resumed { Direction::SendRecv } else { held };
                match ours_holds {
                    true => set(&mut ours, id, direction(by_us)),
                    false => set(&mut theirs, there, direction(by_them)),
                }
                for offered_by_ours in [ours_holds, !ours_holds] {
                    match offered_by_ours {
                        true => exchange(&mut ours, &mut theirs),
                        false => exchange(&mut theirs, &mut ours),
                    };
                    assert_eq!(simulcast(&local(&theirs)), "a=simulcast:recv q;h;f");
                    let sender = ours.negotiator.transceiver(id).expect("it is there");
                    let kept = all.map(Some);
                    assert_eq!(rids(sender.encodings()), kept);
                    let receiver = theirs.negotiator.transceiver(there);
                    let receives = receiver.expect("it is there").receive_parameters();
                    assert_eq!(receives.is_some(), resumed);
                    assert!(receives.is_none_or(|it| it.rids == all));
                }
            }
        }
    }
    // A browser goes on saying what it would send.
    let offer = ours.offer().sdp;
    let offer = offer.replace("a=sendrecv", "a=recvonly");
    theirs.remote(offer_of(offer));
    let answer = theirs.answer().sdp;
    assert!(answer.contains("a=sendonly\r\n"), "{answer}");
    assert_eq!(simulcast(&answer), "a=simulcast:recv q;h;f");
    theirs.local(None);
    // One that sends without has given them up.
    let offer = ours.offer().sdp;
    let of_layers = |line: &&str| line.starts_with("a=rid:") || line.starts_with("a=simulcast:");
    let offer = offer.split_inclusive("\r\n").filter(|it| !of_layers(it));
    theirs.remote(offer_of(offer.collect::<String>()));
    theirs.local(None);
    assert_eq!(simulcast(&local(&theirs)), "");
    let receives = theirs.negotiator.transceiver(there);
    let receives = receives.expect("it is there").receive_parameters();
    assert_eq!(receives.map(|it| it.rids), Some(Vec::new()));
}

/// [4.4.1.6-15] [4.4.1.6-28] [4.4.1.6-29] [4.4.1.6-36] [4.4.2-24] [5.4.1-01] [5.4.1-02] [5.4.1-04] The peer asks for layers: a transceiver without any gets them, a rollback takes
/// them away, and one that has been through an answer stays as it is.
#[test]
fn asked_for_by_the_peer() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    let id = add(&mut ours, MediaKind::Video, &[]);
    add(&mut theirs, MediaKind::Video, &[]);
    let asking = |offer: String| {
        offer_of(offer + "a=rid:x recv\r\na=rid:y recv\r\na=simulcast:recv x;~y,x;x\r\n")
    };
    let offer = theirs.offer().sdp;
    let layers = |peer: &Peer| {
        let transceiver = peer.negotiator.transceiver(id).expect("it is there");
        rids(transceiver.encodings()).len()
    };
    let changes = ours.remote(asking(offer.clone()));
    let asked = encodings(&changes).expect("they have changed");
    assert_eq!(rids(&asked), [Some("x"), Some("y")]);
    assert!(asked[1].paused);
    let changes = ours.remote(Description::rollback());
    assert_eq!(rids(&encodings(&changes).expect("changed back")), [None]);
    ours.remote(asking(offer));
    let changes = ours.local(None);
    assert_eq!(simulcast(&local(&ours)), "a=simulcast:send x;~y");
    assert_eq!(sent(&changes).encodings.len(), 2);
    // an exchange without, then asked again
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    add(&mut ours, MediaKind::Video, &[]);
    add(&mut theirs, MediaKind::Video, &[]);
    exchange(&mut ours, &mut theirs);
    let changes = ours.remote(asking(theirs.offer().sdp));
    assert_eq!((encodings(&changes), layers(&ours)), (None, 1));
}

/// [4.4.1.6-09] [5.4.1-01] [5.4.1-07] [4.4.2-24] A peer that asks for other layers than were agreed on gets no new ones: those
/// that it does not name are left out, and where none matches the first one goes alone.
#[test]
fn other_rids_are_not_taken() {
    for (asked, answered, left) in [
        (
            "x;q;y",
            "a=simulcast:send q",
            vec![Some("q"), Some("h"), Some("f")],
        ),
        ("x;y", "", vec![Some("q"), Some("h"), Some("f")]),
    ] {
        let (mut ours, mut theirs) = (peer('a'), peer('b'));
        let id = add(&mut ours, MediaKind::Video, &["q", "h", "f"]);
        let (first, _) = exchange(&mut ours, &mut theirs);
        let offer = theirs.offer().sdp;
        let mut other: String = lines(&offer, &[""])
            .into_iter()
            .filter(|it| !it.starts_with("a=rid") && !it.starts_with("a=simulcast"))
            .map(|it| format!("{it}\r\n"))
            .collect();
        for rid in asked.split(';') {
            other += &format!("a=rid:{rid} recv\r\n");
        }
        other += &format!("a=simulcast:recv {asked}\r\n");
        ours.remote(offer_of(other));
        let answer = ours.answer().sdp;
        assert_eq!(simulcast(&answer), answered, "{asked}");
        assert!(!answer.contains("a=rid:x") && !answer.contains("a=rid:y"));
        let kept = ours.negotiator.transceiver(id).expect("there");
        assert_eq!(rids(kept.encodings()), left, "{asked}");
        // One layer goes on, by its name or, where the peer knows none of them, without.
        let one = asked.contains('q').then_some("q");
        let before = sent(&first).encodings[0].ssrc;
        let changes = ours.local(None);
        let going = sent(&changes).encodings;
        let names: Vec<_> = going.iter().map(|it| it.rid.as_deref()).collect();
        assert_eq!(names, [one], "{asked}");
        assert_eq!(going[0].ssrc, before, "{asked}");
    }
}

/// What the peer limits comes with what is to be sent (RFC 9429 §5.9).
#[test]
fn limits() {
    for (line, bits) in [
        ("b=TIAS:300000\r\n", Some(300_000)),
        ("b=AS:100\r\nb=TIAS:1\r\n", Some(1)),
        ("b=AS:100\r\n", Some(79_000)),
        ("b=AS:1\r\n", Some(0)),
        ("b=RR:5\r\n", None),
    ] {
        let (mut ours, mut theirs) = (peer('a'), peer('b'));
        add(&mut ours, MediaKind::Audio, &[]);
        ours.local(None);
        theirs.remote(offer_of(local(&ours)));
        theirs.local(None);
        let answer = local(&theirs)
            .replace("a=mid:0", &format!("{line}a=mid:0"))
            .replace("a=maxptime:120", "a=maxptime:40")
            .replace("a=extmap-allow-mixed\r\n", "")
            .replace("a=rtcp-rsize\r\n", "")
            // in the eyes of the peer
            .replace("a=extmap:1 ", "a=extmap:1/sendonly ");
        let sends = sent(&ours.remote(answer_of(answer)));
        assert_eq!(sends.bandwidth, bits, "{line}");
        assert_eq!(sends.max_packet_time, Some(40));
        assert!(!sends.mixed && !sends.reduced_size);
        let ids: Vec<_> = sends.extensions.iter().map(|it| it.id).collect();
        assert_eq!(ids, [2, 3], "1 is not ours to send");
    }
}

/// RFC 8834 §7.1: what the peer allows for all media is shared evenly by what is not rejected, within what it allows of each.
#[test]
fn limits_of_all_media_are_shared() {
    for line in ["b=CT:1000", "b=AS:1000", "b=TIAS:934000"] {
        let (mut ours, mut theirs) = (peer('a'), peer('b'));
        for kind in [MediaKind::Audio, MediaKind::Video, MediaKind::Video] {
            add(&mut ours, kind, &[]);
        }
        ours.local(None);
        theirs.remote(offer_of(local(&ours)));
        theirs.local(None);
        let answer = local(&theirs)
            .replace("t=0 0", &format!("{line}\r\nt=0 0"))
            .replace("BUNDLE 0 1 2", "BUNDLE 0 1")
            .replace("a=mid:0", "b=TIAS:64000\r\na=mid:0");
        let last = answer.rfind("m=video 9").expect("a second one");
        let rejected = format!("{}m=video 0{}", &answer[..last], &answer[last + 9..]);
        let changes = ours.remote(answer_of(rejected));
        let sends = changes.iter().filter_map(|it| match it {
            Change::Sends { parameters, .. } => parameters.as_ref(),
            _ => None,
        });
        let limits: Vec<_> = sends.map(|it| it.bandwidth).collect();
        assert_eq!(limits, [Some(64_000), Some(467_000)], "{line}");
    }
}

/// [4.4.2-32] While an offer with other codecs is open the earlier ones are taken as well (RFC 3264 §8.3.2).
#[test]
fn earlier_codecs() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    let id = add(&mut ours, MediaKind::Audio, &[]);
    add(&mut theirs, MediaKind::Audio, &[]);
    exchange(&mut ours, &mut theirs);
    let pcmu = oxirtc_jsep::Codec::new("PCMU", 8000);
    let set = ours.negotiator.set_codec_preferences(id, &[pcmu]);
    assert_eq!(set, Ok(()));
    let taken = |peer: &Peer| {
        let it = peer.negotiator.transceiver(id).expect("it is there");
        let parameters = it.receive_parameters().expect("it receives");
        let media = parameters.codecs.media.iter();
        media.map(|it| it.codec.name.clone()).collect::<Vec<_>>()
    };
    ours.local(None);
    assert_eq!(
        lines(&local(&ours), &["a=rtpmap"]),
        ["a=rtpmap:0 PCMU/8000"]
    );
    assert_eq!(taken(&ours), ["PCMU", "opus", "G722", "PCMA"]);
    theirs.remote(offer_of(local(&ours)));
    theirs.local(None);
    ours.remote(answer_of(local(&theirs)));
    assert_eq!(taken(&ours), ["PCMU"]);
}

/// No SSRC is used twice, nor one that the peer has announced.
#[test]
fn ssrcs() {
    let (mut ours, mut theirs) = (peer('a'), peer('a'));
    for peer in [&mut ours, &mut theirs] {
        add(peer, MediaKind::Audio, &[]);
        add(peer, MediaKind::Video, &[]);
    }
    // both draw the same numbers
    ours.local(None);
    theirs.remote(offer_of(local(&ours)));
    theirs.local(None);
    let announced = |peer: &Peer| {
        let sdp = local(peer);
        let ssrcs = lines(&sdp, &["a=ssrc:"]).into_iter();
        ssrcs.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((announced(&ours).len(), announced(&theirs).len()), (3, 3));
    let number = |line: &String| line.split(' ').next().map(str::to_owned);
    let taken: Vec<_> = announced(&ours).iter().map(number).collect();
    assert!(
        announced(&theirs)
            .iter()
            .all(|it| !taken.contains(&number(it)))
    );
    ours.remote(answer_of(local(&theirs)));
    add(&mut ours, MediaKind::Video, &["q", "h"]);
    ours.offer();
    let mut all: Vec<u32> = Vec::new();
    for transceiver in ours.negotiator.transceivers() {
        all.extend(transceiver.encodings().iter().filter_map(Encoding::ssrc));
    }
    let drawn = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!((drawn, all.len()), (4, 4));
}

/// RFC 3550 §8.2: an SSRC that has made way for another is named no more, also after a rollback, and nothing else changes by it.
#[test]
fn an_ssrc_makes_way() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    let id = add(&mut ours, MediaKind::Video, &[]);
    exchange(&mut ours, &mut theirs);
    let sends = |peer: &Peer| {
        let transceiver = peer.negotiator.transceiver(id).expect("it is there");
        transceiver.send_parameters().expect("it sends")
    };
    for (repair, open, new) in [(false, false, 900), (true, false, 901), (false, true, 902)] {
        if open {
            ours.local(None);
        }
        let mut expected = sends(&ours);
        let own = &expected.encodings[0];
        let old = if repair { own.rtx } else { Some(own.ssrc) };
        let old = old.expect("it is repaired");
        ours.negotiator.replace_ssrc(old, new);
        expected.replace_ssrc(old, new);
        if open {
            ours.local(Description::rollback());
        }
        assert_eq!(sends(&ours), expected);
        let (changes, _) = exchange(&mut ours, &mut theirs);
        let told = |it: &Change| matches!(it, Change::Sends { .. });
        assert!(!changes.iter().any(told), "{changes:?}");
        let offer = local(&ours);
        let named = |ssrc: u32| lines(&offer, &[&format!("a=ssrc:{ssrc} ")]).len();
        assert_eq!((named(old), named(new)), (0, 1), "{offer}");
    }
}

/// RFC 8853 §5.1: of two forms of one stream the one is taken that we have a codec for, and what comes is known by its name.
#[test]
fn the_form_that_can_be() {
    let (mut ours, mut theirs) = (peer('a'), peer('b'));
    let id = add(&mut ours, MediaKind::Video, &[]);
    add(&mut theirs, MediaKind::Video, &[]);
    let offer = theirs.offer().sdp;
    let vp8 = lines(&offer, &["a=rtpmap"])
        .into_iter()
        .find_map(|it| it.strip_suffix(" VP8/90000")?.strip_prefix("a=rtpmap:"))
        .expect("a format");
    let forms = format!(
        "a=rid:x send pt=127\r\na=rid:y send pt={vp8}\r\na=rid:z send pt={vp8}\r\na=simulcast:send x,~y;z\r\n"
    );
    ours.remote(offer_of(offer.clone() + &forms));
    ours.local(None);
    assert_eq!(simulcast(&local(&ours)), "a=simulcast:recv ~y;z");
    let transceiver = ours.negotiator.transceiver(id).expect("it is there");
    let receive = transceiver.receive_parameters().expect("it receives");
    assert_eq!(receive.rids, ["y", "z"]);
}
