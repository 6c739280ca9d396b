//! Datagrams that are marked in their IP header, which `quinn-udp` writes itself.

use std::{
    io::{self, IoSlice},
    net::IpAddr,
    os::fd::AsRawFd,
};

use byteorder::{ByteOrder, NativeEndian};
use nix::{
    libc,
    sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg},
};

use super::outgoing::Outgoing;

/// Sends a batch as it is marked, without waiting.
///
/// # Errors
///
/// Those of the system.
pub(super) fn send(socket: &impl AsRawFd, outgoing: &Outgoing<'_>) -> io::Result<()> {
    // RFC 2474 §3, RFC 3168 §5: six bits and two.
    let class = (outgoing.dscp << 2) | (outgoing.ecn & 3);
    let class_v6 = i32::from(class);
    let segment = u16::try_from(outgoing.segment).map_err(|_| io::ErrorKind::InvalidInput)?;
    let (source_v4, source_v6);
    let mut messages = Vec::with_capacity(3);
    messages.push(match outgoing.destination.is_ipv4() {
        true => ControlMessage::Ipv4Tos(&class),
        false => ControlMessage::Ipv6TClass(&class_v6),
    });
    if outgoing.contents.len() > outgoing.segment {
        messages.push(ControlMessage::UdpGsoSegments(&segment));
    }
    match outgoing.source {
        Some(IpAddr::V4(address)) => {
            source_v4 = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: NativeEndian::read_u32(&address.octets()),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            messages.push(ControlMessage::Ipv4PacketInfo(&source_v4));
        }
        Some(IpAddr::V6(address)) => {
            source_v6 = libc::in6_pktinfo {
                ipi6_ifindex: 0,
                ipi6_addr: libc::in6_addr {
                    s6_addr: address.octets(),
                },
            };
            messages.push(ControlMessage::Ipv6PacketInfo(&source_v6));
        }
        None => {}
    }
    let contents = [IoSlice::new(outgoing.contents)];
    let to = SockaddrStorage::from(outgoing.destination);
    let sent = sendmsg(
        socket.as_raw_fd(),
        &contents,
        &messages,
        MsgFlags::empty(),
        Some(&to),
    );
    sent.map(drop).map_err(io::Error::from)
}

/// Whether the system, or the network card, refuses to segment.
pub(super) fn cannot_segment(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL))
}
