//! What comes from below: datagrams and time.

use std::time::Instant;

use super::{Engine, convert, counters::Counters, data::Data, demux::Kind, transport::Transport};
use crate::Path;

impl Engine {
    /// A datagram that came on `path`. It is opened in place.
    pub fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        self.counters.datagrams_received += 1;
        self.counters.bytes_received += datagram.len() as u64;
        if self.closed {
            return;
        }
        let (data, counters) = (&mut self.data, &mut self.counters);
        if let Some(transport) = self.transports.owner(path.local) {
            demux(transport, data, counters, now, path, datagram);
        } else if self.transports.len() == 0 {
            counters.dropped += 1;
        } else {
            // A shared socket, and transports that are not bundled yet: each agent knows its own by
            // the credentials, so none takes what is another's.
            self.transports.each_in_turn(now, |transport| {
                let mut datagram = datagram.to_vec();
                demux(transport, data, counters, now, path, &mut datagram);
            });
        }
        self.transports.share_pace(now);
        self.ascend(now);
    }

    /// Time has passed. Early and late calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.transports
            .each_in_turn(now, |transport| transport.handle_timeout(now));
        self.data.handle_timeout(now);
        self.ascend(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let transports = self.transports.iter().filter_map(Transport::poll_timeout);
        transports.chain(self.data.poll_timeout()).min()
    }
}

fn demux(
    transport: &mut Transport,
    data: &mut Data,
    counters: &mut Counters,
    now: Instant,
    path: Path,
    datagram: &mut [u8],
) {
    let (dtls, id) = (&mut transport.dtls, transport.id);
    let mut demux = |payload: &mut [u8]| match Kind::of(payload) {
        Kind::Dtls => dtls.handle_datagram(now, payload, &mut |packet| {
            if !data.handle_packet(now, id, packet) {
                counters.dropped += 1;
            }
        }),
        Kind::Rtp | Kind::Rtcp | Kind::Unknown => counters.dropped += 1,
    };
    transport
        .ice
        .handle_datagram(now, convert::ice_path(path), datagram, &mut demux);
}
