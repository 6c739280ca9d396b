//! What a timer or a probe takes for lost.

use std::time::Instant;

use super::{Fate, Outstanding, PacketNo, Queue, Run};
use crate::{effort, serial::Seq, tx::flown::Kind};

impl Outstanding {
    /// Takes the chunks that `oldest_packet` showed as lost; how many the path is to blame for. A chunk whose message may not go on is given
    /// up, as far as there is work `left`: see `go_on_leaving`.
    pub(crate) fn lose_oldest(
        &mut self,
        blame: bool,
        now: Instant,
        queue: &mut Queue,
        abandoned: &mut u64,
        left: &mut usize,
    ) -> u32 {
        let Some(run) = self.packets.first_run() else {
            return 0;
        };
        self.packets.drop_first_run();
        let kind = self.packets.get(run.packet).map(|record| record.kind);
        let blame = blame && kind != Some(Kind::Window);
        let mut count = 0;
        for seq in run.seqs() {
            if self.is_live(run.packet, seq) {
                count += u32::from(blame);
                *left = left.saturating_sub(effort::LOST);
                self.lose(seq, blame);
                self.limit(seq, now, queue, abandoned, left);
            }
        }
        count
    }

    /// Takes what is in flight of the newest packet as lost, to be sent again as far as its limits allow; nobody is to
    /// blame for that. False if nothing of it may go again.
    pub(crate) fn lose_newest(&mut self, now: Instant) -> bool {
        let Some((packet, runs)) = self.packets.newest() else {
            return false;
        };
        let runs = Vec::from_iter(runs);
        self.lose_to_ask(now, packet, &runs)
    }

    /// The same of what left first, where nothing is put aside.
    pub(crate) fn lose_first(&mut self, now: Instant, left: &mut usize) -> bool {
        let Some((packet, _)) = self.oldest_packet(left) else {
            return false;
        };
        let run = self.packets.first_run();
        self.lose_to_ask(now, packet, run.as_slice())
    }

    fn lose_to_ask(&mut self, now: Instant, packet: PacketNo, runs: &[Run]) -> bool {
        self.asked = self.packets.get(packet).map(|record| (packet, record.at));
        let seqs = runs.iter().flat_map(|run| run.seqs());
        let mut any = false;
        for seq in seqs {
            if self.is_live(packet, seq) && self.may_go_again(now, seq) {
                any = true;
                self.lose(seq, false);
            }
        }
        any
    }

    /// Whether anything of the chunks that `oldest_packet` showed may be sent again.
    pub(crate) fn may_first_go_again(&self, now: Instant) -> bool {
        let run = self.packets.first_run();
        run.is_some_and(|run| {
            run.seqs()
                .any(|seq| self.is_live(run.packet, seq) && self.may_go_again(now, seq))
        })
    }

    /// Whether the first chunk is in flight and its message was given up.
    pub(crate) fn is_first_over(&self) -> bool {
        let first = self.chunks.front();
        first.is_some_and(|it| it.fate == Fate::InFlight && self.is_given_up(it))
    }

    /// Whether the limit of the chunk's message allows it.
    fn may_go_again(&self, now: Instant, seq: Seq) -> bool {
        let chunk = self.get(seq);
        chunk.is_some_and(|chunk| {
            let limit = self.limit_of(chunk);
            let may = limit.is_some_and(|limit| !limit.is_reached(chunk.tries, now));
            may && !self.is_given_up(chunk)
        })
    }

    /// Whether all that is in flight is what probes a closed window.
    pub(crate) fn is_only_window_probe(&self) -> bool {
        let oldest = self.packets.get(self.packets.oldest());
        let window = oldest.is_some_and(|it| it.kind == Kind::Window && it.live > 0);
        window && self.packets.is_single()
    }

    /// Takes everything in flight as lost, as far as there is work `left`; nobody is to blame for that.
    pub(crate) fn lose_all(
        &mut self,
        now: Instant,
        queue: &mut Queue,
        abandoned: &mut u64,
        left: &mut usize,
    ) {
        if !self.packets.take_back(None, left) {
            return;
        }
        while let Some((packet, _)) = self.oldest_packet(left) {
            let Some(run) = self.packets.first_run() else {
                return;
            };
            self.packets.drop_first_run();
            for seq in run.seqs() {
                if self.is_live(packet, seq) {
                    *left = left.saturating_sub(effort::LOST);
                    self.lose(seq, false);
                    self.limit(seq, now, queue, abandoned, left);
                }
            }
        }
        self.packets.forget_done(left);
    }

    pub(super) fn lose(&mut self, seq: Seq, blame: bool) {
        let Some(chunk) = self.get_mut(seq) else {
            return;
        };
        debug_assert_eq!(chunk.fate, Fate::InFlight);
        chunk.fate = Fate::Lost;
        chunk.blamed = blame;
        let (length, packet) = (chunk.payload.len(), chunk.packet);
        let aside = std::mem::take(&mut chunk.aside);
        self.flight.remove(length, self.size(length), aside);
        self.packets.done(packet);
        self.lost.insert(seq);
    }
}
