//! The RTP of a transport: one session under its keys, behind a gate.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use oxirtc_dtls as dtls;
use oxirtc_rtp::{Config, Ntp, SectionId, Session};
use oxirtc_srtp::{Context, Error, Stats};

use super::{
    gate::Gate,
    keys::{Keys, context},
    shares::Shares,
};
use crate::{MediaDrops, RtcpDatagram, configuration::MediaLimits, engine::demux::Kind};

/// What carries the media of a transport.
pub(in crate::engine) struct MediaPath {
    pub(in crate::engine) rtp: Session,
    keys: Keys,
    pub(in crate::engine) gate: Gate,
    pub(in crate::engine) shares: Shares,
    /// So many SSRCs of the peer there may be.
    streams: usize,
    /// What is encrypted beside payloads, by section: all that stands in headers, or the extensions with these ids.
    hidden: BTreeMap<SectionId, (bool, Vec<u8>)>,
    /// It was told that the keys are used up.
    told_exhausted: bool,
    /// Datagrams of RTCP for the application, if it reads them.
    heard: Option<VecDeque<RtcpDatagram>>,
}

impl MediaPath {
    pub(in crate::engine) fn new(
        (cname, limits): (&str, &MediaLimits),
        seed: [u8; 32],
        now: Instant,
        wall: Ntp,
    ) -> Self {
        let (history, history_packets) = limits.history;
        let config = Config::new(cname)
            .frame(limits.frame)
            .buffered(limits.buffered)
            .streams(limits.streams)
            .reorder(limits.reorder)
            .missing(limits.missing)
            .history(history)
            .history_packets(history_packets);
        Self {
            rtp: Session::new(config, seed, now, wall),
            keys: Keys::default(),
            gate: Gate::new(),
            shares: Shares::new(),
            streams: limits.streams,
            hidden: BTreeMap::new(),
            told_exhausted: false,
            heard: None,
        }
    }

    /// The DTLS association is there, over a way of this round trip. Returns whether it has agreed on keys for media.
    pub(in crate::engine) fn set_keys(
        &mut self,
        now: Instant,
        dtls: &dtls::Connection,
        round_trip: Option<Duration>,
    ) -> bool {
        let Some(context) = context(dtls, self.streams) else {
            return false;
        };
        if let Some(round_trip) = round_trip {
            self.rtp.set_round_trip(round_trip);
        }
        self.set_context(now, context);
        true
    }

    /// What is encrypted of the packets of a section from now on, beside their payloads. In a bundle an id means one extension.
    pub(in crate::engine) fn hide(&mut self, section: SectionId, hidden: (bool, Vec<u8>)) {
        if self.hidden.insert(section, hidden.clone()) != Some(hidden) {
            self.hide_all();
        }
    }

    /// A section goes.
    pub(in crate::engine) fn remove_section(&mut self, section: SectionId) {
        self.rtp.remove_section(section);
        if self.hidden.remove(&section).is_some() {
            self.hide_all();
        }
    }

    fn hide_all(&mut self) {
        let cryptex = self.hidden.values().any(|it| it.0);
        let mut ids: Vec<u8> = self.hidden.values().flat_map(|it| &it.1).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        self.keys.hide(cryptex, &ids);
    }

    pub(super) fn set_context(&mut self, now: Instant, context: Context) {
        self.keys.set(context);
        self.hide_all();
        self.rtp.name_anew();
        for (_, kind, mut packet) in self.keys.take_early(now) {
            self.handle(now, kind, &mut packet);
        }
    }

    /// Another DTLS association comes: no packet is sent under the old keys any more.
    pub(in crate::engine) fn retire_keys(&mut self, now: Instant) {
        self.keys.retire(now);
    }

    /// Takes a datagram of RTP or RTCP.
    pub(in crate::engine) fn handle(&mut self, now: Instant, kind: Kind, packet: &mut [u8]) {
        let Some(packet) = self.keys.open(now, kind, packet) else {
            return;
        };
        match kind {
            Kind::Rtp => self.rtp.handle_rtp(now, packet),
            _ => {
                self.rtp.handle_rtcp(now, packet);
                if let Some(heard) = self.heard.as_mut().filter(|it| it.len() < MOST_HEARD) {
                    heard.extend(RtcpDatagram::new(packet, now));
                }
            }
        }
        while let Some(ssrc) = self.rtp.poll_ended() {
            self.keys.end(ssrc);
        }
    }

