//! Finding what was lost (RFC 8985, carried over to TSNs) and sending it again at the right pace (RFC 9937).
//!
//! SACKs are noted as they come and judged together, before the next packet is built: so a batch of SACKs, or one SACK
//! for a batch of packets, is one verdict.

use std::time::Instant;

use super::{
    Grant, Sender,
    control::{Acked, Controller, Verdict},
    flown::{Horizon, PacketNo},
    found::{Finding, Found, TimedOut, Unfinished},
    outstanding::Batch,
    recovery::{Ended, prr::Prr},
};
use crate::Stats;

impl Sender {
    /// Draws the conclusions from what was noted since, and from time. Where that is more than one step, it goes on with the
    /// next.
    pub(crate) fn judge(&mut self, now: Instant, stats: &mut Stats) {
        let unfinished = self.expiring || self.returning || self.timed_out.is_some();
        if unfinished || !self.waiting.is_empty() {
            return;
        }
        if let Some(verdict) = self.verdict.take() {
            return self.go_on_judging(now, *verdict, stats);
        }
        let waited =
            self.recovery.reorder.is_some_and(|at| at <= now) || self.recovery.ended.is_some();
        if !waited && self.batch.flight.is_none() {
            return;
        }
        self.measure_packet();
        let batch = std::mem::take(&mut self.batch);
        stats.abandoned_sent += batch.abandoned;
        let flight = batch.flight.unwrap_or(self.outstanding.pipe());
        let next = self.outstanding.packets.next();
        let recovery = &mut self.recovery;
        if let Some(sample) = batch.sample {
            recovery.rtt.packet_measured(now, sample, next);
        }
        recovery.rack.note(&batch);
        self.pmtu.arrived(batch.long);
        if batch.any {
            (recovery.timeouts, recovery.probes) = (0, 0);
            recovery.heard = Some(now);
        }
        let (proven, found) = (0, Found::default());
        let verdict = Unfinished {
            batch,
            flight,
            proven,
            found,
        };
        self.go_on_judging(now, verdict, stats);
    }

    fn go_on_judging(&mut self, now: Instant, mut verdict: Unfinished, stats: &mut Stats) {
        if !self.prove(&mut verdict, stats) || !self.detect(now, &mut verdict.found, stats) {
            self.since = Some(now);
            self.verdict = Some(Box::new(verdict));
            return;
        }
        let Unfinished {
            batch,
            flight,
            found,
            ..
        } = verdict;
        // Also of what probed a window, for which no packet is counted.
        if found.bytes > 0 {
            self.update_skip(now);
        }
        // RFC 8985 §7.4.2: what a probe repaired was a loss all the same.
        let repaired = batch.probe_loss && found.fresh == 0 && self.recovery.episode.is_none();
        stats.probe_losses += u64::from(repaired);
        if self.rates.is_some() {
            self.consult(now, &batch, &found, stats);
        } else {
            match found.fresh {
                0 if repaired => self.begin_episode(now, flight, 1, stats),
                0 => {}
                lost => self.begin_episode(now, flight, lost, stats),
            }
            self.grow(now, &batch, &found);
            self.end_episode();
        }
        self.arm_probe(now, batch.any);
        if self.recovery.ended.take().is_some() {
            // What still stands first goes again with what left beside it.
            self.recovery.pass = None;
        }
        self.set_pace(now);
    }

