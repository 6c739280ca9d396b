//! The local link: its addresses, and the sockets of multicast DNS on it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    task::{Context, Poll},
};

use if_addrs::IfAddr;
use oxirtc_mdns::{GROUP_V4, GROUP_V6, PORT, Target, Transmit};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::UdpSocket;

/// An address of this machine, and how much of it its neighbours have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    address: IpAddr,
    prefix: u8,
    index: u32,
}

/// Sockets that speak multicast DNS on the links of this machine.
pub(super) struct Link {
    /// Whose links count; `None` for all addresses of this machine.
    only: Option<Vec<IpAddr>>,
    places: Vec<Place>,
    sockets: Vec<(Role, UdpSocket)>,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Port 5353, which other programs have as well.
    Group,
    /// A port of its own, from which is asked.
    Asking,
}

impl Link {
    /// Opens the sockets on this runtime. A family, or port 5353, that cannot be had is done without.
    ///
    /// # Errors
    ///
    /// When the addresses of this machine cannot be listed.
    pub(super) fn open(only: Option<Vec<IpAddr>>) -> io::Result<Self> {
        let mut sockets = Vec::new();
        for role in [Role::Group, Role::Asking] {
            for any in [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()] {
                match bind(role, any) {
                    Ok(socket) => sockets.push((role, socket)),
                    Err(error) => log::debug!("multicast DNS without {role:?} at {any}: {error}"),
                }
            }
        }
        let mut link = Self {
            only,
            places: Vec::new(),
            sockets,
        };
        link.look()?;
        Ok(link)
    }

    /// Looks at the addresses of this machine, and listens on those that are new.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn look(&mut self) -> io::Result<()> {
        let mut places = places()?;
        if let Some(only) = &self.only {
            places.retain(|place| only.contains(&place.address));
        }
        places.truncate(MAX_PLACES);
        for place in places.iter().filter(|it| !self.places.contains(it)) {
            for (_, socket) in self.sockets.iter().filter(|(role, _)| *role == Role::Group) {
                if let Err(error) = join(socket, *place) {
                    // Of several addresses of an interface the first has joined for all.
                    log::trace!("no multicast DNS at {}: {error}", place.address);
                }
            }
        }
        self.places = places;
        Ok(())
    }

    /// Waits until something has come.
    pub(super) async fn readable(&self) {
        let ready = |context: &mut Context<'_>| {
            let mut ready = false;
            for (_, socket) in &self.sockets {
                ready |= socket.poll_recv_ready(context).is_ready();
            }
            if ready {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        };
        std::future::poll_fn(ready).await;
    }

    /// Hands over what has come from neighbours, up to a bound.
    pub(super) fn receive(&self, buffer: &mut [u8], mut each: impl FnMut(SocketAddr, &[u8])) {
        for (_, socket) in &self.sockets {
            for _ in 0..AT_ONCE {
                match socket.try_recv_from(buffer) {
                    // RFC 6762 §11: what comes from elsewhere is dropped.
                    Ok((length, from)) if self.is_near(from.ip()) => {
                        each(from, buffer.get(..length).unwrap_or_default());
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => log::trace!("multicast DNS: {error}"),
                }
            }
        }
    }

    /// Sends once on each interface, or to the one. What the network refuses is lost, as any datagram may be.
    pub(super) fn send(&self, transmit: &Transmit) {
        let role = match transmit.target {
            Target::Question => Role::Asking,
            Target::Group | Target::One(_) => Role::Group,
        };
        for (_, socket) in self.sockets.iter().filter(|(of, _)| *of == role) {
            let Ok(bound) = socket.local_addr() else {
                continue;
            };
            if let Target::One(to) = transmit.target {
                if to.is_ipv4() == bound.is_ipv4() {
                    sent(socket.try_send_to(&transmit.bytes, to));
                }
                continue;
            }
            let mut interfaces = Vec::new();
            for place in self
                .places
                .iter()
                .filter(|it| it.address.is_ipv4() == bound.is_ipv4())
            {
                // Of several addresses of an interface one is enough.
                if place.index == 0 || !interfaces.contains(&place.index) {
                    interfaces.push(place.index);
                    sent(send_from(socket, *place, &transmit.bytes));
                }
            }
        }
    }

    /// Whether this address is on a link of ours.
    fn is_near(&self, address: IpAddr) -> bool {
        self.places.iter().any(|place| place.is_near(address))
    }
}

