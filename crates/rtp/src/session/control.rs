//! RTCP that comes.

use std::time::Instant;

use bytes::Bytes;

use super::Session;
use crate::{
    Event, SectionId,
    breaker::Reported,
    extension::Label,
    feedback::Feedback,
    rtcp::{
        Bye, Compound, Dlrr, Extended, ExtendedBlock, Fir, MaxRate, Nack, Remb, Report,
        ReportBlock, Rtcp, Tmmb, write_tmmbn,
    },
};

impl Session {
    /// Takes a datagram of RTCP that was authentic, in the clear.
    pub fn handle_rtcp(&mut self, now: Instant, datagram: &[u8]) {
        let Ok(compound) = Compound::parse(datagram) else {
            self.stats.rtcp_malformed += 1;
            return;
        };
        for rtcp in compound {
            match rtcp {
                Rtcp::Report(report) => self.handle_report(now, &report),
                Rtcp::Sdes(sdes) => {
                    sdes.names().for_each(|it| self.handle_name(it.0, it.1));
                    sdes.mids().for_each(|it| self.handle_mid(it.0, it.1));
                }
                Rtcp::Bye(bye) => self.handle_bye(&bye),
                Rtcp::Nack(nack) => self.handle_nack(now, &nack),
                Rtcp::Pli(pli) => self.handle_pli(now, pli.media),
                Rtcp::Fir(fir) => self.handle_fir(now, &fir),
                Rtcp::Remb(remb) => self.handle_remb(&remb),
                Rtcp::Tmmb(tmmb) => self.handle_tmmb(&tmmb),
                Rtcp::Transport(feedback) => {
                    let feedback = self.sent.handle(now, &feedback);
                    let acked = feedback
                        .packets
                        .iter()
                        .filter(|it| it.arrived.is_some())
                        .count();
                    self.stats.transport_acked += acked as u64;
                    self.stats.transport_lost += (feedback.packets.len() - acked) as u64;
                    self.keep_feedback(feedback);
                }
                Rtcp::Extended(extended) => self.handle_extended(now, &extended),
                Rtcp::App(app) => self.push_event(Event::App {
                    ssrc: app.ssrc,
                    subtype: app.subtype,
                    name: app.name,
                    data: Bytes::copy_from_slice(app.data),
                }),
                // Who picks references answers a lost slice or picture with its next key frame.
                Rtcp::Sli(sli) => self.handle_pli(now, sli.media),
                Rtcp::Rpsi(_) | Rtcp::Congestion(_) => {}
                Rtcp::Unknown { broken, .. } => {
                    self.stats.rtcp_broken += u64::from(broken);
                    self.stats.rtcp_unknown += u64::from(!broken);
                }
            }
        }
    }

    /// The peer can make us queue only so much.
    fn push_event(&mut self, event: Event) {
        if self.events.len() < MOST_EVENTS {
            self.events.push_back(event);
        }
    }

    /// For whoever reads it: the oldest goes where nobody does.
    fn keep_feedback(&mut self, feedback: Feedback) {
        let kept = self.feedback.iter().map(|it| it.packets.len());
        let mut packets = kept.sum::<usize>() + feedback.packets.len();
        while (self.feedback.len() >= MOST_FEEDBACK || packets > MOST_ACKED)
            && let Some(oldest) = self.feedback.pop_front()
        {
            packets -= oldest.packets.len();
        }
        self.feedback.push_back(feedback);
    }

    fn handle_report(&mut self, now: Instant, report: &Report<'_>) {
        if let Some(info) = report.sender
            && let Some(route) = self.by_ssrc.get(&report.ssrc).copied()
            && let Some(stream) = self
                .receivers
                .get_mut(route.stream)
                .filter(|_| !route.is_repair)
        {
            stream.clock.handle(now, info);
            stream.stats.sender_clock = Some(info.ntp);
            stream.stats.sender_counts = Some((info.packets, info.bytes));
            stream.stats.sender_reports += 1;
            stream.stats.sender_reported = Some(now);
        }
        for block in report.blocks() {
            self.handle_block(now, &block);
        }
    }

