//! What the engine asks of the outside, and what it is answered.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
};

use oxirtc_ice as ice;

use super::{claims::Claims, ids::TransportId};
use crate::{RequestId, Route};

/// Requests that wait to be taken, and those that wait for an answer.
#[derive(Default)]
pub(super) struct Requests {
    pub(super) routes: VecDeque<Route>,
    /// Which transport has which path.
    pub(super) claims: Claims,
    next: u64,
    pub(super) open: BTreeMap<u64, (TransportId, ice::RequestId)>,
    /// Those whose transport is gone.
    orphans: BTreeSet<u64>,
    /// What came for them, which nobody else would ever close.
    pub(super) unwanted: VecDeque<SocketAddr>,
}

impl Requests {
    pub(super) fn name(&mut self, transport: TransportId, id: ice::RequestId) -> RequestId {
        let name = self.next;
        self.next += 1;
        self.open.insert(name, (transport, id));
        RequestId(name)
    }

    /// A transport is gone: what it has asked for is still to come.
    pub(super) fn orphan(&mut self, transport: TransportId) {
        let its = self.open.extract_if(.., |_, (of, _)| *of == transport);
        self.orphans.extend(its.map(|(name, _)| name));
    }

    /// An answer has come.
    pub(super) fn answered(&mut self, id: RequestId, local: Option<SocketAddr>) {
        if self.orphans.remove(&id.0) {
            self.unwanted.extend(local);
        }
    }
}
