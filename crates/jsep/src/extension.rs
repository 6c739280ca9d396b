//! Header extensions: which are agreed on, and under which numbers (RFC 8285).

use oxirtc_sdp::{Direction, ExtMap};

/// A header extension that one end knows, and in which direction it is used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extension {
    /// Which one it is.
    pub uri: String,
    /// As its owner sees it.
    pub direction: Direction,
    /// It goes encrypted (RFC 6904): the URI is that of the extension inside.
    pub encrypted: bool,
}

/// A header extension of a section with its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NumberedExtension {
    /// 1 to 14 in the one-byte form, up to 255 in the two-byte form; not 15.
    pub id: u8,
    /// What it means.
    pub extension: Extension,
}

/// The numbers of the header extensions of one bundle group.
///
/// A number that was given to an extension is its own as long as the connection lives (RFC 9143 §9.2).
#[derive(Clone, Debug, Default)]
pub struct ExtensionIds {
    given: Vec<(u8, String, bool)>,
}

impl Extension {
    /// One that is used both ways, in the open.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            direction: Direction::SendRecv,
            encrypted: false,
        }
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.uri == other.uri && self.encrypted == other.encrypted
    }

    /// Whether packets are told apart by it: of which section they are, and of which layer.
    pub(crate) fn names_packets(&self) -> bool {
        NAMES.contains(&self.uri.as_str())
    }
}

impl NumberedExtension {
    /// What the lines of an offer say. A number that cannot be one of a packet is left out: 15 ends a
    /// packet's extensions, and above 4095 they are proposals (RFC 8285 §6), of which there are none here;
    /// so is what comes twice.
    pub fn read<'a>(lines: impl Iterator<Item = ExtMap<'a>>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for line in lines.take(MAX_LINES) {
            let Ok(id @ (1..=14 | 16..=255)) = u8::try_from(line.id) else {
                continue;
            };
            let encrypted = line.uri == ENCRYPTED;
            let inner = line
                .parameters
                .and_then(|it| it.split_ascii_whitespace().next());
            let Some(uri) = (if encrypted { inner } else { Some(line.uri) }) else {
                continue;
            };
            let extension = Extension {
                uri: uri.to_owned(),
                direction: line.direction.unwrap_or(Direction::SendRecv),
                encrypted,
            };
            if all
                .iter()
                .all(|it| it.id != id && !it.extension.is(&extension))
            {
                all.push(Self { id, extension });
            }
        }
        all
    }

    /// What an answer takes of an offer (RFC 8285 §6): the extensions that are ours as well, under the
    /// numbers of the offer, in the directions that both take. Numbers of the two-byte form are taken where
    /// both forms may be mixed.
    pub fn answer(offered: &[Self], ours: &[Extension], mixed: bool) -> Vec<Self> {
        let take = |offer: &Self| {
            let own = ours.iter().find(|it| it.is(&offer.extension))?;
            let direction = own.direction.and(offer.extension.direction.reversed());
            let used = direction != Direction::Inactive && (mixed || offer.id <= 14);
            used.then(|| Self {
                id: offer.id,
                extension: Extension {
                    direction,
                    ..own.clone()
                },
            })
        };
        let taken: Vec<_> = offered.iter().filter_map(take).collect();
        // RFC 6904 §4.1: of one that is offered in both forms the encrypted one alone.
        let both = |it: &Self| {
            let hidden = |other: &&Self| other.extension.encrypted;
            let mut hidden = taken.iter().filter(hidden);
            !it.extension.encrypted && hidden.any(|other| other.extension.uri == it.extension.uri)
        };
        taken.iter().filter(|it| !both(it)).cloned().collect()
    }

    /// The line that says it.
    pub fn line(&self) -> ExtMap<'_> {
        let Extension {
            uri,
            direction,
            encrypted,
        } = &self.extension;
        let both = *direction == Direction::SendRecv;
        ExtMap {
            id: self.id.into(),
            direction: (!both).then_some(*direction),
            uri: if *encrypted { ENCRYPTED } else { uri },
            parameters: encrypted.then_some(uri),
        }
    }
}

impl ExtensionIds {
    /// Notes the numbers of a description. A number that has a meaning keeps it, and so does an extension
    /// that has a number.
    pub fn learn(&mut self, extensions: &[NumberedExtension]) {
        for NumberedExtension { id, extension } in extensions {
            let known = |(given, uri, encrypted): &(u8, String, bool)| {
                given == id || (*uri == extension.uri && *encrypted == extension.encrypted)
            };
            if !self.given.iter().any(known) {
                self.given
                    .push((*id, extension.uri.clone(), extension.encrypted));
            }
        }
    }

    /// Notes the numbers of a description of the peer. What has another meaning there was proposed by us alone: a number that both have
    /// agreed on keeps its meaning (RFC 8285 §6). It is given up, as the peer takes the number for its own.
    pub fn adopt(&mut self, extensions: &[NumberedExtension]) {
        for NumberedExtension { id, extension } in extensions {
            self.given.retain(|(given, uri, encrypted)| {
                let same = *uri == extension.uri && *encrypted == extension.encrypted;
                given != id && !same
            });
            let Extension { uri, encrypted, .. } = extension;
            self.given.push((*id, uri.clone(), *encrypted));
        }
    }

