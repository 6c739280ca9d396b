use super::*;

fn video(name: &str, parameters: &str) -> Codec {
    let codec = Codec::new(name, 90_000);
    match parameters {
        "" => codec,
        parameters => codec.parameters(parameters),
    }
}

fn formats(list: &[(u8, Codec)]) -> Vec<Format> {
    let format = |(payload, codec): &(u8, Codec)| Format {
        payload: *payload,
        codec: codec.clone(),
    };
    list.iter().map(format).collect()
}

/// [5.4-15] The dictionary match: name without case, clock rate, channels, parameters.
#[test]
fn dictionary_match() {
    let opus = Codec::new("opus", 48_000)
        .channels(2)
        .parameters("minptime=10;useinbandfec=1");
    let other = |edit: fn(Codec) -> Codec| edit(opus.clone());
    let same = |codec: &Codec| opus.is_same(codec, Levels::Compared);
    assert!(same(&other(|it| Codec {
        name: "OPUS".into(),
        ..it
    })));
    assert!(
        same(&other(|it| it.parameters("stereo=1"))),
        "what an end can do is no difference"
    );
    assert!(!same(&other(|it| Codec {
        clock_rate: 8000,
        ..it
    })));
    assert!(
        !same(&other(|it| Codec {
            channels: None,
            ..it
        })),
        "both absent, or equal"
    );
    assert!(
        !same(&other(|it| Codec {
            parameters: None,
            ..it
        })),
        "both absent, or both there"
    );
    assert!(!same(&other(|it| Codec {
        name: "VP8".into(),
        ..it
    })));
}

/// [5.4-15] Parameters that make a codec another one, with what their absence means; levels by choice.
#[test]
fn parameters_that_count() {
    for (name, one, two, compared, ignored) in PAIRS {
        let (a, b) = (video(name, one), video(name, two));
        for (levels, expected) in [(Levels::Compared, compared), (Levels::Ignored, ignored)] {
            assert_eq!(
                a.is_same(&b, levels),
                expected,
                "{name} {one} {two} {levels:?}"
            );
            assert_eq!(
                b.is_same(&a, levels),
                expected,
                "{name} {two} {one} {levels:?}"
            );
        }
        assert_eq!(a.is_answer_to(&b), ignored, "{name} {one} {two}");
    }
    assert!(
        video("VP8", "").is_answer_to(&video("vp8", "max-fs=1")),
        "absence is no difference"
    );
    assert!(!video("VP9", "profile-id=2").is_answer_to(&video("VP9", "")));
    assert!(Codec::new("G722", 8000).is_answer_to(&Codec::new("G722", 8000).channels(1)));
}

fn offered() -> Codecs {
    Codecs::associate(formats(&[
        (
            96,
            video("VP8", "").feedback(["nack", "nack pli", "goog-remb"]),
        ),
        (97, video("rtx", "apt=96")),
        (
            98,
            video("H264", "packetization-mode=1;profile-level-id=42001f"),
        ),
        (99, video("rtx", "apt=98;rtx-time=200")),
        (100, video("rtx", "apt=55")),
        (101, video("rtx", "apt=96")),
        (118, video("red", "")),
        (119, video("rtx", "apt=118")),
        (120, video("ulpfec", "")),
        (121, video("flexfec-03", "repair-window=10000000")),
    ]))
}

/// Each in its place, found once; what serves nothing is left out.
#[test]
fn association() {
    let codecs = offered();
    let payloads: Vec<_> = codecs.media.iter().map(|it| it.payload).collect();
    assert_eq!(payloads, [96, 98]);
    assert_eq!(codecs.rtx, [(96, 97), (98, 99), (118, 119)]);
    assert_eq!((codecs.rtx_of(98), codecs.rtx_of(99)), (Some(99), None));
    assert_eq!(
        codecs.red,
        Some(Red {
            payload: 118,
            of: None,
            preferred: false,
        })
    );
    assert_eq!((codecs.ulpfec, codecs.flexfec), (Some(120), Some(121)));
    let audio = Codecs::associate(formats(&[
        (111, Codec::new("opus", 48_000).channels(2)),
        (
            63,
            Codec::new("red", 48_000).channels(2).parameters("111/111"),
        ),
        (0, Codec::new("PCMU", 8000)),
        (13, Codec::new("CN", 8000)),
        (110, Codec::new("telephone-event", 48_000)),
        (126, Codec::new("telephone-event", 8000)),
        (127, Codec::new("telephone-event", 8000)),
    ]));
    assert_eq!(
        audio.red,
        Some(Red {
            payload: 63,
            of: Some(111),
            preferred: false,
        })
    );
    assert_eq!(audio.events, [(48_000, 110), (8000, 126)]);
    assert_eq!(audio.noise, [(8000, 13)]);
    let lost = Codecs::associate(formats(&[(
        63,
        Codec::new("red", 48_000).parameters("7/7"),
    )]));
    assert_eq!((lost.red, lost.is_empty()), (None, true));
}