    fn handle_block(&mut self, now: Instant, block: &ReportBlock) {
        let wall = self.wall(now);
        let Some(sender) = self
            .senders
            .iter_mut()
            .find(|it| it.encoding.ssrc == block.ssrc)
        else {
            return;
        };
        // Whoever reports on us knows where we belong.
        sender.reported = true;
        sender.guard.reported(block.fraction);
        let round_trip = block.round_trip(wall);
        if let Some(trip) = round_trip {
            let mean = sender.round_trip;
            sender.round_trip = Some(mean.map_or(trip, |mean| trip.min((mean * 7 + trip) / 8)));
            let (sum, count) = sender.stats.round_trips;
            sender.stats.round_trips = (sum + trip, count + 1);
            self.timers.measured(trip);
        }
        let fraction = f64::from(block.fraction) / 256.0;
        let received = sender.received(block);
        let stats = &mut sender.stats;
        stats.round_trip = round_trip.or(stats.round_trip);
        (stats.lost, stats.fraction) = (Some(block.lost), Some(fraction));
        stats.received = received;
        stats.jitter = Some(block.jitter);
        stats.reported = Some(now);
        let sent = (stats.packets, stats.bytes + stats.header_bytes);
        let (section, encoding) = (sender.section, sender.place);
        sender.breaker.reported(
            now,
            Reported {
                highest: block.highest,
                fraction,
                round_trip: stats.round_trip,
                sent,
            },
        );
        self.heard = Some(now);
        if let Some(section) = self.sections.get(section).map(|it| it.id) {
            self.push_event(Event::Reported { section, encoding });
        }
    }

    fn handle_name(&mut self, ssrc: u32, name: &[u8]) {
        let (receivers, names) = (&self.receivers, &self.names);
        let is_used = |name| {
            let mut living = receivers.iter().filter(|it| !it.ended);
            living.any(|it| it.clock.name == Some(name)) || names.iter().any(|it| it.1 == name)
        };
        let Some(name) = self.clocks.name(name, is_used) else {
            return;
        };
        match self.by_ssrc.get(&ssrc).copied() {
            Some(route) => {
                if let Some(stream) = self.receivers.get_mut(route.stream) {
                    stream.clock.name = Some(name);
                }
            }
            None => {
                // Of names that never got a stream the oldest goes.
                self.names.retain(|it| it.0 != ssrc);
                self.names.push_back((ssrc, name));
                if self.names.len() > self.config.streams {
                    self.names.pop_front();
                }
            }
        }
    }

    /// RFC 9143 §9.2: the section of an SSRC whose packets may not tell it.
    fn handle_mid(&mut self, ssrc: u32, mid: &str) {
        let Some(mid) = Label::new(mid) else {
            return;
        };
        // Of too many the oldest goes.
        self.mids.retain(|it| it.0 != ssrc);
        self.mids.push_back((ssrc, mid));
        if self.mids.len() > self.config.streams {
            self.mids.pop_front();
        }
    }

    fn handle_bye(&mut self, bye: &Bye<'_>) {
        for ssrc in bye.sources() {
            self.names.retain(|it| it.0 != ssrc);
            self.mids.retain(|it| it.0 != ssrc);
            let Some(route) = self.by_ssrc.get(&ssrc).copied() else {
                continue;
            };
            if route.is_repair {
                self.unpair(route.stream, ssrc);
                continue;
            }
            let section = self.id_of(route.stream);
            self.depart(route.stream);
            if let Some(section) = section {
                if let Some(state) = self.sections.iter_mut().find(|it| it.id == section) {
                    state.last = None;
                }
                self.push_event(Event::Bye { section, ssrc });
            }
        }
    }

    fn handle_nack(&mut self, now: Instant, nack: &Nack<'_>) {
        if let Some(sender) = self
            .senders
            .iter_mut()
            .find(|it| it.encoding.ssrc == nack.media)
        {
            sender.handle_nack(now, self.timers.round_trip, nack.numbers());
        }
    }

    fn handle_pli(&mut self, now: Instant, media: u32) {
        if let Some(sender) = self.senders.iter_mut().find(|it| it.encoding.ssrc == media) {
            sender.stats.plis += 1;
            sender.wished = true;
        }
        self.ask_sources(now);
    }

