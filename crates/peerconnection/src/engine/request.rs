//! What the engine asks of the outside, and what it is answered.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    time::Instant,
};

use oxirtc_ice as ice;

use super::{Engine, transport::TransportId};
use crate::{Interface, Request, RequestId, Route};

/// Requests that wait to be taken, and those that wait for an answer.
#[derive(Default)]
pub(super) struct Requests {
    pub(super) routes: VecDeque<Route>,
    next: u64,
    open: BTreeMap<u64, (TransportId, ice::RequestId)>,
}

impl Requests {
    fn name(&mut self, transport: TransportId, id: ice::RequestId) -> RequestId {
        let name = self.next;
        self.next += 1;
        self.open.insert(name, (transport, id));
        RequestId(name)
    }
}

impl Engine {
    /// The next request. Take them all after every call that may have caused one, and after
    /// [`poll_transmit`](Self::poll_transmit), as a `Close` may stand behind a last datagram.
    pub fn poll_request(&mut self) -> Option<Request> {
        if let Some(route) = self.requests.routes.pop_front() {
            return Some(Request::Route(route));
        }
        // A socket goes when the farewells have gone.
        if !self.farewells.is_empty() {
            return None;
        }
        while let Some(agent) = self.transports.retired.last_mut() {
            if let Some(ice::Request::Close { local }) = agent.poll_request() {
                return Some(Request::Close { local });
            }
            self.transports.retired.pop();
        }
        for transport in self.transports.iter_mut() {
            match transport.ice.poll_request() {
                Some(ice::Request::Bind { id, address, scope }) => {
                    let id = self.requests.name(transport.id, id);
                    return Some(Request::Bind { id, address, scope });
                }
                Some(ice::Request::Close { local }) => {
                    transport.sockets.retain(|it| *it != local);
                    return Some(Request::Close { local });
                }
                _ => {}
            }
        }
        None
    }

    /// The answer to a request: the address of the socket, or why there is none.
    pub fn handle_response(
        &mut self,
        now: Instant,
        id: RequestId,
        result: Result<SocketAddr, io::ErrorKind>,
    ) {
        let Some((transport, id)) = self.requests.open.remove(&id.0) else {
            return;
        };
        let Some(transport) = self.transports.by_id_mut(transport) else {
            return;
        };
        transport.sockets.extend(result.ok());
        transport.ice.handle_response(now, id, result);
        self.transports.share_pace(now);
        self.ascend(now);
    }

    /// The addresses of this machine; again when they change. Gathering waits for the first call.
    pub fn handle_interfaces(&mut self, now: Instant, interfaces: &[Interface]) {
        self.equipment.interfaces = Some(interfaces.to_vec());
        let shown = self.equipment.shown_interfaces().unwrap_or_default();
        self.transports.each_in_turn(now, |transport| {
            transport.ice.handle_interfaces(now, &shown)
        });
        self.ascend(now);
    }
}
