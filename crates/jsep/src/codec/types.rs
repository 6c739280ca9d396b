//! Payload types: which are fixed, and which a codec is given.

use super::{Codec, Levels, fixed};

/// The payload types of one bundle group.
///
/// A number that was given to a codec is that codec's as long as the connection lives (RFC 9143 §9.1), also
/// where the peer gave it.
#[derive(Clone, Debug, Default)]
pub struct PayloadTypes {
    given: Vec<(u8, Codec)>,
}

impl PayloadTypes {
    /// Notes what a description says of a payload type. A number that has a meaning keeps it.
    pub fn learn(&mut self, payload: u8, codec: &Codec) {
        if self.meaning(payload).is_none() {
            self.given.push((payload, codec.clone()));
        }
    }

    /// Notes what a description of the peer says of a payload type. Another meaning was proposed by us alone, and is given up.
    pub fn adopt(&mut self, payload: u8, codec: &Codec) {
        let same = |it: &Codec| {
            let exact = it.parameters == codec.parameters || !it.is_auxiliary();
            it.is_answer_to(codec) && exact
        };
        self.given
            .retain(|(it, known)| *it != payload || same(known));
        self.learn(payload, codec);
    }

    /// What a payload type means.
    pub fn meaning(&self, payload: u8) -> Option<&Codec> {
        let mut given = self.given.iter();
        given.find(|(it, _)| *it == payload).map(|(_, codec)| codec)
    }

    /// The payload type of a codec that is not among those `used`: the one that it has, its fixed one, or a
    /// free one. `None` when all are taken.
    pub fn number(&mut self, codec: &Codec, used: &[u8]) -> Option<u8> {
        let exact =
            |it: &Codec| it.is_same(codec, Levels::Compared) && it.parameters == codec.parameters;
        // of a peer that describes itself in other words
        let same = |it: &Codec| !codec.is_auxiliary() && it.is_answer_to(codec);
        let known = |is: &dyn Fn(&Codec) -> bool| {
            let mut given = self.given.iter();
            let found = given.find(|(payload, it)| is(it) && !used.contains(payload));
            found.map(|(payload, _)| *payload)
        };
        if let Some(payload) = known(&exact).or_else(|| known(&same)) {
            return Some(payload);
        }
        let free = |payload: &u8| self.meaning(*payload).is_none();
        let own = fixed::payloads()
            .filter(|it| is_fixed_as(*it, codec))
            .find(free);
        let payload = own.or_else(|| DYNAMIC.into_iter().flatten().find(free))?;
        self.given.push((payload, codec.clone()));
        Some(payload)
    }
}

fn is_fixed_as(payload: u8, codec: &Codec) -> bool {
    let means = |(name, rate): (&str, u32)| Codec::new(name, rate).is_answer_to(codec);
    codec.parameters.is_none() && fixed::name(payload).is_some_and(means)
}

/// RFC 3551 §3 has 96 to 127 for all; below that, RFC 5761 §4 keeps 64 to 95 free for RTCP.
const DYNAMIC: [std::ops::RangeInclusive<u8>; 2] = [96..=127, 35..=63];
