//! RTCP to be sent: reports on timers, feedback at once.

use std::time::{Duration, Instant};

use super::{Session, timers};
use crate::{
    Ntp,
    breaker::INTERVAL,
    extension::Label,
    ntp,
    receive::{KEYFRAME_AGAIN, KEYFRAME_PACE, ReceiveStream},
    rtcp::{
        Dlrr, FirItem, MaxRate, ReportBlock, SenderInfo, write_bye, write_dlrr, write_fir,
        write_nack, write_pli, write_receiver_report, write_remb, write_rrtr, write_sdes,
        write_sender_report, write_tmmbr,
    },
    send::SendStream,
};

impl Session {
    /// Appends a datagram of RTCP of at most `room` bytes, if one is due. A report waits for one with room for it.
    pub fn poll_rtcp(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) -> bool {
        let start = buf.len();
        if self.receivers.iter().any(|it| !it.ended) {
            self.timers.start(now, &self.config, &mut self.rng);
        }
        let reduced = self
            .sections
            .iter()
            .any(|it| it.section.feedback.reduced_size);
        let is_due = self.timers.report.is_some_and(|it| it <= now);
        let reports = is_due || !self.timers.farewells.is_empty();
        if room < LEAST_REPORT && (reports || !reduced) {
            return false;
        }
        if reports {
            self.write_reports(now, room, buf);
            return buf.len() > start;
        }
        if reduced {
            self.write_feedback(now, room, buf);
            return buf.len() > start;
        }
        // RFC 5506 §3.4.2: feedback alone, where that was agreed on; else behind a report (RFC 4585 §3.1). That has no blocks: what they
        // tell is told once an interval, and a gap must not be measured from just behind the one before it.
        let mut feedback = Vec::new();
        self.write_feedback(now, room - HEAD, &mut feedback);
        if !feedback.is_empty() {
            self.write_head(now, 0, buf);
            buf.append(&mut feedback);
        }
        buf.len() > start
    }

    /// What must not wait for a report.
    fn write_feedback(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) {
        let start = buf.len();
        self.write_requests(now, room, buf);
        let left = room.saturating_sub(buf.len() - start);
        self.received.write(now, left, self.ssrc, buf);
    }

    /// A report and the name, as each compound begins (RFC 3550 §6.1).
    fn write_head(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) {
        let most = (room.saturating_sub(HEAD) / 24).min(31);
        let blocks = self.blocks(now, most);
        let wall = self.wall(now);
        let sender = self.next_sender().and_then(|at| self.senders.get(at));
        let ssrc = sender.map_or(self.ssrc, |it| it.encoding.ssrc);
        match sender.and_then(|it| info(now, wall, it)) {
            Some(info) => write_sender_report(buf, ssrc, &info, &blocks),
            None => write_receiver_report(buf, ssrc, &blocks),
        };
        self.describe(ssrc, sender, buf);
    }

    /// What one SSRC of ours is: the name that all have, and of a stream the mid of its section.
    fn describe(&self, ssrc: u32, sender: Option<&SendStream>, buf: &mut Vec<u8>) {
        let section = sender.and_then(|it| self.sections.get(it.section));
        let mid = section.and_then(|it| it.section.mid);
        let mid = mid.as_ref().map(Label::as_str);
        write_sdes(buf, ssrc, self.config.cname.as_bytes(), mid);
    }

    /// Whose report is next, of those that have sent: not all fit into one datagram.
    fn next_sender(&self) -> Option<usize> {
        let count = self.senders.len();
        let mut turns = (0..count).map(|step| (self.timers.sender + step) % count);
        turns.find(|at| self.has_sent(*at))
    }

    fn has_sent(&self, at: usize) -> bool {
        let sender = self.senders.get(at);
        sender.is_some_and(|it| it.stats.packets > 0)
    }

