//! What of packets is encrypted beside their payloads, comfort noise in answers, and what an answer with media needs.

use oxirtc_jsep::{
    Capabilities, Codec, Error, Extension, MediaKind, Origin, ReceiveParameters, SendParameters,
    TransceiverInit, sdp::Direction,
};

use crate::support::{Peer, answer_of, lines, offer_of, visible};

const LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// A peer of sound with these codecs, whose levels are clear, encrypted, or either.
fn peer(name: char, codecs: &[Codec], levels: &[bool], cryptex: bool) -> Peer {
    let form = |encrypted: &bool| Extension {
        encrypted: *encrypted,
        ..Extension::new(LEVEL)
    };
    let extensions = levels.iter().map(form);
    let capabilities = Capabilities {
        codecs: codecs.to_vec(),
        extensions: extensions.chain([Extension::new(MID)]).collect(),
    };
    let configure = |config: oxirtc_jsep::Config| {
        let config = config.cryptex(cryptex);
        config.media(MediaKind::Audio, capabilities)
    };
    let mut peer = Peer::with(name, configure);
    let init = TransceiverInit {
        direction: Direction::SendRecv,
        ..TransceiverInit::default()
    };
    let added = peer
        .negotiator
        .add_transceiver(MediaKind::Audio, Origin::Track, init);
    added.expect("it is equipped");
    peer
}

/// Both have agreed; the answer, and what each sends and receives.
fn agreed(
    offerer: &mut Peer,
    answerer: &mut Peer,
) -> (String, Vec<(SendParameters, ReceiveParameters)>) {
    offerer.local(None);
    answerer.remote(offerer.negotiator.local_description().expect("an offer"));
    answerer.local(None);
    let answer = answerer.negotiator.local_description().expect("an answer");
    offerer.remote(answer.clone());
    let parameters = [offerer, answerer].map(|it| {
        let mut all = it.negotiator.transceivers();
        let transceiver = all.next().expect("a transceiver");
        let send = transceiver.send_parameters().expect("it sends");
        (send, transceiver.receive_parameters().expect("it receives"))
    });
    (answer.sdp, parameters.into_iter().collect())
}

/// RFC 9335 §4: it is used where both say so, and an answer says so only to an offer that does.
#[test]
fn cryptex_is_agreed_on_by_both() {
    let opus = [Codec::new("opus", 48_000).channels(2)];
    for (ours, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut a = peer('a', &opus, &[], ours);
        let mut b = peer('b', &opus, &[], theirs);
        let offer = a.offer().sdp;
        assert_eq!(lines(&offer, &["a=cryptex"]).len(), usize::from(ours));
        let (answer, parameters) = agreed(&mut a, &mut b);
        let both = ours && theirs;
        assert_eq!(lines(&answer, &["a=cryptex"]).len(), usize::from(both));
        for (send, receive) in parameters {
            assert_eq!((send.cryptex, receive.cryptex), (both, both));
        }
    }
    // It may stand above all sections.
    let mut a = peer('a', &opus, &[], true);
    let mut b = peer('b', &opus, &[], true);
    let offer = a.offer().sdp.replace("a=cryptex\r\n", "");
    let (head, rest) = offer.split_once("m=").expect("a section");
    b.remote(offer_of(format!("{head}a=cryptex\r\nm={rest}")));
    assert_eq!(lines(&b.answer().sdp, &["a=cryptex"]).len(), 1);
    // An answer that says so to an offer that does not says nothing.
    let mut a = peer('a', &opus, &[], false);
    let mut b = peer('b', &opus, &[], false);
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an offer"));
    a.remote(answer_of(b.answer().sdp + "a=cryptex\r\n"));
    let transceiver = a.negotiator.transceivers().next().expect("a transceiver");
    let (send, receive) = (
        transceiver.send_parameters().expect("it sends"),
        transceiver.receive_parameters().expect("it receives"),
    );
    assert_eq!((send.cryptex, receive.cryptex), (false, false));
}

