//! The way down: datagrams are built when the socket asks.

use std::time::Instant;

use super::{Engine, convert, transport::Transport};
use crate::{DtlsTransportState, Path, Transmit};

/// What stands where a datagram is being built.
struct Unbuildable;

/// Whether there was something to build.
type Built = Result<bool, Unbuildable>;

impl Engine {
    /// Appends the next batch to `buf`; `None` when there is nothing to send.
    ///
    /// Polling in this order: all batches, then [`poll_request`](Self::poll_request), then
    /// [`poll_timeout`](Self::poll_timeout).
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Transmit> {
        let base = buf.len();
        let (path, segment) = self.poll_batch(now, buf)?;
        let length = buf.len() - base;
        self.stats.batches_sent += 1;
        self.stats.bytes_sent += length as u64;
        self.stats.datagrams_sent += length.div_ceil(segment.max(1)) as u64;
        Some(Transmit {
            path,
            ecn: 0,
            dscp: 0,
            segment,
        })
    }

    fn poll_batch(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<(Path, usize)> {
        if let Some((path, datagram)) = self.farewells.pop_front() {
            buf.extend_from_slice(&datagram);
            return Some((path, datagram.len()));
        }
        if self.closed {
            return None;
        }
        self.data.pass_down(now);
        for index in 0..self.transports.len() {
            if let Some(batch) = self.poll_control(index, now, buf) {
                return Some(batch);
            }
            if let Some(batch) = self.poll_payload_batch(index, now, buf) {
                return Some(batch);
            }
        }
        None
    }

    /// STUN: few and small, so each goes alone.
    fn poll_control(
        &mut self,
        index: usize,
        now: Instant,
        buf: &mut Vec<u8>,
    ) -> Option<(Path, usize)> {
        let base = buf.len();
        loop {
            let transport = self.transports.get_mut(index)?;
            let path = transport.control_path()?;
            let written = transport.ice.poll_transmit(now, MTU, buf);
            if written && buf.len() > base {
                return Some((path, buf.len() - base));
            }
            if self.transports.get(index)?.control_path() == Some(path) {
                return None;
            }
        }
    }

    fn poll_payload_batch(
        &mut self,
        index: usize,
        now: Instant,
        buf: &mut Vec<u8>,
    ) -> Option<(Path, usize)> {
        let base = buf.len();
        let way = self.transports.get(index)?.payload_way(now)?;
        if !self.poll_payload(index, now, MTU, buf) {
            return None;
        }
        let segment = buf.len() - base;
        let most = self
            .foundation
            .settings
            .max_segments
            .min(self.foundation.settings.max_burst / segment.max(1));
        for _ in 1..most {
            let end = buf.len();
            let transport = self.transports.get(index)?;
            let same =
                transport.control_path().is_none() && transport.payload_way(now) == Some(way);
            if !same || !self.poll_payload(index, now, segment, buf) || buf.len() - end < segment {
                break;
            }
        }
        Some((convert::path(way.path), segment))
    }

    /// One datagram of payload of at most `room` bytes. What cannot be built is counted, and the next
    /// is tried.
    fn poll_payload(&mut self, index: usize, now: Instant, room: usize, buf: &mut Vec<u8>) -> bool {
        let start = buf.len();
        loop {
            let built = self.build_payload(index, now, room, buf);
            if !matches!(built, Ok(true)) {
                buf.truncate(start);
            }
            match built {
                Ok(written) => return written,
                // Its layer has let go of it, so this ends.
                Err(Unbuildable) => self.stats.unbuildable += 1,
            }
        }
    }

    fn build_payload(
        &mut self,
        index: usize,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Built {
        let Some(transport) = self.transports.get_mut(index) else {
            return Ok(false);
        };
        let start = buf.len();
        let Some(way) = transport.payload_way(now) else {
            return Ok(false);
        };
        let Some(room) = room.checked_sub(way.headroom + way.tailroom) else {
            return Ok(false);
        };
        buf.resize(start + way.headroom, 0);
        let association = match &mut self.data.transport {
            Some(sctp) if sctp.on == transport.id => sctp.association.as_mut(),
            _ => None,
        };
        let mut built = transport.dtls.poll_transmit(now, room, buf);
        if !built && let Some(association) = association {
            built = build_data(transport, association, now, room, buf)?;
        }
        if built {
            transport
                .ice
                .wrap(&way, buf, start)
                .map_err(|_| Unbuildable)?;
        }
        Ok(built)
    }

    /// The last datagrams of a connection: ABORT, then close_notify. They are built at once, as the
    /// machines close with them.
    pub(super) fn build_farewells(&mut self, now: Instant) {
        for index in 0..self.transports.len() {
            let Some(transport) = self.transports.get_mut(index) else {
                return;
            };
            let Some(way) = transport.payload_way(now) else {
                transport.dtls.close(now);
                continue;
            };
            for close in [false, true] {
                if close && let Some(transport) = self.transports.get_mut(index) {
                    transport.dtls.close(now);
                }
                // A flight of a handshake may stand before it.
                for _ in 0..MAX_FAREWELLS {
                    let mut datagram = Vec::new();
                    if !self.poll_payload(index, now, MTU, &mut datagram) {
                        break;
                    }
                    self.farewells
                        .push_back((convert::path(way.path), datagram));
                }
            }
        }
    }
}

/// One SCTP packet, sealed.
fn build_data(
    transport: &mut Transport,
    association: &mut oxirtc_sctp::Association,
    now: Instant,
    room: usize,
    buf: &mut Vec<u8>,
) -> Built {
    if transport.view.dtls != DtlsTransportState::Connected {
        return Ok(false);
    }
    let start = buf.len();
    let (headroom, tailroom) = (transport.dtls.headroom(), transport.dtls.tailroom());
    let Some(room) = room.checked_sub(headroom + tailroom) else {
        return Ok(false);
    };
    buf.resize(start + headroom, 0);
    if !association.poll_transmit(now, room, buf) {
        buf.truncate(start);
        return Ok(false);
    }
    transport
        .dtls
        .seal(buf, start)
        .map(|()| true)
        .map_err(|_| Unbuildable)
}

/// What a datagram may have on any path (RFC 8261 §5, RFC 8831 §5).
const MTU: usize = 1200;
const MAX_FAREWELLS: usize = 4;
