//! Offers that follow others: what was agreed on stays, and peers find what they look for.

use std::collections::BTreeMap;

use oxirtc_jsep::{Extension, MediaKind, Origin, TransceiverInit, sdp::Session};

use crate::support::{Peer, answer_of, equipped, exchange, lines, offer_of};

fn add(peer: &mut Peer, kind: MediaKind) {
    let init = TransceiverInit::default();
    let added = peer.negotiator.add_transceiver(kind, Origin::Track, init);
    added.expect("it is equipped");
}

/// Without the lines that begin so.
fn without(sdp: &str, beginning: &str) -> String {
    let kept = sdp.lines().filter(|line| !line.starts_with(beginning));
    kept.flat_map(|line| [line, "\r\n"]).collect()
}

/// What each number means in a description: one thing (RFC 9143 §9).
fn meanings(sdp: &str) -> [BTreeMap<String, String>; 2] {
    ["a=extmap:", "a=rtpmap:"].map(|beginning| {
        let mut found = BTreeMap::new();
        for line in lines(sdp, &[beginning]) {
            let line = line.strip_prefix(beginning).expect("it begins so");
            let (number, meaning) = line.split_once(' ').expect("two words");
            let number = number.split('/').next().unwrap_or(number).to_owned();
            let before = found.insert(number, meaning.to_owned());
            let same = before.as_deref().is_none_or(|before| before == meaning);
            assert!(same, "{line}, and {before:?}:\n{sdp}");
        }
        found
    })
}

/// RFC 8285 §6, RFC 9143 §9.1 and §9.2: the peer did not take an extension and a codec of ours, and gives their numbers to others,
/// as Firefox does. From then on they are those, in all that we offer.
#[test]
fn numbers_that_were_not_taken_are_the_peers() {
    let mut ours = Peer::with('a', equipped);
    let mut theirs = Peer::with('b', equipped);
    add(&mut ours, MediaKind::Audio);
    let offer = ours.offer();
    let level = "a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    let opus = lines(&offer.sdp, &["a=rtpmap:"])[0];
    assert!(opus.starts_with("a=rtpmap:96 opus") && offer.sdp.contains(level));
    ours.local(offer.clone());
    theirs.remote(offer);
    let answer = theirs.answer();
    theirs.local(answer.clone());
    let narrowed = without(&answer.sdp, "a=extmap:2 ").replace("SAVPF 96 ", "SAVPF ");
    let narrowed = ["a=rtpmap:96 ", "a=fmtp:96 ", "a=rtcp-fb:96 "]
        .iter()
        .fold(narrowed, |sdp, line| without(&sdp, line));
    ours.remote(answer_of(narrowed));
    // Now a section of theirs, in which the two numbers have other meanings.
    add(&mut theirs, MediaKind::Video);
    let offer = theirs.offer().sdp;
    let (audio, video) = offer.split_at(offer.find("m=video").expect("a video"));
    let audio = without(audio, "a=extmap:2 ").replace("SAVPF 96 ", "SAVPF ");
    let audio = ["a=rtpmap:96 ", "a=fmtp:96 ", "a=rtcp-fb:96 "]
        .iter()
        .fold(audio, |sdp, line| without(&sdp, line));
    let vp8 = lines(video, &["a=rtpmap:"])[0];
    let payload = &vp8["a=rtpmap:".len()..vp8.find(' ').expect("a name")];
    let video = video
        .replace(&format!("SAVPF {payload} "), "SAVPF 96 ")
        .replace(&format!(":{payload} "), ":96 ")
        .replace(&format!("apt={payload}\r\n"), "apt=96\r\n")
        .replace("a=extmap:4 ", "a=extmap:2 ");
    let offered = format!("{audio}{video}");
    let [extensions, codecs] = meanings(&offered);
    assert_eq!(codecs["96"], "VP8/90000");
    ours.remote(offer_of(offered));
    ours.local(None);
    // What we offer next.
    let again = ours.offer().sdp;
    let [next_extensions, next_codecs] = meanings(&again);
    for (number, meaning) in extensions {
        assert_eq!(next_extensions[&number], meaning, "{again}");
    }
    assert_eq!(next_codecs["96"], "VP8/90000");
    // RFC 9429 §5.2.2: of the two the codec is offered again, under another number, and the extension when it is chosen anew.
    let told = |of: &BTreeMap<String, String>, what: &str| of.values().any(|it| it.contains(what));
    assert!(told(&next_codecs, "opus") && !told(&next_extensions, "audio-level"));
    let audio = ours.negotiator.transceivers().next().expect("one").id();
    let level = Extension::new("urn:ietf:params:rtp-hdrext:ssrc-audio-level");
    let chosen = vec![Extension::new("urn:ietf:params:rtp-hdrext:sdes:mid"), level];
    ours.negotiator.set_extensions(audio, chosen).expect("ours");
    let [chosen, _] = meanings(&ours.offer().sdp);
    assert!(told(&chosen, "audio-level"));
    for (number, meaning) in next_extensions {
        assert_eq!(chosen[&number], meaning);
    }
}

