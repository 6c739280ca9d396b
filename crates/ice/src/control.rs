//! The agent's own datagrams, until they are fetched.

use std::collections::VecDeque;

use crate::{
    Path,
    base::{BaseId, PairKey},
    pair::PairId,
};

/// Checks and responses in order. Buffers are used again.
#[derive(Debug, Default)]
pub(crate) struct ControlQueue {
    datagrams: VecDeque<Datagram>,
    spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) path: Path,
    /// The pair it goes on; `None` for what is a server's.
    pub(crate) key: Option<PairKey>,
    check: Option<PairId>,
    pub(crate) bytes: Vec<u8>,
}

impl ControlQueue {
    pub(crate) fn path(&self) -> Option<Path> {
        self.datagrams.front().map(|datagram| datagram.path)
    }

    /// An empty buffer to build a message in.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Queues a built message; `check` names the pair that a request belongs to. Returns how many
    /// messages had to be dropped for it, which happens only when nobody fetches them.
    pub(crate) fn push(
        &mut self,
        (key, path): (Option<PairKey>, Path),
        check: Option<PairId>,
        bytes: Vec<u8>,
    ) -> u64 {
        if bytes.is_empty() {
            return 1;
        }
        let full = self.datagrams.len() >= MAX_QUEUED;
        if let Some(oldest) = self.datagrams.pop_front_if(|_| full) {
            self.reuse(oldest.bytes);
        }
        self.datagrams.push_back(Datagram {
            path,
            key,
            check,
            bytes,
        });
        u64::from(full)
    }

    /// The first, if it fits in so many bytes.
    pub(crate) fn pop(&mut self, room: impl FnOnce(&Datagram) -> usize) -> Option<Datagram> {
        self.datagrams
            .pop_front_if(|next| next.bytes.len() <= room(next))
    }

    /// Takes back the requests of a pair that lost its consent or its session.
    pub(crate) fn cancel(&mut self, pair: PairId) {
        self.datagrams
            .retain(|datagram| datagram.check != Some(pair));
    }

    /// Takes back what was to leave from a base that is gone.
    pub(crate) fn cancel_base(&mut self, base: BaseId) {
        self.datagrams
            .retain(|datagram| datagram.key.is_none_or(|key| key.base != base));
    }

    pub(crate) fn clear(&mut self) {
        self.datagrams.clear();
    }

    pub(crate) fn reuse(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < MAX_SPARE {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

const MAX_QUEUED: usize = 128;
const MAX_SPARE: usize = 8;
