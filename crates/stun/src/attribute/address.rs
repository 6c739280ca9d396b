//! Addresses in attributes, plain and XORed.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |0 0 0 0 0 0 0 0|    Family     |             Port              |
//! |                Address (32 or 128 bits)                       |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{
    header::{MAGIC_COOKIE, TransactionId},
    wire,
};

/// The family of an address (RFC 8489 §14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFamily {
    /// IPv4, 1 on the wire.
    Ipv4,
    /// IPv6, 2 on the wire.
    Ipv6,
}

impl AddressFamily {
    pub(super) const fn from_wire(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Ipv4),
            2 => Some(Self::Ipv6),
            _ => None,
        }
    }

    pub(super) const fn to_wire(self) -> u8 {
        match self {
            Self::Ipv4 => 1,
            Self::Ipv6 => 2,
        }
    }
}

pub(super) fn parse(value: &[u8]) -> Option<SocketAddr> {
    // RFC 8489 §14.1: the first byte is to be ignored.
    let (&[_, family, port_high, port_low], address) = value.split_first_chunk()?;
    let address: IpAddr = match AddressFamily::from_wire(family)? {
        AddressFamily::Ipv4 => <[u8; 4]>::try_from(address).ok()?.into(),
        AddressFamily::Ipv6 => <[u8; 16]>::try_from(address).ok()?.into(),
    };
    Some(SocketAddr::new(
        address,
        wire::read_u16([port_high, port_low]),
    ))
}

pub(super) fn write(address: SocketAddr, out: &mut Vec<u8>) {
    let family = if address.is_ipv4() {
        AddressFamily::Ipv4
    } else {
        AddressFamily::Ipv6
    };
    out.extend_from_slice(&[0, family.to_wire()]);
    wire::put_u16(out, address.port());
    match address.ip() {
        IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
    }
}

/// RFC 8489 §14.2: port and address XORed with the cookie, IPv6 with the transaction id too. Its own inverse.
pub(super) fn xor(address: SocketAddr, id: TransactionId) -> SocketAddr {
    // Its first two bytes.
    let port = address.port() ^ (MAGIC_COOKIE >> 16) as u16;
    let ip: IpAddr = match address.ip() {
        IpAddr::V4(ip) => Ipv4Addr::from(u32::from(ip) ^ MAGIC_COOKIE).into(),
        IpAddr::V6(ip) => {
            let id = id
                .as_bytes()
                .iter()
                .fold(0_u128, |id, byte| id << 8 | u128::from(*byte));
            Ipv6Addr::from(u128::from(ip) ^ (u128::from(MAGIC_COOKIE) << 96 | id)).into()
        }
    };
    SocketAddr::new(ip, port)
}
