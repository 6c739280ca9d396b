//! Every message, whole and cut.

use proptest::prelude::*;

use super::*;

fn extensions() -> Extensions<'static> {
    let mut extensions = Extensions::default();
    extensions.push_numbers(extension::SUPPORTED_GROUPS, &[29, 23]);
    extensions.push_use_srtp(&[7, 1]);
    extensions.push_alpn([&b"webrtc"[..], b"c-webrtc"]);
    extensions.push(0x1234, &b"unknown"[..]);
    extensions
}

fn samples() -> Vec<Message<'static>> {
    vec![
        Message::HelloRequest,
        Message::ClientHello(ClientHello {
            version: 0xFEFD,
            random: [7; 32],
            session_id: b"session",
            cookie: b"cookie",
            cipher_suites: vec![0xC02B, 0x1301, 0x00FF],
            compression_methods: &[0],
            extensions: extensions(),
        }),
        Message::ServerHello(ServerHello {
            version: 0xFEFD,
            random: [9; 32],
            session_id: &[],
            cipher_suite: 0xC02B,
            compression_method: 0,
            extensions: extensions(),
        }),
        Message::HelloVerifyRequest(HelloVerifyRequest {
            version: 0xFEFF,
            cookie: &[3; 32],
        }),
        Message::Certificate(Certificate {
            chain: vec![b"leaf", b"intermediate"],
        }),
        Message::ServerKeyExchange(ServerKeyExchange {
            group: 29,
            public: &[5; 32],
            scheme: 0x0403,
            signature: b"signature",
        }),
        Message::CertificateRequest(CertificateRequest {
            certificate_types: vec![64, 1],
            signature_algorithms: vec![0x0403, 0x0401],
            authorities: vec![b"name".to_vec()],
        }),
        Message::ServerHelloDone,
        Message::CertificateVerify(CertificateVerify {
            scheme: 0x0403,
            signature: b"signature",
        }),
        Message::ClientKeyExchange(ClientKeyExchange { public: &[4; 65] }),
        Message::Finished(Finished {
            verify_data: &[1; 12],
        }),
    ]
}

fn samples_1_3() -> Vec<Message<'static>> {
    let entry = |certificate| CertificateEntry {
        certificate,
        extensions: Extensions::default(),
    };
    vec![
        Message::EncryptedExtensions(EncryptedExtensions {
            extensions: extensions(),
        }),
        Message::EncryptedExtensions(EncryptedExtensions {
            extensions: Extensions::default(),
        }),
        Message::CertificateRequest13(CertificateRequest13 {
            context: &[],
            extensions: extensions(),
        }),
        Message::Certificate13(Certificate13 {
            context: b"context",
            entries: vec![entry(b"leaf"), entry(b"intermediate")],
        }),
        Message::Certificate13(Certificate13 {
            context: &[],
            entries: vec![],
        }),
        Message::CertificateVerify(CertificateVerify {
            scheme: 0x0403,
            signature: b"signature",
        }),
        Message::Finished(Finished {
            verify_data: &[1; 48],
        }),
        Message::KeyUpdate(KeyUpdate { request: true }),
        Message::KeyUpdate(KeyUpdate { request: false }),
        Message::NewSessionTicket(NewSessionTicket {
            lifetime: 7_200,
            age_add: 0xFFFF_FFFF,
            nonce: &[],
            ticket: b"ticket",
            extensions: extensions(),
        }),
    ]
}

