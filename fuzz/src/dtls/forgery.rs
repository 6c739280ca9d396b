//! Records that nobody sent.

use arbitrary::Arbitrary;
use oxirtc_dtls::{
    message::{ClientHello, Extensions, Fragment, Kind, ServerHello},
    record::{HANDSHAKE, Header, VERSION},
};

use crate::wire::ROOM;

/// A record that nobody sent.
#[derive(Arbitrary, Debug)]
pub(super) enum Forgery {
    Record {
        content_type: u8,
        epoch: u8,
        sequence: u8,
        body: Vec<u8>,
    },
    /// With the header of 1.3.
    Unified { first: u8, body: Vec<u8> },
    /// A HelloVerifyRequest with this number.
    VerifyRequest(u8, Vec<u8>),
    /// A HelloRetryRequest with this number, for one of the groups or for none, and with a cookie.
    RetryRequest(u8, u8, Vec<u8>),
    /// A ClientHello of somebody else.
    Hello(u8),
    Message {
        kind: u8,
        length: u16,
        sequence: u8,
        offset: u16,
        body: Vec<u8>,
    },
}

impl Forgery {
    /// Whether somebody who sees nothing could make it, and nothing genuine can be taken for it or
    /// completed by it. `live` says that the one who gets it is connected.
    pub(super) fn is_a_strangers(&self, live: bool) -> bool {
        match self {
            Self::Record {
                content_type,
                epoch,
                ..
            } => *content_type != HANDSHAKE || *epoch > 0,
            Self::Unified { .. } | Self::VerifyRequest(..) | Self::RetryRequest(..) => true,
            Self::Hello(_) => live,
            Self::Message { kind, .. } => Kind::ALL.get(usize::from(*kind)).is_none(),
        }
    }

    /// Whether it asks a client for another hello.
    pub(super) fn is_a_request(&self) -> bool {
        matches!(self, Self::VerifyRequest(..) | Self::RetryRequest(..))
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        let (content_type, epoch, sequence, body) = match self {
            Self::Record {
                content_type,
                epoch,
                sequence,
                body,
            } => (content_type, epoch, sequence, body),
            Self::Unified { first, mut body } => {
                body.insert(0, 0x20 | first & 0x1F);
                return body;
            }
            Self::VerifyRequest(number, mut cookie) => {
                cookie.truncate(255);
                let body = [&[0xFE, 0xFF, cookie.len() as u8], &cookie[..]].concat();
                let kind = Kind::HelloVerifyRequest;
                (HANDSHAKE, 0, number, whole(kind, number, &body))
            }
            Self::RetryRequest(number, group, cookie) => {
                let body = retry_request(group, &cookie);
                (
                    HANDSHAKE,
                    0,
                    number,
                    whole(Kind::ServerHello, number, &body),
                )
            }
            Self::Hello(random) => {
                let body = hello(random);
                (HANDSHAKE, 0, 0, whole(Kind::ClientHello, 0, &body))
            }
            Self::Message {
                kind,
                length,
                sequence,
                offset,
                body,
            } => {
                let known = Kind::ALL.get(usize::from(kind));
                let mut fragment = Vec::new();
                Fragment {
                    kind: known.map_or(kind, |kind| kind.id()),
                    length: length.into(),
                    sequence: sequence.into(),
                    offset: offset.into(),
                    body: &body[..body.len().min(ROOM)],
                }
                .write(&mut fragment);
                (HANDSHAKE, 0, sequence, fragment)
            }
        };
        let header = Header {
            content_type,
            version: VERSION,
            epoch: epoch.into(),
            sequence: 1_000 + u64::from(sequence),
            length: body.len(),
        };
        [&header.to_bytes()[..], &body].concat()
    }
}

/// A message in one piece.
fn whole(kind: Kind, number: u8, body: &[u8]) -> Vec<u8> {
    let mut fragment = Vec::new();
    Fragment {
        kind: kind.id(),
        length: body.len(),
        sequence: number.into(),
        offset: 0,
        body,
    }
    .write(&mut fragment);
    fragment
}

fn retry_request(group: u8, cookie: &[u8]) -> Vec<u8> {
    let mut extensions = Extensions::default();
    extensions.push_selected_version(0xFEFC);
    // X25519, P-256, P-384, X25519MLKEM768.
    let groups = [[0, 29], [0, 23], [0, 24], [0x11, 0xEC]];
    if let Some(group) = groups.get(usize::from(group % 8)) {
        extensions.push(51, group.to_vec());
    }
    if !cookie.is_empty() {
        extensions.push_cookie(cookie);
    }
    let mut body = Vec::new();
    ServerHello {
        version: VERSION,
        random: RETRY_RANDOM,
        session_id: &[],
        cipher_suite: 0x1301,
        compression_method: 0,
        extensions,
    }
    .write(&mut body);
    body
}

/// One that a server of 1.2 could answer.
fn hello(random: u8) -> Vec<u8> {
    let mut extensions = Extensions::default();
    extensions.push_numbers(10, &[29, 23, 24]);
    extensions.push_numbers(13, &[0x0403, 0x0804, 0x0401]);
    extensions.push_use_srtp(&[7, 1]);
    let mut body = Vec::new();
    ClientHello {
        version: VERSION,
        random: [random; 32],
        session_id: &[],
        cookie: &[],
        cipher_suites: vec![0xC02B, 0xC02F],
        compression_methods: &[0],
        extensions,
    }
    .write(&mut body);
    body
}

/// SHA-256 of "HelloRetryRequest".
const RETRY_RANDOM: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];
