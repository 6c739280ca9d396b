//! Descriptions changed at random and verbs in any order: errors, never a panic; an error changes
//! nothing.

use std::time::{Duration, Instant};

use oxirtc_jsep::{
    CandidateInit, Description, Error, MediaKind, Origin, SdpType, SignalingState, TransceiverInit,
    sdp::Direction,
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::support::{Peer, equipped, offer_of, recorded, visible};

const KINDS: [SdpType; 4] = [
    SdpType::Offer,
    SdpType::Pranswer,
    SdpType::Answer,
    SdpType::Rollback,
];

const DIRECTIONS: [Direction; 4] = [
    Direction::SendRecv,
    Direction::SendOnly,
    Direction::RecvOnly,
    Direction::Inactive,
];

/// Whole lines moved, doubled, dropped, or a byte changed.
fn mutate(text: &str, edits: &[(Index, Index, u8)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (at, to, kind) in edits {
        if lines.len() < 2 {
            break;
        }
        let (at, to) = (at.index(lines.len()), to.index(lines.len()));
        match kind % 4 {
            0 => drop(lines.remove(at)),
            1 => lines.swap(at, to),
            2 => lines.insert(to, lines[at].clone()),
            _ => {
                let mut bytes = lines[at].clone().into_bytes();
                let place = to % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = b"0 9:a=/xX"[usize::from(*kind) % 9];
                }
                lines[at] = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
    }
    lines.join("\r\n") + "\r\n"
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(300))]

    /// A mutated offer is refused with nothing changed, or answered with a description that follows
    /// the grammar.
    #[test]
    fn mutated_offers(file: Index, edits in vec((any::<Index>(), any::<Index>(), any::<u8>()), 1..6)) {
        let files = recorded("offer");
        let (_, offer) = &files[file.index(files.len())];
        let offer = mutate(offer, &edits);
        // with media, and without
        let mut peer = if offer.len().is_multiple_of(2) {
            Peer::with('b', equipped)
        } else {
            Peer::new('b')
        };
        peer.negotiator.add_data_channel();
        let before = visible(&peer);
        match peer.negotiator.set_remote(offer_of(offer)) {
            Err(_) => prop_assert_eq!(visible(&peer), before),
            Ok(_) => {
                peer.local(None);
                let answer = peer.negotiator.local_description().expect("an answer").sdp;
                oxirtc_jsep::sdp::Session::parse(&answer).expect("a description");
                peer.offer();
            }
        }
    }

    /// Any verbs in any order with descriptions of each other.
    #[test]
    fn any_order(steps in vec((any::<u8>(), any::<Index>(), any::<Index>(), any::<u8>()), 1..60)) {
        let mut peers = [Peer::with('a', equipped), Peer::with('b', equipped)];
        peers[0].negotiator.add_data_channel();
        let mut texts = vec![String::new()];
        for (verb, text, other, noise) in steps {
            let peer = &mut peers[usize::from(verb) % 2];
            let sdp = texts[text.index(texts.len())].clone();
            let sdp = if noise < 20 { mutate(&sdp, &[(other, text, noise)]) } else { sdp };
            let kind = KINDS[other.index(4)];
            let before = visible(peer);
            let mut gave_way = false;
            let made = match verb / 2 % 12 {
                0 => peer.try_offer(noise % 2 == 0),
                1 => peer.try_answer(),
                2 | 3 => {
                    let result = peer.try_local((noise % 3 > 0).then(|| Description::new(kind, sdp)));
                    // an implicit description is made, whatever becomes of it
                    result.map(|_| peer.negotiator.local_description().unwrap_or(Description::rollback()))
                }
                4 | 5 => {
                    gave_way = !peer.negotiator.give_way(kind).is_empty();
                    let result = peer.negotiator.set_remote(Description::new(kind, sdp));
                    result.map(|_| Description::rollback())
                }
                6 => {
                    peer.negotiator.restart_ice();
                    continue;
                }
                7 => {
                    peer.negotiator.add_data_channel();
                    continue;
                }
                8 | 9 => {
                    let kind = if noise % 2 == 0 { MediaKind::Audio } else { MediaKind::Video };
                    let origin = if noise % 3 == 0 { Origin::Init } else { Origin::Track };
                    let rids = ["q", "h", "f", "x"].into_iter().take(usize::from(noise % 5));
                    let init = TransceiverInit {
                        direction: DIRECTIONS[usize::from(noise) % 4],
                        rids: rids.map(str::to_owned).collect(),
                        ..TransceiverInit::default()
                    };
                    peer.negotiator.add_transceiver(kind, origin, init).expect("it is open");
                    continue;
                }
                10 => {
                    let ids: Vec<_> = peer.negotiator.transceivers().map(|it| it.id()).collect();
                    let Some(id) = ids.get(other.index(ids.len().max(1))) else { continue };
                    let direction = DIRECTIONS[usize::from(noise) % 4];
                    let done = match noise % 4 {
                        0 => peer.negotiator.stop(*id).map(drop),
                        1 => peer.negotiator.attach_track(*id, vec!["s".to_owned()]),
                        _ => peer.negotiator.set_direction(*id, direction).map(drop),
                    };
                    assert!(matches!(done, Ok(()) | Err(Error::InvalidState(_))));
                    continue;
                }
                _ => {
                    let init = CandidateInit {
                        candidate: "candidate:1 1 udp 1 192.0.2.1 1 typ host",
                        sdp_mline_index: Some(u16::from(noise % 3)),
                        ..CandidateInit::default()
                    };
                    peer.negotiator.add_ice_candidate(init).map(|_| Description::rollback())
                }
            };
            match made {
                Ok(made) if !made.sdp.is_empty() => texts.push(made.sdp),
                Ok(_) => {}
                Err(_) if gave_way => prop_assert_eq!(peer.state(), SignalingState::Stable),
                Err(_) => prop_assert_eq!(visible(peer), before),
            }
        }
    }
}

/// Thousands of sections in large descriptions cost time in proportion: well below a second each, where every
/// section reading every line would take minutes. The bound allows for a machine that has other work.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test of time")]
fn cost() {
    let data = Peer::with_channel('a').offer().sdp;
    let mids: Vec<_> = (1..1000).map(|mid| mid.to_string()).collect();
    let head = data.replace("BUNDLE 0", &format!("BUNDLE 0 {}", mids.join(" ")));
    let bundled: String = mids
        .iter()
        .map(|mid| format!("m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\na=bundle-only\r\n"))
        .collect();
    let filler = "a=x-filler:with something in it that takes a while to read\r\n".repeat(15_000);
    for text in [
        format!("{head}a=rtcp-mux\r\n{filler}{bundled}"),
        format!("{head}a=rtcp-mux\r\n{bundled}")
            .replace("t=0 0\r\n", &format!("t=0 0\r\n{filler}")),
        format!("{data}{}", "m=x 0 y z\r\n".repeat(4000)),
    ] {
        let before = Instant::now();
        let mut peer = Peer::new('b');
        peer.remote(offer_of(text));
        peer.local(None);
        assert!(
            before.elapsed() < Duration::from_secs(60),
            "{:?}",
            before.elapsed()
        );
    }
}
