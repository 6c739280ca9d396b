//! The 20 bytes that every message starts with.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |0 0|M11..M7|C|M6-M4|C|M3..M0 |         Message Length          |
//! |                         Magic Cookie                          |
//! |                     Transaction ID (96 bits)                  |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::fmt;

use rand_core::Rng;

/// The class of a message (RFC 8489 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Wants a response.
    Request,
    /// Wants none.
    Indication,
    /// Answers a request that was granted.
    Success,
    /// Answers a request that was refused; carries ERROR-CODE.
    Error,
}

impl Class {
    /// True for the two classes that answer a request.
    pub const fn is_response(self) -> bool {
        matches!(self, Self::Success | Self::Error)
    }
}

/// The method of a message: a number of 12 bits (RFC 8489 §18.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Method(u16);

impl Method {
    /// Binding (RFC 8489 §3).
    pub const BINDING: Self = Self(0x001);
    /// Allocate (RFC 8656 §7).
    pub const ALLOCATE: Self = Self(0x003);
    /// Refresh (RFC 8656 §8).
    pub const REFRESH: Self = Self(0x004);
    /// Send, an indication (RFC 8656 §11).
    pub const SEND: Self = Self(0x006);
    /// Data, an indication (RFC 8656 §11).
    pub const DATA: Self = Self(0x007);
    /// CreatePermission (RFC 8656 §10).
    pub const CREATE_PERMISSION: Self = Self(0x008);
    /// ChannelBind (RFC 8656 §12).
    pub const CHANNEL_BIND: Self = Self(0x009);
    /// Connect (RFC 6062 §4.3).
    pub const CONNECT: Self = Self(0x00a);
    /// ConnectionBind (RFC 6062 §4.3).
    pub const CONNECTION_BIND: Self = Self(0x00b);
    /// ConnectionAttempt, an indication (RFC 6062 §4.4).
    pub const CONNECTION_ATTEMPT: Self = Self(0x00c);

    /// The method with this number, or `None` beyond 12 bits.
    pub const fn new(number: u16) -> Option<Self> {
        if number <= 0xfff {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// The 96 bits that tell which request a response answers.
///
/// They are no application's business (RFC 8826 §4.2 wants them unpredictable to it), so `Debug` shows none of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId([u8; 12]);

impl TransactionId {
    /// The id made of these bytes.
    pub const fn new(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// A fresh id. The generator has to be a cryptographic one (RFC 8489 §5).
    pub fn generate(rng: &mut impl Rng) -> Self {
        let mut bytes = [0; 12];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

/// True if the datagram can only be STUN among the protocols that share a WebRTC port: its first two bits are zero, the magic
/// cookie stands in its place, and its length is a multiple of four (RFC 8489 §6.3, RFC 7983 §7). Nothing else is looked at.
#[inline]
pub fn is_stun(datagram: &[u8]) -> bool {
    matches!(
        datagram.first_chunk::<HEADER_LENGTH>(),
        Some([0..=0x3f, _, _, _, 0x21, 0x12, 0xa4, 0x42, ..])
    ) && datagram.len().is_multiple_of(4)
}

/// RFC 8489 §5: the class's two bits stand between those of the method.
pub(crate) const fn split_type(value: u16) -> (Class, Method) {
    let class = match (value & 0x0100 != 0, value & 0x0010 != 0) {
        (false, false) => Class::Request,
        (false, true) => Class::Indication,
        (true, false) => Class::Success,
        (true, true) => Class::Error,
    };
    let method = (value & 0x000f) | ((value & 0x00e0) >> 1) | ((value & 0x3e00) >> 2);
    (class, Method(method))
}

pub(crate) const fn join_type(class: Class, method: Method) -> u16 {
    let class = match class {
        Class::Request => 0,
        Class::Indication => 0x0010,
        Class::Success => 0x0100,
        Class::Error => 0x0110,
    };
    let method = method.0;
    class | (method & 0x000f) | ((method & 0x0070) << 1) | ((method & 0x0f80) << 2)
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::BINDING => "Binding",
            Self::ALLOCATE => "Allocate",
            Self::REFRESH => "Refresh",
            Self::SEND => "Send",
            Self::DATA => "Data",
            Self::CREATE_PERMISSION => "CreatePermission",
            Self::CHANNEL_BIND => "ChannelBind",
            Self::CONNECT => "Connect",
            Self::CONNECTION_BIND => "ConnectionBind",
            Self::CONNECTION_ATTEMPT => "ConnectionAttempt",
            Self(number) => return write!(f, "Method({number:#05x})"),
        };
        f.write_str(name)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransactionId(..)")
    }
}

/// The number in bytes 4 to 7 of every message (RFC 8489 §5).
pub const MAGIC_COOKIE: u32 = 0x2112_a442;
/// The length of a message without attributes.
pub const HEADER_LENGTH: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_splits_and_joins() {
        for value in 0..0x4000 {
            let (class, method) = split_type(value);
            assert_eq!(join_type(class, method), value);
        }
        assert_eq!(split_type(0x0111), (Class::Error, Method::BINDING));
        assert_eq!(join_type(Class::Indication, Method::SEND), 0x0016);
        assert_eq!(Method::new(0x1000), None);
    }

    /// RFC 8826 §4.2: nothing that is printed shows a transaction id.
    #[test]
    fn a_transaction_id_does_not_print() {
        assert_eq!(
            format!("{:?}", TransactionId::new([7; 12])),
            "TransactionId(..)"
        );
    }

    #[test]
    fn demultiplexes_by_cookie() {
        let mut message = [0; 20];
        assert!(!is_stun(&message));
        message[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
        assert!(is_stun(&message));
        assert!(!is_stun(&message[..19]));
        message[0] = 0x40;
        assert!(!is_stun(&message));
    }
}
