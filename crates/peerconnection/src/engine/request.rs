//! What the engine asks of the outside, and what it is answered.

use std::{collections::BTreeMap, io, net::SocketAddr, time::Instant};

use oxirtc_ice as ice;

use super::{Engine, TransportId, convert};
use crate::{Interface, Request, RequestId, Route};

/// Requests that wait for an answer.
#[derive(Default)]
pub(super) struct Requests {
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
        // A socket goes when the farewells have gone.
        if !self.farewells.is_empty() {
            return None;
        }
        while let Some(agent) = self.retired.last_mut() {
            if let Some(ice::Request::Close { local }) = agent.poll_request() {
                return Some(Request::Close { local });
            }
            self.retired.pop();
        }
        for transport in &mut self.transports {
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
        let Some(index) = self.transports.iter().position(|it| it.id == transport) else {
            return;
        };
        if let Some(transport) = self.transports.get_mut(index) {
            transport.sockets.extend(result.ok());
            transport
                .ice
                .handle_response(now, &mut self.ice_set, id, result);
        }
        self.ascend(now);
    }

    /// The addresses of this machine; again when they change. Gathering waits for the first call.
    pub fn handle_interfaces(&mut self, now: Instant, interfaces: &[Interface]) {
        self.foundation.interfaces = Some(interfaces.to_vec());
        let shown = convert::interfaces(interfaces);
        for transport in &mut self.transports {
            transport
                .ice
                .handle_interfaces(now, &mut self.ice_set, &shown);
        }
        self.ascend(now);
    }

    /// The next change of what belongs to this connection, for a driver that shares a socket among
    /// connections.
    pub fn poll_route(&mut self) -> Option<Route> {
        self.routes.pop_front()
    }
}