#[test]
fn messages_of_1_3_survive_a_round_trip_and_no_cut_of_them_is_one() {
    for message in samples_1_3() {
        let kind = message.kind();
        let bytes = written(&message);
        assert_eq!(Message::parse_1_3(kind, &bytes), Ok(message.clone()));
        for end in (0..bytes.len()).filter(|end| *end != 12 && *end != 32) {
            let cut = Message::parse_1_3(kind, &bytes[..end]);
            assert_eq!(cut, Err(Malformed), "{kind:?} {end}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Message::parse_1_3(kind, &longer), Err(Malformed));
    }
    assert!(KeyUpdate::parse(&[2]).is_err());
    // A ticket is not empty.
    assert!(NewSessionTicket::parse(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]).is_err());
}

#[test]
fn extensions_of_1_3_and_acks_survive_a_round_trip() {
    let mut extensions = Extensions::default();
    assert_eq!(extensions.client_shares(), Ok(None));
    let shares = [(29, &[7; 32][..]), (0x11EC, &[9; 40])];
    let shares = shares.map(|(group, exchange)| KeyShareEntry { group, exchange });
    extensions.push_client_shares(&shares);
    assert_eq!(extensions.client_shares(), Ok(Some(shares.to_vec())));
    extensions.push_cookie(b"cookie");
    assert_eq!(extensions.cookie(), Ok(Some(&b"cookie"[..])));
    extensions.push_supported_versions(&[0xFEFC, 0xFEFD]);
    let versions = extensions.supported_versions();
    assert_eq!(versions, Ok(Some(vec![0xFEFC, 0xFEFD])));
    let mut answer = Extensions::default();
    answer.push_server_share(shares[0]);
    assert_eq!(answer.server_share(), Ok(Some(shares[0])));
    let mut retry = Extensions::default();
    retry.push(extension::KEY_SHARE, vec![0, 23]);
    retry.push(extension::SUPPORTED_VERSIONS, vec![0xFE, 0xFC]);
    assert_eq!(retry.wanted_group(), Ok(Some(23)));
    assert_eq!(retry.selected_version(), Ok(Some(0xFEFC)));
    assert_eq!(retry.server_share(), Err(Malformed));
    let mut empty = Extensions::default();
    empty.push(extension::COOKIE, vec![0, 0]);
    empty.push(extension::KEY_SHARE, vec![0, 4, 0, 29, 0, 0]);
    assert_eq!(empty.cookie(), Err(Malformed));
    assert_eq!(empty.client_shares(), Err(Malformed));

    let ack = Ack {
        numbers: vec![(2, 7), (3, 1 << 40)],
    };
    let mut bytes = Vec::new();
    ack.write(&mut bytes);
    assert_eq!(Ack::parse(&bytes).as_ref(), Ok(&ack));
    for end in 0..bytes.len() {
        assert_eq!(Ack::parse(&bytes[..end]), Err(Malformed));
    }
    assert_eq!(Ack::parse(&[0, 3, 1, 2, 3]), Err(Malformed));
}

fn written(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.write(&mut bytes);
    bytes
}

/// Known failure 8: no cut of any message is read beyond its end.
#[test]
fn every_message_survives_a_round_trip_and_no_cut_of_it_is_one() {
    for message in samples() {
        let kind = message.kind();
        let bytes = written(&message);
        assert_eq!(Message::parse(kind, &bytes), Ok(message.clone()));
        let without_extensions =
            bytes.len() - {
                let mut block = Vec::new();
                extensions().write(&mut block);
                block.len()
            } * usize::from(matches!(kind, Kind::ClientHello | Kind::ServerHello));
        for end in (0..bytes.len()).filter(|end| *end != without_extensions) {
            assert_eq!(
                Message::parse(kind, &bytes[..end]),
                Err(Malformed),
                "{kind:?} {end}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Message::parse(kind, &longer), Err(Malformed), "{kind:?}");
    }
}

#[test]
fn extensions_of_one_type_and_empty_lists_are_refused() {
    let twice = [0, 8, 0, 23, 0, 0, 0, 23, 0, 0];
    assert_eq!(Extensions::parse(&twice), Err(Malformed));
    let mut extensions = Extensions::default();
    for kind in [
        extension::USE_SRTP,
        extension::ALPN,
        extension::SUPPORTED_GROUPS,
    ] {
        extensions.push(kind, vec![0, 0, 0]);
    }
    assert_eq!(extensions.use_srtp(), Err(Malformed));
    assert_eq!(extensions.alpn(), Err(Malformed));
    assert_eq!(
        extensions.numbers(extension::SUPPORTED_GROUPS),
        Err(Malformed)
    );
}

/// Each is held against those before it, so there are only so many.
#[test]
fn extensions_have_a_largest_number() {
    for (count, read) in [(64, true), (65, false)] {
        let mut extensions = Extensions::default();
        for kind in 0..count {
            extensions.push(0x4A00 + kind, &[][..]);
        }
        let mut block = Vec::new();
        extensions.write_block(&mut block);
        assert_eq!(Extensions::parse(&block).is_ok(), read, "{count}");
    }
}

#[test]
fn a_fragment_never_reaches_beyond_its_message() {
    for (length, offset, len) in [(0, 0, 1), (3, 2, 2), (3, 4, 0), (0xFF_FFFF, 0xFF_FFFF, 1)] {
        let body = vec![1; len];
        let fragment = Fragment {
            kind: 1,
            length,
            sequence: 0,
            offset,
            body: &body,
        };
        let mut bytes = Vec::new();
        fragment.write(&mut bytes);
        assert_eq!(Fragment::parse(&bytes), Err(Malformed));
    }
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(300))]

    /// Whatever parses prints back to the same bytes.
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for kind in Kind::ALL {
            if let Ok(message) = Message::parse(kind, &bytes) {
                let again = written(&message);
                prop_assert_eq!(Message::parse(kind, &again), Ok(message));
            }
        }
        for kind in Kind::ALL {
            if let Ok(message) = Message::parse_1_3(kind, &bytes) {
                let again = written(&message);
                prop_assert_eq!(Message::parse_1_3(kind, &again), Ok(message));
            }
        }
        let _ = (Fragment::parse(&bytes), Ack::parse(&bytes));
    }

    #[test]
    fn a_changed_byte_does_no_harm(at in 0_usize..400, value: u8) {
        for message in samples() {
            let mut bytes = written(&message);
            let len = bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at % len) {
                *byte = value;
            }
            if let Ok(parsed) = Message::parse(message.kind(), &bytes) {
                let again = written(&parsed);
                prop_assert_eq!(Message::parse(message.kind(), &again), Ok(parsed));
            }
        }
    }
}

/// A chain has ten certificates at most, in either version.
#[test]
fn chains_have_a_largest_length() {
    for count in [9, 10, 11] {
        let chain = vec![&b"certificate"[..]; count];
        let (mut old, mut new) = (Vec::new(), Vec::new());
        let entry = |certificate| CertificateEntry {
            certificate,
            extensions: Extensions::default(),
        };
        Certificate13 {
            context: &[],
            entries: chain.iter().copied().map(entry).collect(),
        }
        .write(&mut new);
        Certificate { chain }.write(&mut old);
        let read = [
            Certificate::parse(&old).is_ok(),
            Certificate13::parse(&new).is_ok(),
        ];
        assert_eq!(read, [count <= 10; 2], "{count}");
    }
}