/// RFC 9429 §5.2.2, WebRTC Extensions: what an answer has left out is not offered again, and not by a section that comes later; it
/// has the names of sections and layers all the same, which packets are told apart by.
#[test]
fn extensions_stay_as_they_were_answered() {
    let mut ours = Peer::with('a', equipped);
    let mut theirs = Peer::with('b', equipped);
    add(&mut ours, MediaKind::Video);
    let offer = ours.offer();
    ours.local(offer.clone());
    theirs.remote(offer);
    let answer = theirs.answer();
    theirs.local(answer.clone());
    let named = |sdp: &str| -> Vec<Vec<String>> {
        let sections = sdp.split("m=").skip(1);
        let names = sections.map(|section| {
            let lines = lines(section, &["a=extmap:"]).into_iter();
            let uris = lines.filter_map(|line| Some(line.split_once(' ')?.1.to_owned()));
            uris.collect()
        });
        names.collect()
    };
    let before = named(&answer.sdp).remove(0);
    assert!(
        before.len() > 1 && before[0].ends_with(":mid"),
        "{before:?}"
    );
    // It takes the mid alone.
    let narrowed = answer.sdp.lines().filter(|line| {
        let extension = line.starts_with("a=extmap:");
        !extension || line.ends_with(":mid")
    });
    let narrowed = narrowed.flat_map(|line| [line, "\r\n"]).collect::<String>();
    ours.remote(answer_of(narrowed));
    add(&mut ours, MediaKind::Video);
    add(&mut ours, MediaKind::Audio);
    let again = named(&ours.offer().sdp);
    assert_eq!(again[0], [before[0].clone()]);
    let names = before.iter().filter(|it| it.contains(":sdes:"));
    assert_eq!(again[1], names.cloned().collect::<Vec<_>>());
    assert!(again[2].iter().any(|it| it.ends_with("audio-level")));
}

