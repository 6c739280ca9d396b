//! The numbers of attributes.

use std::fmt;

/// The type of an attribute (RFC 8489 §18.3), one that this crate knows or any other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeType(pub u16);

impl AttributeType {
    /// True for the half of the numbers that a receiver must not skip without understanding them (RFC 8489 §14).
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }
}

macro_rules! attribute_types {
    ($($name:ident = $number:literal, $text:literal, $section:literal;)*) => {
        impl AttributeType {
            $(
                #[doc = concat!($text, " (", $section, ").")]
                pub const $name: Self = Self($number);
            )*

            /// Every type that [`Attribute`](crate::Attribute) has a variant of its own for.
            pub const KNOWN: &[Self] = &[$(Self::$name),*];

            /// True if [`Attribute`](crate::Attribute) has a variant of its own for it.
            pub const fn is_known(self) -> bool {
                matches!(self.0, $($number)|*)
            }

            /// The name that the standards give it, if this crate knows it.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }
        }

    };
}

attribute_types! {
    MAPPED_ADDRESS = 0x0001, "MAPPED-ADDRESS", "RFC 8489 §14.1";
    USERNAME = 0x0006, "USERNAME", "RFC 8489 §14.3";
    MESSAGE_INTEGRITY = 0x0008, "MESSAGE-INTEGRITY", "RFC 8489 §14.5";
    ERROR_CODE = 0x0009, "ERROR-CODE", "RFC 8489 §14.8";
    UNKNOWN_ATTRIBUTES = 0x000a, "UNKNOWN-ATTRIBUTES", "RFC 8489 §14.13";
    CHANNEL_NUMBER = 0x000c, "CHANNEL-NUMBER", "RFC 8656 §18.1";
    LIFETIME = 0x000d, "LIFETIME", "RFC 8656 §18.2";
    XOR_PEER_ADDRESS = 0x0012, "XOR-PEER-ADDRESS", "RFC 8656 §18.3";
    DATA = 0x0013, "DATA", "RFC 8656 §18.4";
    REALM = 0x0014, "REALM", "RFC 8489 §14.9";
    NONCE = 0x0015, "NONCE", "RFC 8489 §14.10";
    XOR_RELAYED_ADDRESS = 0x0016, "XOR-RELAYED-ADDRESS", "RFC 8656 §18.5";
    REQUESTED_ADDRESS_FAMILY = 0x0017, "REQUESTED-ADDRESS-FAMILY", "RFC 8656 §18.6";
    EVEN_PORT = 0x0018, "EVEN-PORT", "RFC 8656 §18.7";
    REQUESTED_TRANSPORT = 0x0019, "REQUESTED-TRANSPORT", "RFC 8656 §18.8";
    DONT_FRAGMENT = 0x001a, "DONT-FRAGMENT", "RFC 8656 §18.9";
    MESSAGE_INTEGRITY_SHA256 = 0x001c, "MESSAGE-INTEGRITY-SHA256", "RFC 8489 §14.6";
    PASSWORD_ALGORITHM = 0x001d, "PASSWORD-ALGORITHM", "RFC 8489 §14.12";
    USERHASH = 0x001e, "USERHASH", "RFC 8489 §14.4";
    XOR_MAPPED_ADDRESS = 0x0020, "XOR-MAPPED-ADDRESS", "RFC 8489 §14.2";
    RESERVATION_TOKEN = 0x0022, "RESERVATION-TOKEN", "RFC 8656 §18.10";
    PRIORITY = 0x0024, "PRIORITY", "RFC 8445 §16.1";
    USE_CANDIDATE = 0x0025, "USE-CANDIDATE", "RFC 8445 §16.1";
    CONNECTION_ID = 0x002a, "CONNECTION-ID", "RFC 6062 §6.2.1";
    ADDITIONAL_ADDRESS_FAMILY = 0x8000, "ADDITIONAL-ADDRESS-FAMILY", "RFC 8656 §18.11";
    ADDRESS_ERROR_CODE = 0x8001, "ADDRESS-ERROR-CODE", "RFC 8656 §18.12";
    PASSWORD_ALGORITHMS = 0x8002, "PASSWORD-ALGORITHMS", "RFC 8489 §14.11";
    ALTERNATE_DOMAIN = 0x8003, "ALTERNATE-DOMAIN", "RFC 8489 §14.16";
    ICMP = 0x8004, "ICMP", "RFC 8656 §18.13";
    SOFTWARE = 0x8022, "SOFTWARE", "RFC 8489 §14.14";
    ALTERNATE_SERVER = 0x8023, "ALTERNATE-SERVER", "RFC 8489 §14.15";
    FINGERPRINT = 0x8028, "FINGERPRINT", "RFC 8489 §14.7";
    ICE_CONTROLLED = 0x8029, "ICE-CONTROLLED", "RFC 8445 §16.1";
    ICE_CONTROLLING = 0x802a, "ICE-CONTROLLING", "RFC 8445 §16.1";
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}