/// The profile of an answer is written as in the offer, the level is our own where both allow that, else the
/// lower one (RFC 6184 §8.2.2).
#[test]
fn levels_of_an_answer() {
    let answered = |offered: &str, ours: &str| {
        let offer = Codecs::associate(formats(&[(98, video("H264", offered))]));
        let answer = offer.answer(&[video("H264", ours)]);
        answer.media[0]
            .codec
            .parameters
            .clone()
            .expect("parameters")
    };
    let both = "level-asymmetry-allowed=1;profile-level-id=42e01f";
    assert_eq!(
        answered("level-asymmetry-allowed=1;profile-level-id=42c034", both),
        "level-asymmetry-allowed=1;profile-level-id=42c01f"
    );
    assert_eq!(
        answered("profile-level-id=42c034", both),
        "level-asymmetry-allowed=1;profile-level-id=42c01f"
    );
    assert_eq!(
        answered("profile-level-id=42c00b", both),
        "level-asymmetry-allowed=1;profile-level-id=42c00b"
    );
}

/// An answer has the offer's payload types and order, what both can do, and nothing that serves what is not
/// taken.
#[test]
fn answer() {
    let ours = [
        video(
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=420034",
        ),
        video("VP8", "").feedback(["nack", "transport-cc", "nack pli"]),
        video("rtx", ""),
        video("red", ""),
        video("ulpfec", ""),
    ];
    let answer = offered().answer(&ours);
    let payloads: Vec<_> = answer.media.iter().map(|it| it.payload).collect();
    assert_eq!(payloads, [96, 98], "in the order of the offer");
    assert_eq!(answer.media[0].codec.feedback, ["nack", "nack pli"]);
    let level = |text: Option<&str>| text.and_then(|it| it.rsplit('=').next().map(str::to_owned));
    assert_eq!(
        level(answer.media[1].codec.parameters.as_deref()).as_deref(),
        Some("42001f"),
        "one end alone cannot have another level"
    );
    assert_eq!(answer.rtx, [(96, 97), (98, 99), (118, 119)]);
    assert_eq!((answer.ulpfec, answer.flexfec), (Some(120), None));
    let plain = offered().answer(&ours[1..2]);
    assert_eq!((plain.media.len(), plain.rtx.len()), (1, 0));
    assert_eq!((plain.red, plain.ulpfec), (None, None));
    let without_red = offered().answer(&[video("VP8", ""), video("ulpfec", ""), video("rtx", "")]);
    assert_eq!(
        (without_red.ulpfec, without_red.rtx),
        (None, vec![(96, 97)])
    );
    let without_parity = offered().answer(&[video("VP8", ""), video("red", "")]);
    assert!(without_parity.red.is_some() && without_parity.ulpfec.is_none());
    assert!(
        offered()
            .answer(&[video("VP9", ""), video("rtx", "")])
            .is_empty()
    );
    // events at the rates of what is taken
    let opus = Codec::new("opus", 48_000).channels(2);
    let offer = Codecs::associate(formats(&[
        (111, opus.clone()),
        (110, Codec::new("telephone-event", 48_000)),
        (126, Codec::new("telephone-event", 8000)),
    ]));
    let events = [48_000, 8000].map(|rate| Codec::new("telephone-event", rate));
    let [wide, narrow] = events;
    assert_eq!(
        offer.answer(&[opus.clone(), wide, narrow]).events,
        [(48_000, 110)]
    );
    assert_eq!(offer.answer(&[opus]).events, []);
}