impl Place {
    fn is_near(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(it)) => {
                let apart = ours.to_bits() ^ it.to_bits();
                apart
                    .checked_shr(32 - u32::from(self.prefix.min(32)))
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(it)) => {
                let apart = ours.to_bits() ^ it.to_bits();
                let near = apart
                    .checked_shr(128 - u32::from(self.prefix.min(128)))
                    .unwrap_or(0)
                    == 0;
                near || it.is_unicast_link_local()
            }
            _ => false,
        }
    }
}

fn bind(role: Role, any: IpAddr) -> io::Result<UdpSocket> {
    let port = match role {
        Role::Group => PORT,
        Role::Asking => 0,
    };
    let address = SocketAddr::new(any, port);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    if role == Role::Group {
        // Who binds last has what is sent to this machine alone; what goes to the group comes to all.
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(target_os = "linux")))]
        socket.set_reuse_port(true)?;
    }
    // RFC 6762 §11: with the highest hop count, as resolvers of the old kind look at it.
    if any.is_ipv4() {
        socket.set_multicast_ttl_v4(HOPS)?;
    } else {
        socket.set_only_v6(true)?;
        socket.set_multicast_hops_v6(HOPS)?;
    }
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

fn join(socket: &UdpSocket, place: Place) -> io::Result<()> {
    let bound = socket.local_addr()?;
    match (bound, place.address, GROUP_V4.ip(), GROUP_V6.ip()) {
        (SocketAddr::V4(_), IpAddr::V4(address), IpAddr::V4(group), _) => {
            socket.join_multicast_v4(group, address)
        }
        (SocketAddr::V6(_), IpAddr::V6(_), _, IpAddr::V6(group)) => {
            socket.join_multicast_v6(&group, place.index)
        }
        _ => Ok(()),
    }
}

fn send_from(socket: &UdpSocket, place: Place, bytes: &[u8]) -> io::Result<usize> {
    match place.address {
        IpAddr::V4(address) => {
            SockRef::from(socket).set_multicast_if_v4(&address)?;
            socket.try_send_to(bytes, GROUP_V4)
        }
        IpAddr::V6(_) => {
            SockRef::from(socket).set_multicast_if_v6(place.index)?;
            socket.try_send_to(bytes, GROUP_V6)
        }
    }
}

fn sent(result: io::Result<usize>) {
    if let Err(error) = result {
        log::trace!("multicast DNS is not sent: {error}");
    }
}

fn places() -> io::Result<Vec<Place>> {
    let found = if_addrs::get_if_addrs()?.into_iter();
    let places = found.map(|it| {
        let prefix = match &it.addr {
            IfAddr::V4(addr) => addr.prefixlen,
            IfAddr::V6(addr) => addr.prefixlen,
        };
        Place {
            address: it.ip(),
            prefix,
            index: it.index.unwrap_or_default(),
        }
    });
    Ok(places.collect())
}

const HOPS: u32 = 255;
const MAX_PLACES: usize = 32;
/// Datagrams of one socket that are looked at before something else is.
const AT_ONCE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_have_the_prefix_in_common() {
        let place = |address: &str, prefix| Place {
            address: address.parse().unwrap(),
            prefix,
            index: 1,
        };
        let near = |place: Place, address: &str| place.is_near(address.parse().unwrap());
        let v4 = place("192.0.2.1", 24);
        assert!(near(v4, "192.0.2.200") && near(v4, "::ffff:192.0.2.200"));
        assert!(!near(v4, "192.0.3.1") && !near(v4, "2001:db8::1"));
        assert!(near(place("10.0.0.1", 32), "10.0.0.1"));
        assert!(!near(place("10.0.0.1", 32), "10.0.0.2"));
        assert!(near(place("10.0.0.1", 0), "192.0.2.1"));
        let v6 = place("2001:db8::1", 64);
        assert!(near(v6, "2001:db8::ff") && near(v6, "fe80::9"));
        assert!(!near(v6, "2001:db8:1::1") && !near(v6, "192.0.2.1"));
    }
}