    fn handle_fir(&mut self, now: Instant, fir: &Fir<'_>) {
        for item in fir.items() {
            let mut of = self.senders.iter_mut();
            let sender = of.find(|it| it.encoding.ssrc == item.ssrc);
            // RFC 5104 §4.3.1.2: a number that is repeated is no new request.
            if let Some(sender) = sender
                && sender.is_new_fir(fir.sender, item.number)
            {
                sender.stats.firs += 1;
                sender.wished = true;
            }
        }
        self.ask_sources(now);
    }

    fn handle_remb(&mut self, remb: &Remb<'_>) {
        for ssrc in remb.streams() {
            let of = self.senders.iter_mut().find(|it| it.encoding.ssrc == ssrc);
            let Some(sender) = of else { continue };
            sender.allowed.remb = Some(remb.bits);
            self.allow(ssrc);
        }
    }

    fn handle_tmmb(&mut self, tmmb: &Tmmb<'_>) {
        if tmmb.is_notice {
            return;
        }
        let mut answer = Vec::new();
        for item in tmmb.items() {
            let of = self
                .senders
                .iter_mut()
                .find(|it| it.encoding.ssrc == item.ssrc);
            let Some(sender) = of else { continue };
            sender.allowed.tmmbr = Some(item.bits);
            // RFC 5104 §4.2.2.1: the notice names who had asked.
            answer.push(MaxRate {
                ssrc: tmmb.sender,
                ..item
            });
            self.allow(item.ssrc);
        }
        if !answer.is_empty() {
            self.timers.answer.clear();
            let ssrc = self.ssrc;
            write_tmmbn(
                &mut self.timers.answer,
                ssrc,
                answer.get(..16).unwrap_or(&answer),
            );
        }
    }

    fn handle_extended(&mut self, now: Instant, extended: &Extended<'_>) {
        let wall = self.wall(now);
        for block in extended.blocks() {
            match block {
                ExtendedBlock::ReferenceTime(time) => {
                    self.timers.answer_clock(now, extended.ssrc, time);
                }
                ExtendedBlock::Dlrr(items) => {
                    let ours = |it: &Dlrr| it.ssrc == self.ssrc;
                    let Some(item) = items.iter().find(ours) else {
                        continue;
                    };
                    let block = ReportBlock {
                        last_report: item.last,
                        delay: item.delay,
                        ..ReportBlock::default()
                    };
                    let Some(trip) = block.round_trip(wall) else {
                        continue;
                    };
                    self.timers.measured(trip);
                    for stream in self.receivers.iter_mut().filter(|it| !it.ended) {
                        let (sum, count) = stream.stats.round_trips;
                        stream.stats.round_trips = (sum + trip, count + 1);
                        stream.stats.round_trip = Some(trip);
                    }
                }
                ExtendedBlock::Unknown(_) => {}
            }
        }
    }

    /// Tells what a stream of ours may send now: the least of what the application, `b=`, REMB and TMMBR say.
    fn allow(&mut self, ssrc: u32) {
        let Some(sender) = self.senders.iter_mut().find(|it| it.encoding.ssrc == ssrc) else {
            return;
        };
        let Some(state) = self.sections.get(sender.section) else {
            return;
        };
        let limits = [
            state.section.bandwidth,
            sender.encoding.limit,
            sender.allowed.remb,
            sender.allowed.tmmbr,
        ];
        let bits = limits.into_iter().flatten().min();
        if std::mem::replace(&mut sender.stats.allowed, bits) != bits {
            let (section, encoding) = (state.id, sender.place);
            self.push_event(Event::Allowed {
                section,
                encoding,
                bits,
            });
        }
    }

    pub(super) fn allow_all(&mut self, id: SectionId) {
        let section = self.place(id);
        let of = self.senders.iter().filter(|it| Some(it.section) == section);
        let all: Vec<u32> = of.map(|it| it.encoding.ssrc).collect();
        all.into_iter().for_each(|ssrc| self.allow(ssrc));
    }
}

const MOST_FEEDBACK: usize = 256;
/// Packets that all of them tell of.
const MOST_ACKED: usize = 8192;
/// More events than this nobody has read.
pub(super) const MOST_EVENTS: usize = 1024;
