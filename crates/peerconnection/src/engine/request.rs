//! What the engine asks of the outside, and what it is answered.

use std::collections::{BTreeMap, VecDeque};

use oxirtc_ice as ice;

use super::ids::TransportId;
use crate::{RequestId, Route};

/// Requests that wait to be taken, and those that wait for an answer.
#[derive(Default)]
pub(super) struct Requests {
    pub(super) routes: VecDeque<Route>,
    next: u64,
    pub(super) open: BTreeMap<u64, (TransportId, ice::RequestId)>,
}

impl Requests {
    pub(super) fn name(&mut self, transport: TransportId, id: ice::RequestId) -> RequestId {
        let name = self.next;
        self.next += 1;
        self.open.insert(name, (transport, id));
        RequestId(name)
    }
}