/// RFC 6904 §4.1: who knows both forms takes the encrypted one alone; who knows one takes that.
#[test]
fn extensions_are_encrypted_where_the_peer_takes_it() {
    let opus = [Codec::new("opus", 48_000).channels(2)];
    for (ours, theirs, taken) in [
        (&[false, true][..], &[false, true][..], Some(true)),
        (&[false, true], &[false], Some(false)),
        (&[false], &[false, true], Some(false)),
        (&[true], &[false], None),
        (&[true], &[false, true], Some(true)),
    ] {
        let mut a = peer('a', &opus, ours, false);
        let mut b = peer('b', &opus, theirs, false);
        let offer = a.offer().sdp;
        let encrypted = lines(&offer, &["a=extmap:"]);
        let encrypted = encrypted.iter().filter(|it| it.contains("hdrext:encrypt "));
        assert_eq!(encrypted.count(), usize::from(ours.contains(&true)));
        for (send, receive) in agreed(&mut a, &mut b).1 {
            for extensions in [send.extensions, receive.extensions] {
                let mut levels = extensions.iter().filter(|it| it.extension.uri == LEVEL);
                assert_eq!(levels.next().map(|it| it.extension.encrypted), taken);
                assert_eq!(levels.next(), None, "never both");
            }
        }
    }
}

/// RFC 8285 §6: an answer has the numbers of the offer, and an extension under another one is not agreed on.
#[test]
fn an_answer_numbers_no_extension_anew() {
    let opus = [Codec::new("opus", 48_000).channels(2)];
    let mut a = peer('a', &opus, &[false], false);
    let mut b = peer('b', &opus, &[false], false);
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an offer"));
    let answer = b.answer().sdp;
    let mut numbered = lines(&answer, &["a=extmap:"]).into_iter();
    let line = numbered.find(|it| it.ends_with(LEVEL)).expect("agreed on");
    let other = format!("a=extmap:9 {LEVEL}");
    assert_ne!(line, other);
    a.remote(answer_of(answer.replace(line, &other)));
    let transceiver = a.negotiator.transceivers().next().expect("a transceiver");
    let send = transceiver.send_parameters().expect("it sends");
    let uris: Vec<_> = send.extensions.iter().map(|it| &it.extension.uri).collect();
    assert_eq!(uris, [MID]);
}

/// RFC 6904 §4.1, RFC 8285 §6: an answer neither takes the encryption away that was offered nor adds it, and it adds no direction.
#[test]
fn an_answer_changes_no_extension() {
    let opus = [Codec::new("opus", 48_000).channels(2)];
    for encrypted in [false, true] {
        let mut a = peer('a', &opus, &[encrypted], false);
        let mut b = peer('b', &opus, &[encrypted], false);
        a.local(None);
        b.remote(a.negotiator.local_description().expect("an offer"));
        let answer = b.answer().sdp;
        let hidden = format!("urn:ietf:params:rtp-hdrext:encrypt {LEVEL}");
        let (one, other) = match encrypted {
            true => (hidden.as_str(), LEVEL),
            false => (LEVEL, hidden.as_str()),
        };
        assert!(answer.contains(&format!(" {one}\r\n")), "{answer}");
        let turned = answer.replace(&format!(" {one}\r\n"), &format!(" {other}\r\n"));
        a.remote(answer_of(turned));
        assert_eq!(levels(&a), [0, 0], "{encrypted}");
    }
    for (offered, answered, taken) in [
        (Direction::SendOnly, "", [1, 0]),
        (Direction::SendOnly, "/recvonly", [1, 0]),
        (Direction::SendOnly, "/sendonly", [0, 0]),
        (Direction::RecvOnly, "", [0, 1]),
        (Direction::SendRecv, "/sendonly", [0, 1]),
    ] {
        let mut a = directed_peer('a', offered);
        let mut b = peer('b', &opus, &[false], false);
        a.local(None);
        b.remote(a.negotiator.local_description().expect("an offer"));
        let answer = b.answer().sdp;
        let line = lines(&answer, &["a=extmap:"])
            .into_iter()
            .find(|it| it.ends_with(LEVEL))
            .expect("agreed on");
        let id: String = line
            .chars()
            .skip("a=extmap:".len())
            .take_while(char::is_ascii_digit)
            .collect();
        let other = format!("a=extmap:{id}{answered} {LEVEL}");
        a.remote(answer_of(answer.replace(line, &other)));
        assert_eq!(levels(&a), taken, "{offered:?} {answered}");
        // RFC 9429 §5.2.2: what is left in no direction is not offered again.
        let again = a.offer().sdp.contains(LEVEL);
        assert_eq!(again, taken != [0, 0], "{offered:?} {answered}");
    }
}