/// What only one end has is left out, with what serves nothing else.
#[test]
fn shared_by_both() {
    let ours = offered();
    assert_eq!(ours.shared(&ours, &ours), ours);
    let check = |theirs: Codecs, expected: Codecs| {
        assert_eq!(ours.shared(&theirs, &theirs), expected, "{theirs:?}");
    };
    let like_ours = |change: fn(&mut Codecs)| {
        let mut codecs = offered();
        change(&mut codecs);
        codecs
    };
    let changes: [fn(&mut Codecs); 5] = [
        |it| it.flexfec = None,
        |it| it.ulpfec = None,
        |it| it.rtx.truncate(1),
        |it| it.media.swap(0, 1),
        |it| it.media[0].codec.feedback.truncate(1),
    ];
    for change in changes {
        check(like_ours(change), like_ours(change));
    }
    let without_red = |it: &mut Codecs| it.red = None;
    let expected = like_ours(|it| {
        (it.red, it.ulpfec) = (None, None);
        it.rtx.truncate(2);
    });
    check(like_ours(without_red), expected);
    let one = like_ours(|it| it.media.truncate(1));
    let mut expected = one.clone();
    expected.rtx.remove(1);
    check(one, expected);

    let red = Codec::new("red", 48_000).channels(2).parameters("111/111");
    let sound = Codecs::associate(formats(&[
        (111, Codec::new("opus", 48_000).channels(2)),
        (63, red),
        (0, Codec::new("PCMU", 8000)),
        (110, Codec::new("telephone-event", 48_000)),
        (126, Codec::new("telephone-event", 8000)),
        (13, Codec::new("CN", 8000)),
    ]));
    let mut without_opus = sound.clone();
    without_opus.media.remove(0);
    let expected = Codecs {
        red: None,
        ..without_opus.clone()
    };
    assert_eq!(sound.shared(&without_opus, &without_opus), expected);
    let mut fewer = sound.clone();
    fewer.events.pop();
    fewer.noise.clear();
    assert_eq!(sound.shared(&fewer, &fewer), fewer);
}

/// What lines say of formats: the order of the `m=` line, fixed types, feedback for all.
#[test]
fn formats_of_a_section() {
    let text = "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0 9 9 50 127\r\n\
                a=rtcp-fb:* nack\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n\
                a=fmtp:111 minptime=10\r\na=rtpmap:9 G722/8000/1\r\na=rtpmap:33 X/1\r\n";
    let session = oxirtc_sdp::Session::parse(text).expect("a description");
    let media = session.media_at(0).expect("a section");
    let outline =
        crate::outline::Outline::new(&session, crate::SdpType::Offer).expect("an outline");
    let formats = &outline.entry(0).expect("a section").rtp.formats;
    let shown: Vec<_> = formats
        .iter()
        .map(|it| format!("{} {}", it.payload, it.codec))
        .collect();
    assert_eq!(shown, ["111 opus/48000/2", "0 PCMU/8000", "9 G722/8000/1"]);
    assert_eq!(formats[0].codec.feedback, ["nack", "transport-cc"]);
    assert_eq!(formats[0].codec.parameters.as_deref(), Some("minptime=10"));
    // The first line of each counts, and feedback has the order of its lines.
    let again = format!(
        "{text}a=rtpmap:111 VP8/90000\r\na=fmtp:111 minptime=20\r\na=rtcp-fb:* nack pli\r\n"
    );
    let session = oxirtc_sdp::Session::parse(&again).expect("a description");
    let outline =
        crate::outline::Outline::new(&session, crate::SdpType::Offer).expect("an outline");
    let first = &outline.entry(0).expect("a section").rtp.formats[0].codec;
    assert_eq!(first.feedback, ["nack", "transport-cc", "nack pli"]);
    assert_eq!(first.to_string(), "opus/48000/2");
    assert_eq!(first.parameters.as_deref(), Some("minptime=10"));
    assert_eq!(formats[1].codec.feedback, ["nack"]);
    assert_eq!(media.formats().count(), 6);
}

/// Of each format 32 kinds of feedback count, each once and of 64 characters at most; of what is said of all formats as many, 512 copies in
/// a section. Of 32 fingerprints each counts once.
#[test]
fn what_lines_repeat_is_bounded() {
    let payloads: Vec<_> = (0..=63).chain(96..=127).map(|it| it.to_string()).collect();
    let maps: String = payloads
        .iter()
        .map(|it| format!("a=rtpmap:{it} VP8/90000\r\n"))
        .collect();
    let read = |lines: &str| {
        let text = format!(
            "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF {}\r\n{maps}{lines}",
            payloads.join(" ")
        );
        let session = oxirtc_sdp::Session::parse(&text).expect("a description");
        crate::outline::Outline::new(&session, crate::SdpType::Offer).expect("an outline")
    };
    let counts = |lines: &str| -> Vec<usize> {
        let outline = read(lines);
        let formats = &outline.entry(0).expect("a section").rtp.formats;
        formats.iter().map(|it| it.codec.feedback.len()).collect()
    };
    let many = |of: &str| -> String {
        (0..40)
            .map(|it| format!("a=rtcp-fb:{of} x{it}\r\n"))
            .collect()
    };
    assert_eq!(counts(&many("0"))[..2], [32, 0]);
    let all = counts(&many("*"));
    assert_eq!(all[..17], [[32; 16].as_slice(), &[0]].concat());
    assert_eq!(counts(&"a=rtcp-fb:0 nack\r\n".repeat(3))[0], 1);
    assert_eq!(
        counts("a=rtcp-fb:0 nack\r\na=rtcp-fb:* nack\r\n")[..2],
        [1, 1]
    );
    for (length, count) in [(64, 1), (65, 0)] {
        let parameter = "x".repeat(length - 4);
        let lines = format!("a=rtcp-fb:0 nack {parameter}\r\n");
        assert_eq!(counts(&lines)[0], count, "{length}");
    }
    let prints = |lines: &str| read(lines).fingerprints(0).len();
    let same = "a=fingerprint:x 00\r\n".repeat(40);
    assert_eq!(prints(&format!("{same}a=fingerprint:x 01\r\n")), 2);
    let other: String = (0..40)
        .map(|it| format!("a=fingerprint:x{it} 00\r\n"))
        .collect();
    assert_eq!(prints(&other), 32);
    for (length, count) in [(64, 1), (65, 0)] {
        let value = vec!["00"; length].join(":");
        assert_eq!(prints(&format!("a=fingerprint:x {value}\r\n")), count);
        let name = "x".repeat(length);
        assert_eq!(prints(&format!("a=fingerprint:{name} 00\r\n")), count);
    }
}