    /// Walks what left first, up to what cannot be known to be lost yet. False if that was more than there is left to be done at once.
    fn detect(&mut self, now: Instant, found: &mut Found, stats: &mut Stats) -> bool {
        let flight = self.outstanding.flight_bytes();
        let mut left = self.left;
        self.recovery.reorder = None;
        let horizon = self.hidden(now);
        let ready = self.outstanding.go_on_leaving(&mut self.queue, &mut left)
            && self.outstanding.packets.forget_done(&mut left)
            && (self.outstanding.packets).take_back(horizon, &mut left);
        let mut seen = false;
        while ready && !self.outstanding.is_anything_leaving() {
            let Some(first) = self.outstanding.oldest_packet(&mut left) else {
                seen = self.outstanding.packets.first_run().is_none();
                break;
            };
            let in_episode = self.recovery.episode.is_some() || found.packets > 0;
            let blame = match self.finding(first, now, in_episode, horizon) {
                Finding::NotYet(due) => {
                    self.recovery.reorder = due;
                    seen = true;
                    break;
                }
                Finding::Unsaid => {
                    self.outstanding.put_aside(&mut left);
                    continue;
                }
                Finding::Lost { blame } => blame,
            };
            let packet = first.0;
            let record = self.outstanding.packets.get(packet);
            let long = record.is_some_and(|record| record.long);
            let (queue, abandoned) = (&mut self.queue, &mut stats.abandoned_sent);
            let lost = (self.outstanding).lose_oldest(blame, now, queue, abandoned, &mut left);
            if lost > 0 {
                self.recovery.lost(packet, lost);
                found.packets += u32::from(packet != found.newest);
                found.newest = packet;
                if packet >= self.recovery.reduced_at {
                    found.fresh += lost;
                }
                stats.black_holes += u64::from(long && self.pmtu.lost(packet));
            }
        }
        seen &= self.outstanding.packets.forget_done(&mut left);
        self.left = left;
        found.bytes += flight - self.outstanding.flight_bytes();
        seen
    }

    /// What is known of the packet that left first.
    fn finding(
        &self,
        (packet, at): (PacketNo, Instant),
        now: Instant,
        in_episode: bool,
        horizon: Option<Horizon>,
    ) -> Finding {
        let (recovery, packets) = (&self.recovery, &self.outstanding.packets);
        let passed = recovery.ended.is_some() && !self.outstanding.may_first_go_again(now);
        // RFC 9260 §3.3.4: blocks go in order, and what finds no room in the SACK may have come all the same.
        let unsaid = packets.is_first_beyond(self.horizon);
        let rack = &recovery.rack;
        let overtaken = packet < rack.newest();
        if !overtaken && !passed && !unsaid {
            return Finding::NotYet(None);
        }
        let trip = match overtaken {
            true => rack.round_trip(),
            false => recovery.rtt.longest().unwrap_or_default() * 3 / 2,
        };
        let due = at + trip + rack.window(packet, in_episode, &recovery.rtt);
        if due > now && !passed {
            return Finding::NotYet(Some(due));
        }
        if packets.is_first_hidden(horizon) {
            return Finding::Unsaid;
        }
        // A single packet may have come, and the peer waits for a second one.
        let silent = recovery.ended == Some(Ended::Silent) && !packets.is_single();
        let blame = (overtaken && due <= now && !unsaid) || silent;
        Finding::Lost { blame }
    }

    /// What the last SACK could not speak of, and is waited for: for as long as another round trip would bring news of it. Nothing, when
    /// what has ended is passed over.
    fn hidden(&self, now: Instant) -> Option<Horizon> {
        let rack = &self.recovery.rack;
        let last = self.horizon.filter(|_| self.recovery.ended.is_none())?;
        let rounds = match self.outstanding.names_few_blocks() {
            true => FEW_ROUNDS,
            false => MANY_ROUNDS,
        };
        let longest = self.recovery.rtt.longest().unwrap_or_default();
        let waited = now.checked_sub(rack.round_trip().max(longest) * rounds);
        Some(Horizon { last, waited })
    }

    fn begin_episode(&mut self, now: Instant, flight: usize, lost: u32, stats: &mut Stats) {
        let saved = self.control.save();
        self.control.on_lost(now);
        let (recovery, next) = (&mut self.recovery, self.outstanding.packets.next());
        recovery.reduced(saved, recovery.reduced_at..next, lost);
        recovery.episode = Some(Prr::new(flight));
        stats.fast_recoveries += 1;
    }