    fn blocks(&mut self, now: Instant, most: usize) -> Vec<ReportBlock> {
        let count = self.receivers.len();
        let mut blocks = Vec::new();
        let first = self.timers.turn;
        for step in 0..count {
            let at = (first + step) % count;
            if blocks.len() >= most {
                self.timers.turn = at;
                break;
            }
            // RFC 3550 §6.3.5, §6.4: who was silent for two intervals is no sender, and not reported on.
            let is_silent =
                |it: &ReceiveStream| now.saturating_duration_since(it.last) >= INTERVAL * 2;
            let stream = self.receivers.get_mut(at);
            let stream = stream.filter(|it| !it.ended && !is_silent(it));
            blocks.extend(stream.and_then(|it| it.report(now)));
        }
        blocks
    }

    fn write_reports(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) {
        let start = buf.len();
        let farewells = self.timers.farewells.len().min(MOST_FAREWELLS);
        let room = room.saturating_sub(4 + 4 * farewells);
        self.write_head(now, room.saturating_sub(self.timers.waiting()), buf);
        let wall = self.wall(now);
        let first = self.next_sender();
        if !self.timers.clocks.is_empty() && buf.len() - start + self.timers.clocks_len() <= room {
            let items: Vec<Dlrr> = self
                .timers
                .clocks
                .drain(..)
                .map(|(ssrc, time, at)| Dlrr {
                    ssrc,
                    last: time.middle(),
                    delay: ntp::to_short(now.saturating_duration_since(at)),
                })
                .collect();
            let ssrc = first
                .and_then(|at| self.senders.get(at))
                .map_or(self.ssrc, |it| it.encoding.ssrc);
            write_dlrr(buf, ssrc, &items);
        }
        // RFC 3611 §4.4: who sends nothing measures the round trip so.
        if first.is_none() && buf.len() - start + 20 <= room {
            write_rrtr(buf, self.ssrc, wall);
        }
        if !self.timers.answer.is_empty() && buf.len() - start + self.timers.answer.len() <= room {
            buf.append(&mut self.timers.answer);
        }
        if !self.timers.apps.is_empty() && buf.len() - start + self.timers.apps.len() <= room {
            buf.append(&mut self.timers.apps);
        }
        if let Some(first) = first {
            self.write_others(now, first, (start, room), buf);
        }
        // Those that are left follow in another datagram.
        let gone: Vec<u32> = self.timers.farewells.drain(..farewells).collect();
        if !gone.is_empty() {
            write_bye(buf, &gone);
        }
        self.timers.report = Some(now + timers::draw(self.config.report, &mut self.rng));
        for state in self.sections.iter_mut().filter(|it| it.limit.is_some()) {
            state.limit_due = Some(now);
        }
    }

    /// Our streams beside the `first`, without blocks: each is a packet of its own in the compound (RFC 8108 §5.1). What does not fit
    /// begins the next report.
    fn write_others(
        &mut self,
        now: Instant,
        first: usize,
        (start, room): (usize, usize),
        buf: &mut Vec<u8>,
    ) {
        let (count, wall) = (self.senders.len(), self.wall(now));
        for at in (1..count).map(|step| (first + step) % count) {
            let Some(sender) = self.senders.get(at).filter(|it| it.stats.packets > 0) else {
                continue;
            };
            let before = buf.len();
            if let Some(info) = info(now, wall, sender) {
                write_sender_report(buf, sender.encoding.ssrc, &info, &[]);
                self.describe(sender.encoding.ssrc, Some(sender), buf);
            }
            if buf.len() - start > room {
                buf.truncate(before);
                self.timers.sender = at;
                return;
            }
        }
    }

