//! Payload on its way to the server and from it.

use std::{net::SocketAddr, ops::Range};

use byteorder::{ByteOrder, NetworkEndian};
use oxirtc_stun::{Attribute, Builder, Class, Message, Method, TransactionId};

use crate::error::Error;

/// Bytes before payload in ChannelData.
pub(crate) const CHANNEL_HEADER: usize = 4;
/// Bytes behind payload at most.
pub(crate) const MAX_PADDING: usize = 3;

/// Bytes before payload in a Send indication.
pub(crate) fn indication_header(peer: SocketAddr) -> usize {
    if peer.is_ipv4() { 36 } else { 48 }
}

/// Writes the header of ChannelData before the payload that stands behind `start` and its headroom.
pub(crate) fn write_channel(
    buf: &mut Vec<u8>,
    start: usize,
    number: u16,
    padded: bool,
) -> Result<(), Error> {
    let whole = buf.get_mut(start..).ok_or(Error::Length)?;
    let (header, payload) = whole
        .split_at_mut_checked(CHANNEL_HEADER)
        .ok_or(Error::Length)?;
    let length = u16::try_from(payload.len()).map_err(|_| Error::Length)?;
    let (first, second) = header.split_at_mut(2);
    NetworkEndian::write_u16(first, number);
    NetworkEndian::write_u16(second, length);
    if padded {
        // RFC 8656 §12.5: in a stream, so that the next message begins at a multiple of four.
        let length = buf.len() - start;
        buf.resize(start + length.next_multiple_of(4), 0);
    }
    Ok(())
}

/// Writes a Send indication around the payload that stands behind `start` and its headroom.
pub(crate) fn write_indication(
    buf: &mut Vec<u8>,
    start: usize,
    peer: SocketAddr,
    id: TransactionId,
) -> Result<(), Error> {
    let mut header = Vec::with_capacity(indication_header(peer));
    let mut builder = Builder::new(&mut header, Class::Indication, Method::SEND, id);
    builder.add(Attribute::XorPeerAddress(peer));
    builder.add(Attribute::Data(&[]));
    builder.finish().map_err(|_| Error::Length)?;
    let room = buf
        .len()
        .checked_sub(start + header.len())
        .ok_or(Error::Length)?;
    let length = u16::try_from(room).map_err(|_| Error::Length)?;
    let padded = room.next_multiple_of(4);
    let message = u16::try_from(header.len() - oxirtc_stun::HEADER_LENGTH + padded);
    let message = message.map_err(|_| Error::Length)?;
    let field = |header: &mut Vec<u8>, at: usize, value: u16| {
        if let Some(field) = header.get_mut(at..at + 2) {
            NetworkEndian::write_u16(field, value);
        }
    };
    let end = header.len();
    field(&mut header, 2, message);
    field(&mut header, end - 2, length);
    let place = buf.get_mut(start..start + end).ok_or(Error::Length)?;
    place.copy_from_slice(&header);
    buf.resize(start + end + padded, 0);
    Ok(())
}

/// The number of ChannelData and where its payload stands; `None` when it is cut off.
pub(crate) fn read_channel(datagram: &[u8]) -> Option<(u16, Range<usize>)> {
    let (header, payload) = datagram.split_at_checked(CHANNEL_HEADER)?;
    let (number, length) = header.split_at(2);
    let length = usize::from(NetworkEndian::read_u16(length));
    let number = NetworkEndian::read_u16(number);
    (length <= payload.len()).then_some((number, CHANNEL_HEADER..CHANNEL_HEADER + length))
}

/// The peer of a Data indication and where its payload stands in the message.
pub(crate) fn read_indication(message: &Message<'_>) -> Option<(SocketAddr, Range<usize>)> {
    let peer = message.xor_peer_address()?;
    let data = message.data()?;
    let start = data
        .as_ptr()
        .addr()
        .checked_sub(message.as_bytes().as_ptr().addr())?;
    Some((peer, start..start + data.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padded(payload: usize, headroom: usize) -> Vec<u8> {
        [vec![0; headroom + 1], vec![7; payload]].concat()
    }

    #[test]
    fn channel_data_survives() {
        for (length, on_stream) in [(0, false), (5, false), (5, true), (8, true), (1200, true)] {
            let mut buf = padded(length, CHANNEL_HEADER);
            write_channel(&mut buf, 1, 0x4001, on_stream).unwrap();
            let end = if on_stream {
                length.next_multiple_of(4)
            } else {
                length
            };
            assert_eq!(buf.len(), 1 + CHANNEL_HEADER + end);
            let (number, range) = read_channel(&buf[1..]).unwrap();
            assert_eq!((number, &buf[1..][range]), (0x4001, &vec![7; length][..]));
        }
        assert_eq!(read_channel(&[0x40, 0, 0, 2, 1]), None);
        assert_eq!(
            write_channel(&mut vec![0; 3], 0, 0x4000, false),
            Err(Error::Length)
        );
        let mut long = vec![0; 70_000];
        assert_eq!(
            write_channel(&mut long, 0, 0x4000, false),
            Err(Error::Length)
        );
    }

    #[test]
    fn indications_survive() {
        for peer in ["192.0.2.7:9", "[2001:db8::7]:9"] {
            let peer: SocketAddr = peer.parse().unwrap();
            for length in [0, 1, 2, 3, 4, 1100] {
                let mut buf = padded(length, indication_header(peer));
                write_indication(&mut buf, 1, peer, TransactionId::new([3; 12])).unwrap();
                let behind = buf.len() - 1 - indication_header(peer) - length;
                assert!(behind <= MAX_PADDING);
                let message = Message::parse(&buf[1..]).unwrap();
                assert_eq!(message.class(), Class::Indication);
                let (from, range) = read_indication(&message).unwrap();
                assert_eq!((from, &buf[1..][range]), (peer, &vec![7; length][..]));
            }
        }
    }
}
