//! To which ports sockets are bound.

use std::{io, net::SocketAddr, ops::RangeInclusive};

use crate::Settings;

/// The ports that a connection may have.
#[derive(Debug)]
pub(super) struct Ports(Option<RangeInclusive<u16>>);

impl Ports {
    /// Those that the settings have for sockets of its own.
    pub(super) fn of(settings: &Settings) -> Self {
        Self(settings.networks.ports.clone())
    }

    /// Binds at this address to any port, or to the first of the range that is free.
    pub(super) fn bind<T>(
        &self,
        mut address: SocketAddr,
        bind: impl Fn(SocketAddr) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(range) = &self.0 else {
            return bind(address);
        };
        let mut refused = io::ErrorKind::AddrInUse;
        // Port 0 would be any.
        for port in range.clone().filter(|port| *port != 0) {
            address.set_port(port);
            match bind(address) {
                // Ports below 1,024 may not be for everybody, and those above are.
                Err(error) if UNFIT.contains(&error.kind()) => refused = error.kind(),
                bound => return bound,
            }
        }
        Err(refused.into())
    }
}

/// Why one port cannot be had while the next one can.
const UNFIT: [io::ErrorKind; 2] = [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_port_of_the_range_is_taken() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let bind = |range, taken: &[u16], address| {
            Ports(range).bind(address, |it| match taken.contains(&it.port()) {
                true => Err(io::ErrorKind::AddrInUse.into()),
                false => Ok(it),
            })
        };
        assert_eq!(bind(None, &[], at(0)).unwrap(), at(0));
        assert_eq!(bind(Some(5..=7), &[], at(0)).unwrap(), at(5));
        assert_eq!(bind(Some(5..=7), &[5, 6], at(0)).unwrap(), at(7));
        assert_eq!(bind(Some(0..=7), &[], at(0)).unwrap(), at(1));
        let all = bind(Some(5..=7), &[5, 6, 7], at(0)).unwrap_err();
        assert_eq!(all.kind(), io::ErrorKind::AddrInUse);
        let privileged = Ports(Some(5..=7)).bind(at(0), |it| match it.port() {
            ..7 => Err(io::ErrorKind::PermissionDenied.into()),
            _ => Ok(it),
        });
        assert_eq!(privileged.unwrap(), at(7));
        let refused = Ports(Some(5..=7)).bind(at(0), |_| {
            Err::<(), _>(io::ErrorKind::PermissionDenied.into())
        });
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
