//! Parameters of variable length (RFC 9260 §3.2.1).

use super::{CHUNK_HEADER, Reader, end, reader::Write};

/// A parameter whose length has been checked.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |        Parameter Type         |       Parameter Length        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \                        Parameter Value                        /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// What it is.
    pub kind: ParameterKind,
    /// Its value without padding.
    pub value: &'a [u8],
}

/// Parameters one after another; it ends at the first whose length cannot be right.
#[derive(Clone, Debug)]
pub struct Parameters<'a> {
    rest: &'a [u8],
    broken: bool,
}

/// A parameter type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParameterKind(pub u16);

impl Parameter<'_> {
    /// Appends the parameter, padded to a multiple of four.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let start = buf.len();
        buf.put_u16(self.kind.0);
        buf.extend_from_slice(&[0, 0]);
        buf.extend_from_slice(self.value);
        end(buf, start);
    }

    /// How many bytes [`write`](Self::write) appends.
    pub fn padded_len(&self) -> usize {
        (CHUNK_HEADER + self.value.len()).next_multiple_of(4)
    }
}

impl<'a> Parameters<'a> {
    /// The parameters in `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Self {
        let (rest, broken) = (bytes, false);
        Self { rest, broken }
    }

    /// Whether the iterator ended at a length that was wrong.
    pub fn is_broken(&self) -> bool {
        self.broken
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        if self.rest.is_empty() || self.broken {
            return None;
        }
        let mut reader = Reader(self.rest);
        let mut parse = || {
            let kind = ParameterKind(reader.u16()?);
            let length = usize::from(reader.u16()?).checked_sub(CHUNK_HEADER)?;
            let value = reader.bytes(length)?;
            let padding = length.next_multiple_of(4) - length;
            reader.skip(padding.min(reader.0.len()));
            Some(Parameter { kind, value })
        };
        let parameter = parse();
        self.broken = parameter.is_none();
        self.rest = reader.0;
        parameter
    }
}

impl ParameterKind {
    /// Heartbeat Info.
    pub const HEARTBEAT_INFO: Self = Self(1);
    /// IPv4 Address.
    pub const IPV4_ADDRESS: Self = Self(5);
    /// IPv6 Address.
    pub const IPV6_ADDRESS: Self = Self(6);
    /// State Cookie.
    pub const STATE_COOKIE: Self = Self(7);
    /// Unrecognized Parameter.
    pub const UNRECOGNIZED: Self = Self(8);
    /// Cookie Preservative.
    pub const COOKIE_PRESERVATIVE: Self = Self(9);
    /// Host Name Address, which RFC 9260 forbids.
    pub const HOST_NAME: Self = Self(11);
    /// Supported Address Types.
    pub const SUPPORTED_ADDRESS_TYPES: Self = Self(12);
    /// Outgoing SSN Reset Request (RFC 6525 §4.1).
    pub const OUTGOING_RESET: Self = Self(13);
    /// Incoming SSN Reset Request (RFC 6525 §4.2).
    pub const INCOMING_RESET: Self = Self(14);
    /// SSN/TSN Reset Request (RFC 6525 §4.3).
    pub const TSN_RESET: Self = Self(15);
    /// Re-configuration Response (RFC 6525 §4.4).
    pub const RECONFIG_RESPONSE: Self = Self(16);
    /// Add Outgoing Streams Request (RFC 6525 §4.5).
    pub const ADD_OUTGOING: Self = Self(17);
    /// Add Incoming Streams Request (RFC 6525 §4.6).
    pub const ADD_INCOMING: Self = Self(18);
    /// Zero Checksum Acceptable (RFC 9653 §4).
    pub const ZERO_CHECKSUM: Self = Self(0x8001);
    /// Supported Extensions (RFC 5061 §4.2.7).
    pub const SUPPORTED_EXTENSIONS: Self = Self(0x8008);
    /// Forward-TSN-Supported (RFC 3758 §3.1).
    pub const FORWARD_TSN_SUPPORTED: Self = Self(0xc000);

    /// RFC 9260 §3.2.1: whether what follows an unknown parameter of this type is still processed.
    pub fn skip_if_unknown(self) -> bool {
        self.0 & 0x8000 != 0
    }

    /// RFC 9260 §3.2.1: whether an unknown parameter of this type is reported.
    pub fn report_if_unknown(self) -> bool {
        self.0 & 0x4000 != 0
    }
}