/// A number once given stays, fixed ones where they are fixed, 64 to 95 never, and there is an end.
#[test]
fn payload_types() {
    let mut types = PayloadTypes::default();
    let vp8 = video("VP8", "");
    types.learn(96, &video("H264", "packetization-mode=1"));
    types.learn(96, &vp8);
    assert_eq!(types.number(&vp8, &[]), Some(97), "96 keeps its meaning");
    assert_eq!(types.number(&vp8, &[]), Some(97));
    assert_eq!(types.number(&Codec::new("PCMA", 8000), &[]), Some(8));
    assert_eq!(types.number(&video("rtx", "apt=97"), &[]), Some(98));
    assert_eq!(
        types.number(&video("rtx", "apt=96"), &[]),
        Some(99),
        "one for each that it serves"
    );
    let mut all = vec![8, 96, 97, 98, 99];
    while let Some(payload) = types.number(&video("X", &format!("n={}", all.len())), &all) {
        assert!(!all.contains(&payload));
        all.push(payload);
    }
    assert_eq!(all.len(), 1 + 32 + 29);
    assert!(all.iter().all(|it| !(64..=95).contains(it)));
    assert!(types.meaning(99).is_some_and(|it| it.is("rtx")));
}

/// Of one codec: two lists of parameters, and whether they are the same with levels and without.
const PAIRS: [(&str, &str, &str, bool, bool); 22] = [
    ("VP9", "profile-id=0", "max-fs=1", true, true),
    ("VP9", "profile-id=0", "profile-id=2", false, false),
    (
        "H264",
        "packetization-mode=1",
        "profile-level-id=42000a",
        false,
        false,
    ),
    (
        "H264",
        "packetization-mode=0",
        "profile-level-id=42000a",
        true,
        true,
    ),
    (
        "H264",
        "profile-level-id=42e01f",
        "profile-level-id=42E01F",
        true,
        true,
    ),
    (
        "H264",
        "profile-level-id=42e01f",
        "profile-level-id=42e028",
        false,
        true,
    ),
    // RFC 6184 §8.1: other numbers for the same
    (
        "H264",
        "profile-level-id=42e01f",
        "profile-level-id=42c01f",
        true,
        true,
    ),
    (
        "H264",
        "profile-level-id=42e01f",
        "profile-level-id=4d801f",
        true,
        true,
    ),
    (
        "H264",
        "profile-level-id=42e01f",
        "profile-level-id=42001f",
        false,
        false,
    ),
    (
        "H264",
        "profile-level-id=4d001f",
        "profile-level-id=64001f",
        false,
        false,
    ),
    (
        "H264",
        "profile-level-id=64001f",
        "profile-level-id=640c1f",
        false,
        false,
    ),
    (
        "H264",
        "profile-level-id=f4001f",
        "profile-level-id=f40028",
        false,
        true,
    ),
    (
        "H264",
        "profile-level-id=junk",
        "profile-level-id=42e01f",
        false,
        false,
    ),
    (
        "H264",
        "profile-level-id=äöü",
        "profile-level-id=42e01f",
        false,
        false,
    ),
    (
        "H265",
        "level-id=93;tier-flag=0",
        "profile-id=1;tx-mode=SRST",
        true,
        true,
    ),
    ("H265", "level-id=120", "profile-id=1", false, true),
    ("H265", "profile-id=2", "profile-id=1", false, false),
    (
        "AV1",
        "level-idx=5;profile=0;tier=0",
        "profile=0",
        true,
        true,
    ),
    ("AV1", "level-idx=8", "level-idx=5", false, true),
    ("VP8", "max-fs=12288;max-fr=60", "max-fr=30", true, true),
    ("X", "plain", "plain", true, true),
    ("X", "plain", "other", false, false),
];