    /// Whether the keys are used up, when that has changed.
    pub(in crate::engine) fn poll_exhausted(&mut self) -> Option<bool> {
        let exhausted = self.keys.is_exhausted();
        let before = std::mem::replace(&mut self.told_exhausted, exhausted);
        (before != exhausted).then_some(exhausted)
    }

    /// What all keys have counted.
    pub(in crate::engine) fn srtp_stats(&self) -> Stats {
        self.keys.stats()
    }

    /// What was dropped as it came.
    pub(in crate::engine) fn drops(&self) -> MediaDrops {
        let (srtp, rtp) = (self.keys.stats(), self.rtp.stats());
        MediaDrops {
            forged: srtp.rtp.forged + srtp.rtcp.forged,
            replayed: srtp.rtp.replayed + srtp.rtcp.replayed,
            malformed: srtp.rtp.short
                + srtp.rtcp.short
                + rtp.malformed
                + rtp.rtcp_malformed
                + rtp.rtcp_broken,
            over_limit: srtp.rtp.over_limit + srtp.rtcp.over_limit + rtp.over_limit,
            unrouted: rtp.unrouted + rtp.unbound,
        }
    }

    /// Whether datagrams of RTCP are kept for the application.
    pub(in crate::engine) fn read_rtcp(&mut self, on: bool) {
        match on {
            true => drop(self.heard.get_or_insert_default()),
            false => self.heard = None,
        }
    }

    /// The next datagram of RTCP that the application reads.
    pub(in crate::engine) fn poll_heard(&mut self) -> Option<RtcpDatagram> {
        self.heard.as_mut()?.pop_front()
    }

    /// Appends a protected datagram of RTCP of at most `room` bytes, if one is due.
    ///
    /// # Errors
    ///
    /// What the session wrote cannot be sent.
    pub(in crate::engine) fn poll_rtcp(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        let room = room.checked_sub(self.keys.tailroom(Kind::Rtcp));
        let (Some(room), true) = (room, self.keys.can_send()) else {
            return Ok(false);
        };
        let start = buf.len();
        if !self.rtp.poll_rtcp(now, room, buf) {
            return Ok(false);
        }
        self.keys.seal(Kind::Rtcp, buf, start).map(|()| true)
    }

    /// Whether a packet of media waits that may leave now. `whole` is how long a datagram may be; what is longer is dropped.
    pub(in crate::engine) fn is_ready(&mut self, now: Instant, whole: usize) -> bool {
        if !self.keys.can_send() {
            return false;
        }
        let largest = whole.saturating_sub(self.keys.tailroom(Kind::Rtp));
        self.rtp.set_largest(largest);
        match self.rtp.peek(now) {
            Some(head) => self.gate.opens(now, &head),
            None => {
                self.gate.idle();
                false
            }
        }
    }

    /// Appends the packet that is ready, protected, if it fits into `room`.
    ///
    /// # Errors
    ///
    /// What the session wrote cannot be sent.
    pub(in crate::engine) fn poll_rtp(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        let Some(room) = room.checked_sub(self.keys.tailroom(Kind::Rtp)) else {
            return Ok(false);
        };
        let start = buf.len();
        if self.rtp.poll_rtp(now, room, buf).is_none() {
            return Ok(false);
        }
        self.keys.seal(Kind::Rtp, buf, start)?;
        self.gate.passed(now);
        Ok(true)
    }

    /// When something is due, as long as something can be sent.
    pub(in crate::engine) fn poll_timeout(&self) -> Option<Instant> {
        if !self.keys.can_send() {
            return None;
        }
        let due = [self.rtp.poll_timeout(), self.gate.poll_timeout()];
        due.into_iter().flatten().min()
    }

    pub(in crate::engine) fn handle_timeout(&mut self, now: Instant) {
        self.rtp.handle_timeout(now);
        self.gate.handle_timeout(now);
    }

    /// What can be sent waits only for the pause between two bursts.
    pub(in crate::engine) fn is_pausing(&self) -> bool {
        self.keys.can_send() && self.gate.is_pausing()
    }
}

/// So many datagrams come between two looks at most.
const MOST_HEARD: usize = 64;