    /// The number of an extension: the one that it has, else a free one; of the two-byte form where the
    /// forms may be `mixed` and the other is full. `None` when all are taken.
    pub fn number(&mut self, extension: &Extension, mixed: bool) -> Option<u8> {
        let own = |(_, uri, encrypted): &&(u8, String, bool)| {
            *uri == extension.uri && *encrypted == extension.encrypted
        };
        if let Some((id, ..)) = self.given.iter().find(own) {
            return Some(*id).filter(|id| mixed || *id <= 14);
        }
        let free = |id: &u8| self.given.iter().all(|(given, ..)| given != id);
        let long = (16..=255).filter(|_| mixed);
        let id = (1..=14).chain(long).find(free)?;
        self.given
            .push((id, extension.uri.clone(), extension.encrypted));
        Some(id)
    }
}

/// RFC 9143 §15, RFC 8852
const NAMES: [&str; 3] = [
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
];
/// RFC 6904 §4
const ENCRYPTED: &str = "urn:ietf:params:rtp-hdrext:encrypt";
/// There are not more numbers than this.
const MAX_LINES: usize = 512;

#[cfg(test)]
mod tests {
    use oxirtc_sdp::Attribute;

    use super::*;

    const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

    fn read(lines: &[&str]) -> Vec<NumberedExtension> {
        let parsed = lines.iter().map(|line| match Attribute::parse(line) {
            Ok(Attribute::ExtMap(it)) => it,
            other => panic!("{line}: {other:?}"),
        });
        NumberedExtension::read(parsed)
    }

    fn shown(list: &[NumberedExtension]) -> Vec<String> {
        let line = |it: &NumberedExtension| Attribute::ExtMap(it.line()).to_string();
        list.iter().map(line).collect()
    }

    /// What cannot be a number, and what comes twice, is left out; the rest prints back.
    #[test]
    fn lines() {
        let good = [
            "extmap:1 urn:a",
            "extmap:14/recvonly urn:b",
            "extmap:16 urn:ietf:params:rtp-hdrext:encrypt urn:a",
            "extmap:255/sendonly urn:c",
        ];
        assert_eq!(shown(&read(&good)), good);
        let odd = read(&[
            "extmap:15 urn:a",
            "extmap:4096 urn:b",
            "extmap:2 urn:ietf:params:rtp-hdrext:encrypt",
            "extmap:3 urn:c",
            "extmap:3 urn:d",
            "extmap:4 urn:c",
        ]);
        assert_eq!(shown(&odd), ["extmap:3 urn:c"]);
    }

    /// The offer's numbers, in directions that both take; long numbers where the forms may be mixed.
    #[test]
    fn answers() {
        let offered = read(&[
            "extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
            "extmap:2/sendonly urn:level",
            "extmap:3/recvonly urn:delay",
            "extmap:20 urn:long",
            "extmap:5 urn:unknown",
            "extmap:6 urn:ietf:params:rtp-hdrext:encrypt urn:secret",
            "extmap:7/inactive urn:off",
        ]);
        let only = |uri: &str, direction| Extension {
            direction,
            ..Extension::new(uri)
        };
        let ours = [
            Extension::new("urn:long"),
            Extension::new("urn:off"),
            only("urn:delay", Direction::RecvOnly),
            Extension::new("urn:level"),
            Extension::new(MID),
            Extension::new("urn:secret"),
        ];
        let taken = NumberedExtension::answer(&offered, &ours, true);
        let wanted = [
            format!("extmap:4 {MID}"),
            "extmap:2/recvonly urn:level".into(),
            "extmap:20 urn:long".into(),
        ];
        assert_eq!(shown(&taken), wanted, "what is encrypted is another one");
        let plain = NumberedExtension::answer(&offered, &ours, false);
        assert_eq!(shown(&plain), wanted[..2]);
    }

    /// What the peer says counts more than what was proposed to it.
    #[test]
    fn numbers_that_the_peer_gives() {
        let mut ids = ExtensionIds::default();
        let number = |ids: &mut ExtensionIds, uri: &str| ids.number(&Extension::new(uri), false);
        assert_eq!(number(&mut ids, "urn:a"), Some(1));
        assert_eq!(number(&mut ids, "urn:b"), Some(2));
        ids.adopt(&read(&["extmap:1 urn:c", "extmap:7 urn:b"]));
        assert_eq!(number(&mut ids, "urn:c"), Some(1));
        assert_eq!(number(&mut ids, "urn:b"), Some(7));
        assert_eq!(number(&mut ids, "urn:a"), Some(2), "another one");
    }

    /// Numbers stay, short ones come first, 15 is none, and there is an end.
    #[test]
    fn numbers() {
        let mut ids = ExtensionIds::default();
        ids.learn(&read(&["extmap:3 urn:a", "extmap:200 urn:b"]));
        ids.learn(&read(&["extmap:3 urn:c", "extmap:9 urn:a"]));
        let number =
            |ids: &mut ExtensionIds, uri: &str, mixed| ids.number(&Extension::new(uri), mixed);
        assert_eq!(number(&mut ids, "urn:a", false), Some(3));
        assert_eq!(
            number(&mut ids, "urn:b", false),
            None,
            "a long one needs the long form"
        );
        assert_eq!(number(&mut ids, "urn:b", true), Some(200));
        let next: Vec<_> = (0..13)
            .filter_map(|n| number(&mut ids, &format!("urn:{n}"), false))
            .collect();
        assert_eq!(next, [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(number(&mut ids, "urn:more", false), None);
        assert_eq!(number(&mut ids, "urn:more", true), Some(16));
        let encrypted = Extension {
            encrypted: true,
            ..Extension::new("urn:a")
        };
        assert_eq!(ids.number(&encrypted, true), Some(17));
        let rest = (0..300)
            .filter_map(|n| number(&mut ids, &format!("urn:x{n}"), true))
            .count();
        assert_eq!(rest, 255 - 1 - 14 - 2 - 1);
    }
}
