//! Sets of streams.

use crate::{StreamId, packet::stream_list};

/// What a request of RFC 6525 is about: all streams, or some of them in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamSet {
    /// All there are, and those that are added later.
    All,
    /// These, sorted, each once.
    Some(Box<[StreamId]>),
}

/// A set of stream numbers in at most 8 KiB, allocated with its first member.
#[derive(Debug, Default)]
pub(crate) struct StreamBits {
    words: Vec<u64>,
    len: usize,
    /// No word before this one has a member.
    first: usize,
}

impl StreamSet {
    /// Whether any of these is in it.
    pub(crate) fn has_any(&self, streams: &[StreamId]) -> bool {
        match self {
            Self::All => !streams.is_empty(),
            Self::Some(all) => streams.iter().any(|it| all.binary_search(it).is_ok()),
        }
    }

    /// The list of a request; an empty one means all (RFC 6525 §4.1).
    pub(crate) fn parse(list: &[u8]) -> Self {
        if list.is_empty() {
            return Self::All;
        }
        let mut streams = Vec::from_iter(stream_list(list));
        if streams.len() < MANY {
            streams.sort_unstable();
            streams.dedup();
        } else {
            put_in_order(&mut streams);
        }
        Self::Some(streams.into_boxed_slice())
    }

    pub(crate) fn contains(&self, stream: StreamId) -> bool {
        match self {
            Self::All => true,
            Self::Some(streams) => streams.binary_search(&stream).is_ok(),
        }
    }

    /// The highest stream that is named.
    pub(crate) fn highest(&self) -> Option<StreamId> {
        match self {
            Self::All => None,
            Self::Some(streams) => streams.last().copied(),
        }
    }
}

/// Sorts streams, each once, in a time that does not depend on their order.
fn put_in_order(streams: &mut Vec<StreamId>) {
    let (mut words, mut used) = ([0u64; 1024], [0u64; 16]);
    for stream in streams.drain(..) {
        let word = usize::from(stream / 64);
        if let (Some(bits), Some(group)) = (words.get_mut(word), used.get_mut(word / 64)) {
            *bits |= 1 << (stream % 64);
            *group |= 1 << (word % 64);
        }
    }
    for (group, bits) in (0u16..).zip(used) {
        for word in ones(bits).map(|bit| 64 * group + bit) {
            let bits = words.get(usize::from(word)).copied().unwrap_or_default();
            streams.extend(ones(bits).map(|bit| 64 * word + bit));
        }
    }
}

/// The places of the bits that are set.
fn ones(mut bits: u64) -> impl Iterator<Item = u16> {
    std::iter::from_fn(move || {
        let place = (bits != 0).then(|| bits.trailing_zeros() as u16)?;
        bits &= bits - 1;
        Some(place)
    })
}

impl StreamBits {
    pub(crate) fn insert(&mut self, stream: StreamId) {
        let (word, bit) = (usize::from(stream / 64), 1u64 << (stream % 64));
        if self.words.len() <= word {
            self.words.reserve_exact(word + 1 - self.words.len());
            self.words.resize(word + 1, 0);
        }
        if let Some(slot) = self.words.get_mut(word)
            && *slot & bit == 0
        {
            *slot |= bit;
            self.len += 1;
            self.first = self.first.min(word);
        }
    }

    #[inline]
    pub(crate) fn contains(&self, stream: StreamId) -> bool {
        let word = self.words.get(usize::from(stream / 64));
        word.is_some_and(|word| word >> (stream % 64) & 1 != 0)
    }

    pub(crate) fn remove(&mut self, stream: StreamId) {
        let bit = 1u64 << (stream % 64);
        if let Some(word) = self.words.get_mut(usize::from(stream / 64))
            && *word & bit != 0
        {
            *word &= !bit;
            self.len -= 1;
        }
        if self.len == 0 {
            *self = Self::default();
        }
    }

    pub(crate) fn pop(&mut self) -> Option<StreamId> {
        if self.len == 0 {
            return None;
        }
        let rest = self.words.get(self.first..)?;
        let index = self.first + rest.iter().position(|word| *word != 0)?;
        let word = self.words.get_mut(index)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        self.len -= 1;
        self.first = index;
        if self.len == 0 {
            *self = Self::default();
        }
        StreamId::try_from(index * 64 + bit as usize).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// So many streams are not sorted by comparing them.
const MANY: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_in_order_however_long_it_is() {
        for length in [MANY - 1, MANY, 8000] {
            let numbers =
                (0..length as u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 16) as u16);
            let streams = Vec::from_iter(numbers.chain([7, 65_535, 7, 0, 64]));
            let list = Vec::from_iter(streams.iter().flat_map(|it| it.to_be_bytes()));
            let sorted = Vec::from_iter(std::collections::BTreeSet::from_iter(streams));
            assert_eq!(StreamSet::parse(&list), StreamSet::Some(sorted.into()));
        }
    }

    #[test]
    fn a_set_of_bits_gives_each_member_once() {
        let mut set = StreamBits::default();
        for stream in [7, 65534, 7, 64, 0] {
            set.insert(stream);
        }
        set.insert(9);
        assert!(set.contains(9) && set.contains(0) && !set.contains(1) && !set.contains(65_535));
        (0..2).for_each(|_| set.remove(9));
        assert!(!set.contains(9));
        assert_eq!(set.pop(), Some(0));
        set.insert(3);
        let members = Vec::from_iter(std::iter::from_fn(|| set.pop()));
        assert_eq!(members, [3, 7, 64, 65534]);
        assert!(set.words.is_empty());
    }

    #[test]
    fn an_empty_list_means_all() {
        assert_eq!(StreamSet::parse(&[]), StreamSet::All);
        let some = StreamSet::parse(&[0, 9, 0, 3, 0, 9]);
        assert_eq!(some, StreamSet::Some(Box::new([3, 9])));
        assert!(some.contains(3) && !some.contains(4) && StreamSet::All.contains(4));
        assert_eq!(some.highest(), Some(9));
    }
}
