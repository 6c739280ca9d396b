//! ERROR-CODE.

/// Why a request was refused (RFC 8489 §14.8).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |           Reserved, should be 0         |Class|     Number    |
/// |      Reason Phrase (variable)                                ..
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode<'a> {
    /// 300 to 699.
    pub code: u16,
    /// For people. Of a phrase that is not UTF-8, what stands before its first wrong byte.
    pub reason: &'a str,
}

impl<'a> ErrorCode<'a> {
    /// A code with a reason of one's own.
    pub const fn new(code: u16, reason: &'a str) -> Self {
        Self { code, reason }
    }

    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let (&[_, _, class, number], reason) = value.split_first_chunk()?;
        // RFC 8489 §14.8: the bits beside the class are reserved.
        let class = class & 7;
        if !(3..=6).contains(&class) || number > 99 {
            return None;
        }
        let code = u16::from(class) * 100 + u16::from(number);
        Some(Self {
            code,
            reason: valid_prefix(reason),
        })
    }

    /// Class and number, if the code is one that can be written.
    pub(super) fn to_wire(self) -> Option<[u8; 2]> {
        let class = u8::try_from(self.code / 100)
            .ok()
            .filter(|class| (3..=6).contains(class))?;
        Some([class, u8::try_from(self.code % 100).ok()?])
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $reason:literal, $section:literal;)*) => {
        impl ErrorCode<'static> {
            $(
                #[doc = concat!(stringify!($code), " ", $reason, " (", $section, ").")]
                pub const $name: Self = Self::new($code, $reason);
            )*
        }
    };
}

codes! {
    TRY_ALTERNATE = 300, "Try Alternate", "RFC 8489 §14.8";
    BAD_REQUEST = 400, "Bad Request", "RFC 8489 §14.8";
    UNAUTHENTICATED = 401, "Unauthenticated", "RFC 8489 §14.8";
    FORBIDDEN = 403, "Forbidden", "RFC 8656 §19";
    UNKNOWN_ATTRIBUTE = 420, "Unknown Attribute", "RFC 8489 §14.8";
    ALLOCATION_MISMATCH = 437, "Allocation Mismatch", "RFC 8656 §19";
    STALE_NONCE = 438, "Stale Nonce", "RFC 8489 §14.8";
    ADDRESS_FAMILY_NOT_SUPPORTED = 440, "Address Family not Supported", "RFC 8656 §19";
    WRONG_CREDENTIALS = 441, "Wrong Credentials", "RFC 8656 §19";
    UNSUPPORTED_TRANSPORT_PROTOCOL = 442, "Unsupported Transport Protocol", "RFC 8656 §19";
    PEER_ADDRESS_FAMILY_MISMATCH = 443, "Peer Address Family Mismatch", "RFC 8656 §19";
    CONNECTION_ALREADY_EXISTS = 446, "Connection Already Exists", "RFC 6062 §6.3";
    CONNECTION_TIMEOUT_OR_FAILURE = 447, "Connection Timeout or Failure", "RFC 6062 §6.3";
    ALLOCATION_QUOTA_REACHED = 486, "Allocation Quota Reached", "RFC 8656 §19";
    ROLE_CONFLICT = 487, "Role Conflict", "RFC 8445 §16.2";
    SERVER_ERROR = 500, "Server Error", "RFC 8489 §14.8";
    INSUFFICIENT_CAPACITY = 508, "Insufficient Capacity", "RFC 8656 §19";
}

fn valid_prefix(bytes: &[u8]) -> &str {
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}
