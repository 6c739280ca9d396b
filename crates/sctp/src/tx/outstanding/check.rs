//! What always holds of what is under way.

use std::collections::BTreeMap;

use super::{Fate, Flight, Of, Outstanding};
use crate::{StreamId, packet::Data, serial::Seq};

impl Outstanding {
    /// What the queue still counts: stream, length, and whether a message ends.
    pub(crate) fn unreleased(&self) -> impl Iterator<Item = (StreamId, usize, bool)> + '_ {
        let chunks = self.chunks.iter().filter(|chunk| !chunk.released);
        chunks.filter_map(|chunk| {
            let end = chunk.flags & Data::END != 0;
            Some((self.stream(chunk.of)?, chunk.payload.len(), end))
        })
    }

    /// Compares every account with what it counts.
    ///
    /// # Panics
    /// When one is wrong.
    pub(crate) fn check(&self) {
        let mut flight = Flight::default();
        let (mut live, mut lost, mut acknowledged, mut beyond) = (0, 0, 0, 0);
        let mut missing = BTreeMap::new();
        for (seq, chunk) in (self.base.0..).map(Seq).zip(self.chunks.iter()) {
            match chunk.fate {
                Fate::InFlight => {
                    let size = self.size(chunk.payload.len());
                    flight.add(chunk.payload.len(), size);
                    flight.aside.add(if chunk.aside { size } else { 0 });
                    live += 1;
                    let record = self.packets.get(chunk.packet);
                    assert!(
                        record.is_some_and(|record| record.live > 0),
                        "a live packet has a record"
                    );
                }
                Fate::Lost => {
                    lost += 1;
                    assert!(self.lost.contains(&seq), "what is lost is in the set");
                }
                Fate::Acknowledged => {
                    acknowledged += 1;
                    beyond += Self::kept(chunk.payload.len());
                    let range = self.gaps.range(..=seq).next_back();
                    assert!(
                        range.is_some_and(|(_, last)| *last >= seq),
                        "what has come is in a range"
                    );
                }
                Fate::Abandoned => assert!(chunk.released, "what is given up is in no account"),
            }
            assert!(self.stream(chunk.of).is_some());
            if let Of::Message { key, .. } = chunk.of {
                *missing.entry(key).or_insert(0) += u32::from(chunk.fate != Fate::Acknowledged);
            }
            assert!(!chunk.aside || chunk.fate == Fate::InFlight);
        }
        for (key, missing) in missing {
            let message = self.messages.get(key as usize);
            assert_eq!(message.map(|it| it.missing), Some(missing), "of a message");
        }
        assert_eq!(self.flight, flight, "what is in flight");
        assert_eq!(self.packets.live_chunks(), live, "chunks of packets");
        assert_eq!(self.lost.len(), lost, "what is lost");
        let mut covered = 0;
        let mut previous: Option<Seq> = None;
        for (first, last) in &self.gaps {
            assert!(
                first <= last && previous.is_none_or(|it| it.next() < *first),
                "ranges never touch"
            );
            covered += last.since(*first) + 1;
            previous = Some(*last);
        }
        assert_eq!(covered, acknowledged, "ranges");
        assert_eq!(self.beyond.total(), beyond, "what is kept");
    }
}
