use std::ops::Range;

/// A set of bytes of one message, in ranges that are ascending and apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<Range<usize>>);

impl Ranges {
    /// Adds a range, whatever of it is there already. An empty one adds nothing.
    pub(crate) fn insert(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let apart = |it: &Range<usize>| it.end < range.start || it.start > range.end;
        let touched = self.0.iter().filter(|it| !apart(it));
        let (start, end) = touched.fold((range.start, range.end), |(start, end), it| {
            (start.min(it.start), end.max(it.end))
        });
        self.0.retain(apart);
        self.0.push(start..end);
        self.0.sort_unstable_by_key(|it| it.start);
    }

    /// What is missing of the first `len` bytes.
    pub(crate) fn missing(&self, len: usize) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.0.iter().map(|it| it.end));
        let ends = self.0.iter().map(|it| it.start).chain(std::iter::once(len));
        let gaps = starts
            .zip(ends)
            .map(move |(start, end)| start..end.min(len));
        gaps.filter(|gap| !gap.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_agree_with_a_list_of_bytes() {
        let mut state = 3_u64;
        for _ in 0..300 {
            let (mut ranges, mut bytes) = (Ranges::default(), [false; 40]);
            for _ in 0..12 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let start = (state >> 40) as usize % 40;
                let end = (start + (state >> 50) as usize % 9).min(40);
                ranges.insert(start..end);
                bytes[start..end].fill(true);
                let missing: Vec<usize> = ranges.missing(40).flatten().collect();
                let expected = (0..40).filter(|at| !bytes[*at]);
                assert_eq!(missing, expected.collect::<Vec<_>>());
                assert!(ranges.0.windows(2).all(|pair| pair[0].end < pair[1].start));
            }
        }
    }
}