/// A peer of sound that offers levels in one direction.
fn directed_peer(name: char, direction: Direction) -> Peer {
    let level = Extension {
        direction,
        ..Extension::new(LEVEL)
    };
    let capabilities = Capabilities {
        codecs: vec![Codec::new("opus", 48_000).channels(2)],
        extensions: vec![level],
    };
    let mut peer = Peer::with(name, |config| config.media(MediaKind::Audio, capabilities));
    let init = TransceiverInit {
        direction: Direction::SendRecv,
        ..TransceiverInit::default()
    };
    let added = peer
        .negotiator
        .add_transceiver(MediaKind::Audio, Origin::Track, init);
    added.expect("it is equipped");
    peer
}

/// How often levels are sent, and received.
fn levels(peer: &Peer) -> [usize; 2] {
    let transceiver = peer
        .negotiator
        .transceivers()
        .next()
        .expect("a transceiver");
    let send = transceiver.send_parameters().expect("it sends").extensions;
    let receive = transceiver.receive_parameters().expect("it receives");
    [send, receive.extensions].map(|all| {
        let levels = all.iter().filter(|it| it.extension.uri == LEVEL);
        levels.count()
    })
}

/// RFC 5761 §4: what could not be told from RTCP is not taken, and a section that has nothing else is rejected.
#[test]
fn payload_types_of_rtcp_are_not_taken() {
    for (payload, taken) in [(63, true), (64, false), (95, false), (96, true)] {
        let opus = [Codec::new("opus", 48_000).channels(2)];
        let mut a = peer('a', &opus, &[], false);
        let offer = a.offer().sdp;
        let own = lines(&offer, &["a=rtpmap:"])[0];
        let own: String = own
            .chars()
            .skip("a=rtpmap:".len())
            .take_while(char::is_ascii_digit)
            .collect();
        let offer = offer
            .replace(&format!("SAVPF {own}"), &format!("SAVPF {payload}"))
            .replace(&format!("rtpmap:{own} "), &format!("rtpmap:{payload} "));
        let mut b = peer('b', &opus, &[], false);
        b.remote(offer_of(offer));
        let answer = b.answer().sdp;
        let expected = format!("m=audio {} ", if taken { 9 } else { 0 });
        assert!(answer.contains(&expected), "{payload}: {answer}");
    }
}

/// RFC 7874 §3: noise is taken beside a codec that has none of its own, and nowhere else.
#[test]
fn comfort_noise_is_taken_beside_what_needs_it() {
    let opus = Codec::new("opus", 48_000).channels(2);
    let pcmu = Codec::new("PCMU", 8000);
    let noise = Codec::new("CN", 8000);
    let offered = [opus.clone(), pcmu.clone(), noise];
    for (ours, taken) in [(&[opus.clone(), pcmu][..], true), (&[opus], false)] {
        let mut a = peer('a', &offered, &[], false);
        let mut b = peer('b', ours, &[], false);
        let (answer, parameters) = agreed(&mut a, &mut b);
        assert_eq!(answer.contains("a=rtpmap:13 CN/8000"), taken, "{answer}");
        for (send, receive) in parameters {
            let both = [send.codecs.noise, receive.codecs.noise];
            assert!(both.iter().all(|it| it.is_empty() != taken));
        }
    }
    // Of itself nobody offers it.
    let mut b = peer('b', &[Codec::new("PCMU", 8000)], &[], false);
    assert!(!b.offer().sdp.contains("CN/8000"));
}

/// An answer whose living section is without rtcp-mux is refused as an offer is, and nothing has changed.
#[test]
fn an_answer_without_rtcp_mux_is_refused() {
    let opus = [Codec::new("opus", 48_000).channels(2)];
    let mut a = peer('a', &opus, &[], false);
    let mut b = peer('b', &opus, &[], false);
    a.local(None);
    b.remote(a.negotiator.local_description().expect("an offer"));
    let answer = b.answer().sdp;
    let before = visible(&a);
    let without = answer.replace("a=rtcp-mux\r\n", "");
    assert_ne!(without, answer);
    let result = a.try_remote(answer_of(without.clone()));
    assert!(matches!(result, Err(Error::InvalidAccess(_))), "{result:?}");
    assert_eq!(visible(&a), before);
    // One that is rejected needs none.
    a.remote(answer_of(without.replace("m=audio 9 ", "m=audio 0 ")));
}
