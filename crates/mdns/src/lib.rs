#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod mdns;
mod message;
mod name;
mod publish;
mod query;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use crate::{
    mdns::{Error, Event, Mdns, Target, Transmit},
    name::is_local,
};

/// Where questions and answers go over IPv4 (RFC 6762 §3).
pub const GROUP_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)), PORT);
/// Where questions and answers go over IPv6 (RFC 6762 §3).
pub const GROUP_V6: SocketAddr = SocketAddr::new(
    IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb)),
    PORT,
);
/// The port of multicast DNS.
pub const PORT: u16 = 5353;