    /// A model of the path hears everything, and reduces nothing for a recovery.
    fn consult(&mut self, now: Instant, batch: &Batch, found: &Found, stats: &mut Stats) {
        let (Some(rates), Some(model)) = (&mut self.rates, self.control.model()) else {
            return;
        };
        let lost = match found.packets {
            0 => None,
            packets => rates.lost(packets, found.bytes, found.newest),
        };
        if found.fresh > 0 {
            self.recovery.reduced_at = self.outstanding.packets.next();
            stats.fast_recoveries += 1;
            self.recovery.rack.episode_ended();
        }
        let arrived = batch.newest.map(|(packet, ..)| packet);
        let acked = (batch.bytes, batch.aside);
        model.on_verdict(&Verdict {
            now,
            sample: rates.acked(now, acked, arrived, model.most()),
            acked: batch.bytes,
            flight: self.outstanding.pipe(),
            round_trip: batch.sample.map(|(_, sample)| sample),
            limited: batch.limited > 0,
            lost,
            unsaid: self.horizon.is_some(),
        });
        self.forget_packets(now);
    }

    fn grow(&mut self, now: Instant, batch: &Batch, found: &Found) {
        let smoothed = self.recovery.rtt.smoothed().unwrap_or_default();
        match &mut self.recovery.episode {
            Some(prr) => {
                // RFC 8899 §4.3: what is sent again goes in packets that every path carries.
                let packet = self.pmtu.safe() - crate::packet::HEADER;
                let safe = batch.advanced && found.packets == 0;
                let flight = self.outstanding.pipe();
                let threshold = self.control.window();
                let told = (safe, self.horizon.is_some());
                prr.on_acked(batch.bytes, flight, threshold, told, packet);
            }
            None if batch.any => self.control.on_acked(&Acked {
                now,
                limited: batch.limited,
                packets: batch.packets,
                newest: self.recovery.rack.newest(),
                next: self.outstanding.packets.next(),
                sample: batch.sample.map(|(_, sample)| sample),
                smoothed,
            }),
            None => {}
        }
    }

    /// It is over when all that left before it is accounted for, and nothing waits to be sent again or as much may be in flight as the window is
    /// for: a window that is small grows while much is repaired. Not at a TSN.
    fn end_episode(&mut self) {
        let (recovery, window) = (&mut self.recovery, self.control.window());
        let full = |prr: Prr| prr.window() + self.measured >= window;
        if let Some(prr) = recovery.episode
            && self.outstanding.packets.oldest() >= recovery.reduced_at
            && (full(prr) || self.outstanding.peek_lost().is_none())
        {
            recovery.episode = None;
            recovery.rack.episode_ended();
        }
    }

    /// Chunks were taken as lost and were not. When that is so for all that a reduction was for, it was for nothing. False if there
    /// are more of them than can be looked at at once.
    fn prove(&mut self, verdict: &mut Unfinished, stats: &mut Stats) -> bool {
        let proven = verdict.batch.proven.get(verdict.proven..);
        let Some(proven) = proven.filter(|it| !it.is_empty()) else {
            return true;
        };
        let recovery = &mut self.recovery;
        let count = proven.len().min(self.left);
        let proven = proven.iter().take(count);
        proven.for_each(|packet| recovery.proven(*packet));
        self.left -= count;
        verdict.proven += count;
        if verdict.proven < verdict.batch.proven.len() {
            return false;
        }
        while let Some((saved, next)) = recovery.take_undone() {
            stats.spurious_recoveries += 1;
            let Some(next) = next else {
                recovery.rtt.forgive();
                if recovery.episode.take().is_some() {
                    recovery.rack.episode_ended();
                }
                self.control.on_spurious(saved);
                continue;
            };
            // Those that followed stand, and had begun from what was there before it.
            let gain = (saved.window / next.window).max(1.0);
            *next = next.scaled(gain);
            if recovery.timeouts == 0 {
                self.control.on_spurious(self.control.save().scaled(gain));
            }
        }
        true
    }

