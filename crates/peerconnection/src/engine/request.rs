//! What the engine asks of the outside, and what it is answered.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
};

use oxirtc_ice as ice;

use super::{claims::Claims, ids::TransportId, sockets::Kind};
use crate::{Request, RequestId, Route};

/// Requests that wait to be taken, and those that wait for an answer.
#[derive(Default)]
pub(super) struct Requests {
    pub(super) routes: VecDeque<Route>,
    /// Which transport has which path.
    pub(super) claims: Claims,
    next: u64,
    pub(super) open: BTreeMap<u64, Open>,
    /// What those wait for whose transport is gone.
    orphans: BTreeMap<u64, Kind>,
    /// Ends what came for them, which nobody else would ever close.
    pub(super) unwanted: VecDeque<Request>,
}

/// A request that waits for its answer.
pub(super) struct Open {
    pub(super) transport: TransportId,
    pub(super) id: ice::RequestId,
    /// What the answer brings.
    pub(super) kind: Option<Kind>,
}

impl Requests {
    pub(super) fn name(
        &mut self,
        transport: TransportId,
        id: ice::RequestId,
        kind: Option<Kind>,
    ) -> RequestId {
        let name = self.next;
        self.next += 1;
        let open = Open {
            transport,
            id,
            kind,
        };
        self.open.insert(name, open);
        RequestId(name)
    }

    /// A transport is gone: what it has asked for is still to come.
    pub(super) fn orphan(&mut self, transport: TransportId) {
        let its = self.open.extract_if(.., |_, it| it.transport == transport);
        let its = its.filter_map(|(name, it)| Some((name, it.kind?)));
        self.orphans.extend(its);
    }

    /// An answer has come.
    pub(super) fn answered(&mut self, id: RequestId, local: Option<SocketAddr>) {
        let kind = self.orphans.remove(&id.0);
        let ended = kind.zip(local).map(|(kind, local)| kind.end(local));
        self.unwanted.extend(ended);
    }
}
