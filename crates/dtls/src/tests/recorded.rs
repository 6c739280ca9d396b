//! What Chromium 156 and Firefox 153 said to themselves in 1.3. Without their secrets it shows shapes: every
//! datagram is split to its end, and hellos are written again as they were.

use crate::{
    Group, Version,
    message::{Fragment, Kind, Message},
    record,
    tests::unhex,
};

#[test]
fn the_captures_of_browsers_are_split_to_their_ends() {
    for (name, text) in [
        (
            "chromium",
            include_str!("../../tests/support/chromium-156.dtls13.hex"),
        ),
        (
            "firefox",
            include_str!("../../tests/support/firefox-153.dtls13.hex"),
        ),
    ] {
        let (mut hellos, mut protected) = ([Vec::new(), Vec::new()], 0);
        for line in text.lines() {
            let (from, hex) = line.split_once(' ').unwrap();
            let mut datagram = unhex(hex);
            let mut rest = &mut datagram[..];
            while !rest.is_empty() {
                let (raw, tail) = record::split(rest).unwrap();
                let bytes = raw.to_vec();
                rest = tail;
                if bytes[0] == record::HANDSHAKE {
                    hellos[usize::from(from == "s")].push(bytes[record::HEADER_LEN..].to_vec());
                } else {
                    // Wide numbers and a length, in epoch 2 or 3.
                    assert!([0x2E, 0x2F].contains(&bytes[0]), "{name} {:#x}", bytes[0]);
                    protected += 1;
                }
            }
        }
        assert!(protected > 10, "{name}");
        for (kind, records) in [Kind::ClientHello, Kind::ServerHello]
            .into_iter()
            .zip(&hellos)
        {
            let body = whole(records);
            let message = Message::parse(kind, &body).unwrap();
            let mut again = Vec::new();
            message.write(&mut again);
            assert_eq!(again, body, "{name} {kind:?}");
            let (versions, group) = match &message {
                Message::ClientHello(hello) => {
                    let shares = hello.extensions.client_shares().unwrap().unwrap();
                    (
                        hello.extensions.supported_versions().unwrap().unwrap(),
                        shares[0].group,
                    )
                }
                Message::ServerHello(hello) => {
                    let share = hello.extensions.server_share().unwrap().unwrap();
                    (
                        vec![hello.extensions.selected_version().unwrap().unwrap()],
                        share.group,
                    )
                }
                other => panic!("{other:?}"),
            };
            assert!(
                versions.contains(&Version::Dtls13.id()),
                "{name} {versions:x?}"
            );
            assert_eq!(Group::from_id(group), Some(Group::X25519MlKem768), "{name}");
        }
    }
}

/// The message whose fragments these records hold.
fn whole(records: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        let (fragment, rest) = Fragment::parse(record).unwrap();
        assert!(rest.is_empty());
        body.resize(fragment.length, 0);
        let end = fragment.offset + fragment.body.len();
        body[fragment.offset..end].copy_from_slice(fragment.body);
    }
    body
}
