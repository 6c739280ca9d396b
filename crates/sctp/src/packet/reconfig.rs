//! RE-CONFIG (RFC 6525 §3.1, §4).

use byteorder::{BigEndian, ByteOrder};

use super::{ChunkKind, Parameter, ParameterKind, Parameters, Reader, begin, end, reader::Write};
use crate::{StreamId, Tsn};

/// One or two requests or responses about streams.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  Type = 130   |  Chunk Flags  |      Chunk Length             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \                  Re-configuration Parameter                   /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// \             Re-configuration Parameter (optional)             /
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconfig<'a>(&'a [u8]);

/// A parameter of RE-CONFIG. Sequence numbers are `u32`, their order wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// The sender resets streams it sends on (§4.1).
    OutgoingReset {
        /// The request's sequence number.
        sequence: u32,
        /// The number of the request that this answers, if any.
        response_sequence: u32,
        /// The last TSN the sender assigned before.
        last_tsn: Tsn,
        /// The streams, two bytes each; none means all.
        streams: &'a [u8],
    },
    /// The sender asks the receiver to reset streams (§4.2).
    IncomingReset {
        /// The request's sequence number.
        sequence: u32,
        /// The streams, two bytes each; none means all.
        streams: &'a [u8],
    },
    /// The sender asks for new SSNs and TSNs on both sides (§4.3).
    TsnReset {
        /// The request's sequence number.
        sequence: u32,
    },
    /// The sender adds streams it sends on (§4.5).
    AddOutgoing {
        /// The request's sequence number.
        sequence: u32,
        /// How many.
        count: u16,
    },
    /// The sender asks the receiver to add streams (§4.6).
    AddIncoming {
        /// The request's sequence number.
        sequence: u32,
        /// How many.
        count: u16,
    },
    /// The answer to a request (§4.4).
    Response {
        /// The sequence number of what is answered.
        sequence: u32,
        /// The answer.
        result: ResetResult,
    },
}

/// The result in a response (RFC 6525 §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetResult(pub u32);

impl<'a> Reconfig<'a> {
    /// Looks at the value of a RE-CONFIG chunk: one parameter, or two.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut parameters = Parameters::parse(value);
        let count = parameters.by_ref().take(3).count();
        (matches!(count, 1..=2) && !parameters.is_broken()).then_some(Self(value))
    }

    /// Its parameters; `None` for one that is not valid or not known.
    pub fn requests(&self) -> impl Iterator<Item = Option<Request<'a>>> + use<'a> {
        Parameters::parse(self.0).map(Request::parse)
    }

    /// Appends a chunk with these parameters.
    pub fn write<'r>(buf: &mut Vec<u8>, requests: impl Iterator<Item = Request<'r>>) {
        let start = begin(buf, ChunkKind::RECONFIG, 0);
        requests.for_each(|request| request.write(buf));
        end(buf, start);
    }
}

impl<'a> Request<'a> {
    fn parse(parameter: Parameter<'a>) -> Option<Self> {
        let mut reader = Reader(parameter.value);
        let sequence = reader.u32()?;
        let request = match parameter.kind {
            ParameterKind::OUTGOING_RESET => Self::OutgoingReset {
                sequence,
                response_sequence: reader.u32()?,
                last_tsn: Tsn(reader.u32()?),
                streams: reader.rest(),
            },
            ParameterKind::INCOMING_RESET => Self::IncomingReset {
                sequence,
                streams: reader.rest(),
            },
            ParameterKind::TSN_RESET => Self::TsnReset { sequence },
            ParameterKind::ADD_OUTGOING => Self::AddOutgoing {
                sequence,
                count: reader.u16()?,
            },
            ParameterKind::ADD_INCOMING => Self::AddIncoming {
                sequence,
                count: reader.u16()?,
            },
            ParameterKind::RECONFIG_RESPONSE => Self::Response {
                sequence,
                result: ResetResult(reader.u32()?),
            },
            _ => return None,
        };
        match request {
            Self::OutgoingReset { streams, .. } | Self::IncomingReset { streams, .. } => {
                (streams.len() % 2 == 0).then_some(request)
            }
            _ => Some(request),
        }
    }

    /// Appends the parameter.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let start = buf.len();
        let (kind, sequence) = self.head();
        buf.put_u16(kind.0);
        buf.extend_from_slice(&[0, 0]);
        buf.put_u32(sequence);
        match *self {
            Self::OutgoingReset {
                response_sequence,
                last_tsn,
                streams,
                ..
            } => {
                buf.put_u32(response_sequence);
                buf.put_u32(last_tsn.0);
                buf.extend_from_slice(streams);
            }
            Self::IncomingReset { streams, .. } => buf.extend_from_slice(streams),
            Self::TsnReset { .. } => {}
            Self::AddOutgoing { count, .. } | Self::AddIncoming { count, .. } => {
                buf.put_u16(count);
                buf.extend_from_slice(&[0, 0]);
            }
            Self::Response { result, .. } => buf.put_u32(result.0),
        }
        end(buf, start);
    }

    fn head(&self) -> (ParameterKind, u32) {
        match *self {
            Self::OutgoingReset { sequence, .. } => (ParameterKind::OUTGOING_RESET, sequence),
            Self::IncomingReset { sequence, .. } => (ParameterKind::INCOMING_RESET, sequence),
            Self::TsnReset { sequence } => (ParameterKind::TSN_RESET, sequence),
            Self::AddOutgoing { sequence, .. } => (ParameterKind::ADD_OUTGOING, sequence),
            Self::AddIncoming { sequence, .. } => (ParameterKind::ADD_INCOMING, sequence),
            Self::Response { sequence, .. } => (ParameterKind::RECONFIG_RESPONSE, sequence),
        }
    }
}

impl ResetResult {
    /// Success - Nothing to do.
    pub const NOTHING_TO_DO: Self = Self(0);
    /// Success - Performed.
    pub const PERFORMED: Self = Self(1);
    /// Denied.
    pub const DENIED: Self = Self(2);
    /// Error - Wrong SSN.
    pub const WRONG_SSN: Self = Self(3);
    /// Error - Request already in progress.
    pub const ALREADY_IN_PROGRESS: Self = Self(4);
    /// Error - Bad Sequence Number.
    pub const BAD_SEQUENCE_NUMBER: Self = Self(5);
    /// In progress.
    pub const IN_PROGRESS: Self = Self(6);
}

/// The stream numbers in a request's list.
pub(crate) fn stream_list(bytes: &[u8]) -> impl Iterator<Item = StreamId> + '_ {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().map(|pair| BigEndian::read_u16(pair))
}
