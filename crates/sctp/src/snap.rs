//! Setting up by signalling (draft-hancke-tsvwg-snap-00): both ends' INIT chunks travel in the descriptions, so that data flows with
//! the first packet.

use std::time::Instant;

use rand_core::Rng;

use crate::{
    Association, Event, State, Tsn,
    connect::{Offer, is_usable},
    packet::{Chunk, ChunkKind, Init},
    setup::random_tag,
};

impl Association {
    /// Our INIT chunk, header and all, for the peer to give to its [`connect_with`](Self::connect_with). It is that of an
    /// association which has not connected yet; afterwards it means nothing.
    pub fn local_init(&self) -> Vec<u8> {
        let mut buf = Vec::new();
        let parameters = self.our_parameters(None, &[]);
        self.our_init(self.peer.local_tag, self.setup_tsn(), &parameters)
            .write(ChunkKind::INIT, &mut buf);
        buf
    }

    /// Connects without a handshake: the peer has our [`local_init`](Self::local_init), this is its own, and it does the same.
    /// What carried them must be as authentic as the layer below. False if it is no INIT chunk that could have opened an
    /// association, or if this one has begun already: then [`connect`](Self::connect) is the way.
    pub fn connect_with(&mut self, now: Instant, remote_init: &[u8]) -> bool {
        if self.state != State::Closed || self.ended.is_some() {
            return false;
        }
        // Of which peer a cookie is later is told by this.
        self.clock = self.clock.max(now);
        let chunk = Chunk::parse(remote_init).filter(|chunk| chunk.kind == ChunkKind::INIT);
        let init = chunk.and_then(|chunk| Init::parse(chunk.value));
        let usable = init.filter(|init| init.tag != 0 && is_usable(init));
        let offer = usable.map(|init| {
            (
                init,
                Offer::parse(init.parameters(), self.config.max_packet),
            )
        });
        let Some((init, offer)) = offer.filter(|(_, offer)| offer.host_name.is_none()) else {
            // The peer may have begun with what ours says. RFC 9260 §5.2.4 A: another tag is another association to it.
            self.peer.local_tag = random_tag(&mut self.rng);
            let initial = Tsn(self.rng.next_u32());
            self.tx.restart(initial);
            return false;
        };
        self.take_offer(&init, &offer);
        self.establish(now, Event::Connected);
        // No cookie has come.
        self.control.cookie_ack = false;
        true
    }
}
