//! Ids of objects.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Stats, StatsType};

/// Makes the ids of the objects of one connection ([W3C §8.4](https://www.w3.org/TR/webrtc/#rtcstats-dictionary)).
///
/// An id is a keyed hash of what the object is, so it needs no register: the same object has the same id for ever, an object that
/// comes later under another key has another, and who does not know the salt can neither guess one nor tell two connections to be of
/// one application.
#[derive(Clone)]
pub struct Ids {
    mac: Hmac<Sha256>,
}

impl Ids {
    /// `salt` is a secret of the connection.
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub fn new(salt: [u8; 32]) -> Self {
        let mac = Hmac::new_from_slice(&salt).expect("HMAC takes any key");
        Self { mac }
    }

    /// The id of the object of this type that `key` stands for. It begins with letters that tell its type to whoever reads a dump.
    pub fn id(&self, kind: StatsType, key: &[u8]) -> String {
        let prefix = prefix(kind);
        let mut mac = self.mac.clone();
        mac.update(prefix.as_bytes());
        mac.update(&[0]);
        mac.update(key);
        let digest = mac.finalize().into_bytes();
        let mut id = String::with_capacity(prefix.len() + 2 * LENGTH);
        id.push_str(prefix);
        let digits = digest.iter().take(LENGTH);
        let digits = digits.flat_map(|byte| [byte >> 4, byte & 15]);
        id.extend(digits.filter_map(|it| char::from_digit(it.into(), 16)));
        id
    }

    /// What each dictionary begins with: the [`id`](Self::id), and the time in milliseconds since 1970.
    pub fn stats(&self, kind: StatsType, key: &[u8], timestamp: f64) -> Stats {
        let id = self.id(kind, key);
        Stats { id, timestamp }
    }
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ids").finish_non_exhaustive()
    }
}

fn prefix(kind: StatsType) -> &'static str {
    match kind {
        StatsType::Codec => "CO",
        StatsType::InboundRtp => "IR",
        StatsType::OutboundRtp => "OR",
        StatsType::RemoteInboundRtp => "RI",
        StatsType::RemoteOutboundRtp => "RO",
        StatsType::MediaSource => "MS",
        StatsType::MediaPlayout => "MP",
        StatsType::PeerConnection => "PC",
        StatsType::DataChannel => "DC",
        StatsType::Transport => "TR",
        StatsType::CandidatePair => "CP",
        StatsType::LocalCandidate => "LC",
        StatsType::RemoteCandidate => "RC",
        StatsType::Certificate => "CE",
    }
}

/// Bytes of the hash that an id shows: two of a connection are equal once in 2⁶⁴.
const LENGTH: usize = 8;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// [8.4-03]
    #[test]
    fn an_id_stays_with_its_object_and_is_that_of_no_other() {
        let ids = Ids::new([1; 32]);
        let first = ids.id(StatsType::Transport, b"0");
        assert_eq!(first, ids.clone().id(StatsType::Transport, b"0"));
        assert!(first.starts_with("TR") && first.len() == 18);
        let others: BTreeSet<_> = [
            ids.id(StatsType::Transport, b"1"),
            ids.id(StatsType::Certificate, b"0"),
            // The salt of another connection.
            Ids::new([2; 32]).id(StatsType::Transport, b"0"),
            first,
        ]
        .into_iter()
        .map(|id| id[2..].to_owned())
        .collect();
        assert_eq!(others.len(), 4);
    }

    #[test]
    fn the_salt_is_not_printed() {
        let text = format!("{:?}", Ids::new([0xab; 32]));
        assert!(!text.contains("171") && !text.contains("ab"), "{text}");
    }
}