    /// RFC 9260 §6.3.3: T3-rtx has expired.
    pub(crate) fn handle_t3(&mut self, now: Instant, stats: &mut Stats) {
        (self.recovery.t3, self.recovery.probe, self.grant) = (None, None, None);
        self.skip.due |= self.skip.is_pending(&self.outstanding);
        self.timed_out = Some(TimedOut {
            at: now,
            all_long: self.outstanding.packets.all_long(),
            first: None,
            lost: 0,
        });
        self.go_on_timing_out(now, stats);
    }

    /// What follows from it, once all is found that is lost. Where that is more than one step, it goes on with the next.
    pub(super) fn go_on_timing_out(&mut self, now: Instant, stats: &mut Stats) {
        let Some(mut timed_out) = self.timed_out.take() else {
            return;
        };
        if !self.lose_old(now, &mut timed_out, stats) {
            self.since = Some(now);
            self.timed_out = Some(timed_out);
            return;
        }
        self.update_skip(now);
        let Some(first) = timed_out.first else {
            // Nothing is in flight, but something waits to be skipped or sent. §6.3.3 E2.
            self.recovery.rtt.back_off();
            self.grant.get_or_insert(Grant::Timeout);
            self.start_t3(now);
            return;
        };
        stats.retransmission_timeouts += 1;
        if timed_out.all_long {
            stats.black_holes += u64::from(self.pmtu.fall());
        }
        self.measure_packet();
        let (saved, lost) = (self.control.save(), timed_out.lost);
        let recovery = &mut self.recovery;
        recovery.timeouts += 1;
        recovery.episode = None;
        // RFC 9260 §6.1 A: a full receiver says nothing of the path.
        if self.peer_window > 0 {
            recovery.rtt.back_off();
            self.control.on_timeout(now, recovery.timeouts > 1);
        }
        let (repeated, next) = (recovery.timeouts > 1, self.outstanding.packets.next());
        match recovery.undos.back_mut().filter(|_| repeated) {
            Some(undo) => {
                undo.packets.end = next;
                undo.lost += lost;
                recovery.reduced_at = next;
            }
            None => recovery.reduced(saved, first..next, lost),
        }
        self.grant.get_or_insert(Grant::Timeout);
        self.start_t3(now);
        self.set_pace(now);
    }

    /// RFC 8985 §6.3: the packet that left first is lost, and those that are as late; not all. False if that was more than there is left
    /// to be done at once.
    fn lose_old(&mut self, now: Instant, timed_out: &mut TimedOut, stats: &mut Stats) -> bool {
        let mut left = self.left;
        let ready = self.outstanding.go_on_leaving(&mut self.queue, &mut left)
            && self.outstanding.packets.take_back(None, &mut left);
        let mut seen = false;
        while ready && !self.outstanding.is_anything_leaving() {
            let Some((packet, at)) = self.outstanding.oldest_packet(&mut left) else {
                seen = self.outstanding.packets.first_run().is_none();
                break;
            };
            let first = *timed_out.first.get_or_insert(packet);
            let rack = &self.recovery.rack;
            let late = rack.round_trip() + rack.window(packet, false, &self.recovery.rtt);
            if packet != first && at + late > timed_out.at {
                seen = true;
                break;
            }
            let (queue, abandoned) = (&mut self.queue, &mut stats.abandoned_sent);
            timed_out.lost +=
                (self.outstanding).lose_oldest(true, now, queue, abandoned, &mut left);
        }
        seen &= self.outstanding.packets.forget_done(&mut left);
        self.left = left;
        seen
    }

    /// The path is there again after an outage: no doubled timeout is waited for.
    pub(crate) fn revive(&mut self, now: Instant) {
        self.recovery.rtt.forgive();
        if self.recovery.t3.is_some() {
            self.recovery.t3 = Some(now);
        }
        if self.window_probe.is_some() {
            self.window_probe = Some((now, self.recovery.rtt.timeout()));
        }
    }
}

/// How many round trips what no SACK can speak of is waited for: in each of them twenty holes are repaired, or two hundred.
const FEW_ROUNDS: u32 = 2;
const MANY_ROUNDS: u32 = 4;