/// Sections that share a transport have its credentials once; Firefox refuses an offer in which it does not find some for a section,
/// so they stand at session level as well.
#[test]
fn credentials_are_found_for_each_section() {
    let mut ours = Peer::with('a', equipped);
    let mut theirs = Peer::with('b', equipped);
    add(&mut ours, MediaKind::Audio);
    add(&mut ours, MediaKind::Video);
    let first = ours.offer().sdp;
    let credentials = |sdp: &str| -> Vec<String> {
        let found = lines(sdp, &["a=ice-ufrag:", "a=ice-pwd:"]);
        found.into_iter().map(str::to_owned).collect()
    };
    let head = |sdp: &str| credentials(sdp.split("m=").next().expect("a head"));
    let offered = credentials(&first);
    assert_eq!(offered.len(), 6, "{first}");
    assert_eq!(offered[..2], offered[2..4]);
    assert_eq!(offered[..2], offered[4..]);
    assert_eq!(head(&first), offered[..2]);
    exchange(&mut ours, &mut theirs);
    let answer = theirs
        .negotiator
        .local_description()
        .expect("it was set")
        .sdp;
    let answered = credentials(&answer);
    assert_eq!(
        answered.len(),
        4,
        "once for the address, and once for all: {answer}"
    );
    assert_eq!(answered[..2], answered[2..]);
    assert_eq!(head(&answer), answered[..2]);
    ours.negotiator.add_data_channel();
    for restart in [false, true] {
        let offer = ours.try_offer(restart).expect("it is stable").sdp;
        let session = Session::parse(&offer).expect("it is ours");
        let with_own = session.media().filter(|it| it.ice_ufrag().is_some());
        assert_eq!(with_own.count(), 1, "{offer}");
        let [ufrag, password] = &head(&offer)[..] else {
            panic!("no credentials at session level: {offer}");
        };
        let before = offer.split("m=").next().expect("a head");
        assert!(before.contains("a=setup:actpass\r\n"), "{offer}");
        let all = credentials(&offer);
        assert_eq!(
            all,
            [
                ufrag.clone(),
                password.clone(),
                ufrag.clone(),
                password.clone()
            ]
        );
    }
}

/// Firefox takes credentials of some sections that are others than before for a restart of a part, and refuses it: those that sections of a
/// first offer have are those of the transport that they come to share, also where the peer offers next.
#[test]
fn sections_that_come_together_keep_their_credentials() {
    let mut ours = Peer::with('a', equipped);
    let mut theirs = Peer::with('b', equipped);
    add(&mut ours, MediaKind::Audio);
    add(&mut ours, MediaKind::Video);
    ours.negotiator.add_data_channel();
    let found = |sdp: &str| -> Vec<String> {
        let session = Session::parse(sdp).expect("it is ours");
        let common = sdp.split("m=").next().expect("a head");
        let common = lines(common, &["a=ice-ufrag:"]);
        let of = |it: oxirtc_jsep::sdp::Media<'_>| match it.ice_ufrag() {
            Some(own) => own.to_owned(),
            None => common[0]["a=ice-ufrag:".len()..].to_owned(),
        };
        session.media().map(of).collect()
    };
    let first = found(&ours.offer().sdp);
    assert_eq!(first, ["a0000001"; 3]);
    // One that comes while the offer is open.
    ours.local(None);
    add(&mut ours, MediaKind::Video);
    assert_eq!(found(&ours.offer().sdp), ["a0000001"; 4]);
    exchange(&mut ours, &mut theirs);
    assert_eq!(found(&ours.offer().sdp), ["a0000001"; 4]);
    exchange(&mut theirs, &mut ours);
    let answer = ours.negotiator.local_description().expect("it was set");
    assert_eq!(found(&answer.sdp), ["a0000001"; 4]);
    // A restart is one of all.
    let offer = ours.try_offer(true).expect("it is stable").sdp;
    let next = found(&offer);
    assert!(
        next.iter().all(|it| *it == next[0]) && next[0] != "a0000001",
        "{offer}"
    );
}

/// Also of transports that stay two, as the peer bundles nothing.
#[test]
fn a_restart_of_two_transports_is_one() {
    let mut ours = Peer::with('a', equipped);
    let mut theirs = Peer::with('b', equipped);
    add(&mut ours, MediaKind::Audio);
    add(&mut ours, MediaKind::Video);
    ours.local(None);
    let offer = ours.negotiator.local_description().expect("it was set").sdp;
    theirs.remote(offer_of(without(&offer, "a=group")));
    theirs.local(None);
    let answer = theirs.negotiator.local_description().expect("it was set");
    ours.remote(answer);
    assert_eq!(ours.negotiator.transports().count(), 2);
    for (restart, expected) in [
        (false, "a=ice-ufrag:a0000001"),
        (true, "a=ice-ufrag:a0000002"),
    ] {
        let offer = ours.try_offer(restart).expect("it is stable").sdp;
        assert_eq!(lines(&offer, &["a=ice-ufrag:"]), [expected; 3]);
    }
}