    /// What must not wait: answers to limits, missing packets, key frames, limits.
    fn write_requests(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) {
        let start = buf.len();
        let ssrc = self.ssrc;
        if self.timers.answer.len() <= room {
            buf.append(&mut self.timers.answer);
        }
        let again = self.timers.round_trip.unwrap_or(Duration::from_millis(100));
        let again = again.max(Duration::from_millis(20));
        for stream in self.receivers.iter_mut().filter(|it| !it.ended) {
            let Some(state) = self.sections.get(stream.section) else {
                continue;
            };
            let left = room.saturating_sub(buf.len() - start);
            if left < 64 {
                return;
            }
            let feedback = state.section.feedback;
            let looks = stream.track.due().is_some_and(|it| it <= now);
            if looks && feedback.nack {
                // At worst each is a word.
                // Where much is lost requests are as well: on a long path there is no time to learn it by their answers.
                let is_hard = again > LONG && stream.track.is_lossy();
                let next = if is_hard { again / 2 } else { again };
                let wanted = stream.track.wanted(now, next, (left - 12) / 4);
                stream.stats.nacks += wanted.len() as u64;
                stream.stats.nack_requests += u64::from(!wanted.is_empty());
                write_nack(buf, left, ssrc, stream.ssrc, wanted);
            } else if looks {
                stream.track.wait(now);
            }
            if stream.keyframe.is_some_and(|it| it <= now) && buf.len() - start + 20 <= room {
                ask(stream, now, again, ssrc, feedback, buf);
            }
        }
        self.write_limits(now, room.saturating_sub(buf.len() - start), buf);
    }

    fn write_limits(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) {
        let start = buf.len();
        for (at, state) in self.sections.iter_mut().enumerate() {
            let is_due = state.limit_due.is_some_and(|due| due <= now);
            if !is_due || buf.len() - start + 200 > room {
                continue;
            }
            state.limit_due = None;
            let of = self
                .receivers
                .iter()
                .filter(|it| it.section == at && !it.ended);
            let streams: Vec<u32> = of.map(|it| it.ssrc).take(40).collect();
            // A limit that is taken away is a very high one.
            let bits = state.limit.unwrap_or(NO_LIMIT);
            if streams.is_empty() {
                continue;
            }
            if state.section.feedback.remb {
                write_remb(buf, self.ssrc, bits, &streams);
            } else if state.section.feedback.tmmbr {
                let rate = |ssrc: &u32| MaxRate {
                    ssrc: *ssrc,
                    bits,
                    overhead: 40,
                };
                let items: Vec<_> = streams.iter().take(20).map(rate).collect();
                write_tmmbr(buf, self.ssrc, &items);
            }
        }
    }
}

/// Asks for a key frame, and again if none comes.
fn ask(
    stream: &mut ReceiveStream,
    now: Instant,
    round_trip: Duration,
    ssrc: u32,
    feedback: crate::Feedbacks,
    buf: &mut Vec<u8>,
) {
    if feedback.pli {
        stream.stats.plis += 1;
        write_pli(buf, ssrc, stream.ssrc);
    } else if feedback.fir {
        stream.stats.firs += 1;
        stream.fir = stream.fir.wrapping_add(1);
        let number = stream.fir;
        let item = FirItem {
            ssrc: stream.ssrc,
            number,
        };
        write_fir(buf, ssrc, &[item]);
    }
    // Whoever asks within 200 ms or a round trip has asked already.
    stream.asked = Some(now + KEYFRAME_PACE.max(round_trip));
    // The request may be lost, or what it asked for: it is repeated until a key frame comes.
    stream.keyframe = Some(now + KEYFRAME_AGAIN.max(round_trip * 3 / 2));
}

/// What a sender report says of a stream (RFC 3550 §6.4.1): now, by both clocks.
fn info(now: Instant, wall: Ntp, sender: &SendStream) -> Option<SenderInfo> {
    let (timestamp, captured, clock) = sender.last?;
    let since = now.saturating_duration_since(captured).as_micros();
    let ahead = (since * u128::from(clock) / 1_000_000) as u32;
    let (packets, bytes) = sender.totals;
    Some(SenderInfo {
        ntp: wall,
        timestamp: timestamp.wrapping_add(ahead),
        packets,
        bytes,
    })
}

/// RFC 3550 §6.6: the count has five bits.
const MOST_FAREWELLS: usize = 31;
/// A report without blocks, with a name of 255 bytes and a mid.
const HEAD: usize = 320;
/// That, and as many farewells as fit into a packet.
const LEAST_REPORT: usize = HEAD + 4 + 4 * MOST_FAREWELLS;
const NO_LIMIT: u64 = 1 << 36;
/// A round trip of more leaves time for few requests.
const LONG: Duration = Duration::from_millis(100);
