//! Attributes: their types, their values, how both stand on the wire.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |         Type                  |            Length             |
//! |                         Value (variable, padded to 32 bits)  ..
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

mod address;
mod error_code;
mod kind;
mod password_algorithm;

use std::{fmt, net::SocketAddr};

pub use self::{
    address::AddressFamily,
    error_code::ErrorCode,
    kind::AttributeType,
    password_algorithm::{PasswordAlgorithm, PasswordAlgorithms},
};
use crate::{Error, TransactionId, wire};

/// An attribute with its value checked and decoded, borrowed from where it stands.
///
/// Bits that the standards reserve are not looked at. Attributes of other specifications are [`Self::Other`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attribute<'a> {
    /// The address that a server saw, as RFC 3489 clients read it.
    MappedAddress(SocketAddr),
    /// Whose credentials protect the message; at most 513 bytes, which two fragments of ICE can need.
    Username(&'a str),
    /// HMAC-SHA1 as it stands. [`Builder::message_integrity`](crate::Builder::message_integrity) computes it.
    MessageIntegrity([u8; 20]),
    /// Why a request was refused.
    ErrorCode(ErrorCode<'a>),
    /// The types that a 420 response complains of.
    UnknownAttributes(AttributeTypes<'a>),
    /// The number of a channel.
    ChannelNumber(u16),
    /// How long an allocation lives without refresh, in seconds.
    Lifetime(u32),
    /// The address and port of a peer as the server sees it.
    XorPeerAddress(SocketAddr),
    /// The application's bytes in a Send or Data indication.
    Data(&'a [u8]),
    /// The realm of long-term credentials, at most 763 bytes.
    Realm(&'a str),
    /// The nonce of long-term credentials, at most 763 bytes, echoed as it came.
    Nonce(&'a [u8]),
    /// The address that a server allocated.
    XorRelayedAddress(SocketAddr),
    /// The family of the address that is to be allocated.
    RequestedAddressFamily(AddressFamily),
    /// The port is to be even, and the next one reserved if this is true.
    EvenPort(bool),
    /// The protocol number of the transport between server and peer; 17 is UDP, 6 TCP.
    RequestedTransport(u8),
    /// The server is to set the DF bit.
    DontFragment,
    /// HMAC-SHA256 as it stands, 16 to 32 bytes. [`Builder::message_integrity_sha256`](crate::Builder::message_integrity_sha256)
    /// computes it.
    MessageIntegritySha256(&'a [u8]),
    /// The digest that the client chose.
    PasswordAlgorithm(PasswordAlgorithm<'a>),
    /// The username in the anonymous form of [`userhash`](crate::userhash).
    Userhash([u8; 32]),
    /// The address that a server, or the peer of a check, saw.
    XorMappedAddress(SocketAddr),
    /// The reserved port that an Allocate request claims.
    ReservationToken([u8; 8]),
    /// The priority that a peer-reflexive candidate learned from this check would have.
    Priority(u32),
    /// The controlling agent nominates the pair.
    UseCandidate,
    /// A TCP connection between server and peer.
    ConnectionId(u32),
    /// The second family of which an address is to be allocated.
    AdditionalAddressFamily(AddressFamily),
    /// Why no address of a family was allocated.
    AddressErrorCode(AddressFamily, ErrorCode<'a>),
    /// The digests that a server offers.
    PasswordAlgorithms(PasswordAlgorithms<'a>),
    /// The name that the certificate of the alternate server has, at most 255 bytes.
    AlternateDomain(&'a str),
    /// Why a packet to a peer was dropped.
    Icmp(Icmp),
    /// What software sent the message, at most 763 bytes.
    Software(&'a str),
    /// The server that is to be asked instead.
    AlternateServer(SocketAddr),
    /// CRC-32 as it stands. [`Builder::fingerprint`](crate::Builder::fingerprint) computes it.
    Fingerprint(u32),
    /// The sender believes to be controlled; with its tiebreaker.
    IceControlled(u64),
    /// The sender believes to be controlling; with its tiebreaker.
    IceControlling(u64),
    /// An attribute that this crate does not know.
    Other(RawAttribute<'a>),
}

/// An attribute as it stands: its value is not checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawAttribute<'a> {
    /// Its type.
    pub kind: AttributeType,
    /// Its value without padding.
    pub value: &'a [u8],
}

/// A list of attribute types, the value of UNKNOWN-ATTRIBUTES (RFC 8489 §14.13).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttributeTypes<'a>(&'a [u8]);

/// What a router told a TURN server about a packet (RFC 8656 §18.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Icmp {
    /// The ICMP type, 7 bits.
    pub kind: u8,
    /// The ICMP code, 9 bits.
    pub code: u16,
    /// The MTU, if the type tells of one.
    pub data: u32,
}

impl<'a> RawAttribute<'a> {
    /// Checks and decodes the value. The transaction id is that of the message; IPv6 addresses are XORed with it.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn parse(self, id: TransactionId) -> Result<Attribute<'a>, Error> {
        self.decode(id).ok_or(Error::Malformed(self.kind))
    }

    fn decode(self, id: TransactionId) -> Option<Attribute<'a>> {
        use Attribute as A;
        use AttributeType as T;

        let value = self.value;
        let address = || address::parse(value);
        let xored = || Some(address::xor(address::parse(value)?, id));
        Some(match self.kind {
            T::MAPPED_ADDRESS => A::MappedAddress(address()?),
            T::USERNAME => A::Username(text(value, MAX_USERNAME)?),
            T::MESSAGE_INTEGRITY => A::MessageIntegrity(value.try_into().ok()?),
            T::ERROR_CODE => A::ErrorCode(ErrorCode::parse(value)?),
            T::UNKNOWN_ATTRIBUTES => A::UnknownAttributes(AttributeTypes::parse(value)?),
            T::CHANNEL_NUMBER => {
                let [high, low, _, _] = value.try_into().ok()?;
                A::ChannelNumber(wire::read_u16([high, low]))
            }
            T::LIFETIME => A::Lifetime(wire::read_u32(value.try_into().ok()?)),
            T::XOR_PEER_ADDRESS => A::XorPeerAddress(xored()?),
            T::DATA => A::Data(value),
            T::REALM => A::Realm(text(value, MAX_TEXT)?),
            T::NONCE => A::Nonce(Some(value).filter(|value| value.len() <= MAX_TEXT)?),
            T::XOR_RELAYED_ADDRESS => A::XorRelayedAddress(xored()?),
            T::REQUESTED_ADDRESS_FAMILY => A::RequestedAddressFamily(family(value)?),
            T::EVEN_PORT => {
                let [flags] = value.try_into().ok()?;
                A::EvenPort(flags & 0x80 != 0)
            }
            T::REQUESTED_TRANSPORT => {
                let [protocol, _, _, _] = value.try_into().ok()?;
                A::RequestedTransport(protocol)
            }
            T::DONT_FRAGMENT => value.is_empty().then_some(A::DontFragment)?,
            T::MESSAGE_INTEGRITY_SHA256 => {
                let allowed = (16..=32).contains(&value.len()) && value.len().is_multiple_of(4);
                allowed.then_some(A::MessageIntegritySha256(value))?
            }
            T::PASSWORD_ALGORITHM => A::PasswordAlgorithm(PasswordAlgorithm::parse(value)?),
            T::USERHASH => A::Userhash(value.try_into().ok()?),
            T::XOR_MAPPED_ADDRESS => A::XorMappedAddress(xored()?),
            T::RESERVATION_TOKEN => A::ReservationToken(value.try_into().ok()?),
            T::PRIORITY => A::Priority(wire::read_u32(value.try_into().ok()?)),
            T::USE_CANDIDATE => value.is_empty().then_some(A::UseCandidate)?,
            T::CONNECTION_ID => A::ConnectionId(wire::read_u32(value.try_into().ok()?)),
            T::ADDITIONAL_ADDRESS_FAMILY => A::AdditionalAddressFamily(family(value)?),
            T::ADDRESS_ERROR_CODE => {
                let family = AddressFamily::from_wire(*value.first()?)?;
                A::AddressErrorCode(family, ErrorCode::parse(value)?)
            }
            T::PASSWORD_ALGORITHMS => A::PasswordAlgorithms(PasswordAlgorithms::parse(value)?),
            T::ALTERNATE_DOMAIN => A::AlternateDomain(text(value, MAX_DOMAIN)?),
            T::ICMP => A::Icmp(Icmp::parse(value)?),
            T::SOFTWARE => A::Software(text(value, MAX_TEXT)?),
            T::ALTERNATE_SERVER => A::AlternateServer(address()?),
            T::FINGERPRINT => A::Fingerprint(wire::read_u32(value.try_into().ok()?)),
            T::ICE_CONTROLLED => A::IceControlled(wire::read_u64(value.try_into().ok()?)),
            T::ICE_CONTROLLING => A::IceControlling(wire::read_u64(value.try_into().ok()?)),
            _ => A::Other(self),
        })
    }
}

impl Attribute<'_> {
    /// Its type.
    pub const fn kind(&self) -> AttributeType {
        use AttributeType as T;
        match self {
            Self::MappedAddress(_) => T::MAPPED_ADDRESS,
            Self::Username(_) => T::USERNAME,
            Self::MessageIntegrity(_) => T::MESSAGE_INTEGRITY,
            Self::ErrorCode(_) => T::ERROR_CODE,
            Self::UnknownAttributes(_) => T::UNKNOWN_ATTRIBUTES,
            Self::ChannelNumber(_) => T::CHANNEL_NUMBER,
            Self::Lifetime(_) => T::LIFETIME,
            Self::XorPeerAddress(_) => T::XOR_PEER_ADDRESS,
            Self::Data(_) => T::DATA,
            Self::Realm(_) => T::REALM,
            Self::Nonce(_) => T::NONCE,
            Self::XorRelayedAddress(_) => T::XOR_RELAYED_ADDRESS,
            Self::RequestedAddressFamily(_) => T::REQUESTED_ADDRESS_FAMILY,
            Self::EvenPort(_) => T::EVEN_PORT,
            Self::RequestedTransport(_) => T::REQUESTED_TRANSPORT,
            Self::DontFragment => T::DONT_FRAGMENT,
            Self::MessageIntegritySha256(_) => T::MESSAGE_INTEGRITY_SHA256,
            Self::PasswordAlgorithm(_) => T::PASSWORD_ALGORITHM,
            Self::Userhash(_) => T::USERHASH,
            Self::XorMappedAddress(_) => T::XOR_MAPPED_ADDRESS,
            Self::ReservationToken(_) => T::RESERVATION_TOKEN,
            Self::Priority(_) => T::PRIORITY,
            Self::UseCandidate => T::USE_CANDIDATE,
            Self::ConnectionId(_) => T::CONNECTION_ID,
            Self::AdditionalAddressFamily(_) => T::ADDITIONAL_ADDRESS_FAMILY,
            Self::AddressErrorCode(..) => T::ADDRESS_ERROR_CODE,
            Self::PasswordAlgorithms(_) => T::PASSWORD_ALGORITHMS,
            Self::AlternateDomain(_) => T::ALTERNATE_DOMAIN,
            Self::Icmp(_) => T::ICMP,
            Self::Software(_) => T::SOFTWARE,
            Self::AlternateServer(_) => T::ALTERNATE_SERVER,
            Self::Fingerprint(_) => T::FINGERPRINT,
            Self::IceControlled(_) => T::ICE_CONTROLLED,
            Self::IceControlling(_) => T::ICE_CONTROLLING,
            Self::Other(raw) => raw.kind,
        }
    }

    /// Appends the value without padding.
    ///
    /// # Errors
    /// [`Error::TooLong`], or [`Error::Malformed`] for what its wire format cannot hold.
    pub(crate) fn write(&self, id: TransactionId, out: &mut Vec<u8>) -> Result<(), Error> {
        match *self {
            Self::MappedAddress(address) | Self::AlternateServer(address) => {
                address::write(address, out)
            }
            Self::XorMappedAddress(address)
            | Self::XorPeerAddress(address)
            | Self::XorRelayedAddress(address) => address::write(address::xor(address, id), out),
            Self::Username(text) => limited(text.as_bytes(), MAX_USERNAME, out)?,
            Self::Realm(text) | Self::Software(text) => limited(text.as_bytes(), MAX_TEXT, out)?,
            Self::AlternateDomain(text) => limited(text.as_bytes(), MAX_DOMAIN, out)?,
            Self::Nonce(nonce) => limited(nonce, MAX_TEXT, out)?,
            Self::MessageIntegrity(tag) => out.extend_from_slice(&tag),
            Self::MessageIntegritySha256(tag) => {
                if !(16..=32).contains(&tag.len()) || !tag.len().is_multiple_of(4) {
                    return Err(Error::Malformed(self.kind()));
                }
                out.extend_from_slice(tag);
            }
            Self::ErrorCode(error) => write_error(self.kind(), 0, error, out)?,
            Self::AddressErrorCode(family, error) => {
                write_error(self.kind(), family.to_wire(), error, out)?;
            }
            Self::UnknownAttributes(kinds) => out.extend_from_slice(kinds.0),
            Self::ChannelNumber(number) => {
                wire::put_u16(out, number);
                out.extend_from_slice(&[0, 0]);
            }
            Self::Lifetime(number)
            | Self::Priority(number)
            | Self::ConnectionId(number)
            | Self::Fingerprint(number) => wire::put_u32(out, number),
            Self::IceControlled(number) | Self::IceControlling(number) => {
                wire::put_u64(out, number);
            }
            Self::RequestedAddressFamily(family) | Self::AdditionalAddressFamily(family) => {
                out.extend_from_slice(&[family.to_wire(), 0, 0, 0]);
            }
            Self::EvenPort(reserve) => out.push(if reserve { 0x80 } else { 0 }),
            Self::RequestedTransport(protocol) => out.extend_from_slice(&[protocol, 0, 0, 0]),
            Self::DontFragment | Self::UseCandidate => {}
            Self::PasswordAlgorithm(algorithm) => algorithm.write(out).ok_or(Error::TooLong)?,
            Self::PasswordAlgorithms(algorithms) => out.extend_from_slice(algorithms.as_bytes()),
            Self::Userhash(hash) => out.extend_from_slice(&hash),
            Self::ReservationToken(token) => out.extend_from_slice(&token),
            Self::Icmp(icmp) => icmp.write(out).ok_or(Error::Malformed(self.kind()))?,
            Self::Data(value) | Self::Other(RawAttribute { value, .. }) => {
                out.extend_from_slice(value)
            }
        }
        Ok(())
    }
}

impl<'a> AttributeTypes<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        value.len().is_multiple_of(2).then_some(Self(value))
    }

    /// The types in their order.
    pub fn iter(&self) -> impl Iterator<Item = AttributeType> + use<'a> {
        self.0
            .as_chunks()
            .0
            .iter()
            .map(|kind| AttributeType(wire::read_u16(*kind)))
    }
}

impl Icmp {
    fn parse(value: &[u8]) -> Option<Self> {
        let [_, _, high, low, data @ ..]: [u8; 8] = value.try_into().ok()?;
        let code = wire::read_u16([high & 1, low]);
        Some(Self {
            kind: high >> 1,
            code,
            data: wire::read_u32(data),
        })
    }

    fn write(self, out: &mut Vec<u8>) -> Option<()> {
        if self.kind > 0x7f || self.code > 0x1ff {
            return None;
        }
        out.extend_from_slice(&[0, 0]);
        wire::put_u16(out, u16::from(self.kind) << 9 | self.code);
        wire::put_u32(out, self.data);
        Some(())
    }
}

fn text(value: &[u8], max: usize) -> Option<&str> {
    if value.len() <= max {
        std::str::from_utf8(value).ok()
    } else {
        None
    }
}

fn family(value: &[u8]) -> Option<AddressFamily> {
    let [family, _, _, _] = value.try_into().ok()?;
    AddressFamily::from_wire(family)
}

fn limited(value: &[u8], max: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    if value.len() > max {
        return Err(Error::TooLong);
    }
    out.extend_from_slice(value);
    Ok(())
}

fn write_error(
    kind: AttributeType,
    family: u8,
    error: ErrorCode<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let [class, number] = error.to_wire().ok_or(Error::Malformed(kind))?;
    out.extend_from_slice(&[family, 0, class, number]);
    limited(error.reason.as_bytes(), MAX_TEXT, out)
}

impl fmt::Debug for RawAttribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({} bytes)", self.kind, self.value.len())
    }
}

/// Shows the type only: values hold names, addresses and tokens that do not belong in a log.
impl fmt::Debug for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

impl fmt::Debug for AttributeTypes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// RFC 8489 §14.3 has 508, but two username fragments of 256 characters (RFC 8839 §5.4) and a colon are 513.
const MAX_USERNAME: usize = 513;
/// RFC 8489 §14.9, §14.10, §14.14: fewer than 128 characters, which can be 763 bytes.
const MAX_TEXT: usize = 763;
/// RFC 8489 §14.16.
const MAX_DOMAIN: usize = 255;
