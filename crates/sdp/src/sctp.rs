//! SCTP attributes (RFC 8841).

use std::fmt;

use crate::scan::{fields, is_digits, is_token, number};

/// `a=sctpmap`, as the drafts before RFC 8841 had it: `m=application 9 DTLS/SCTP 5000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SctpMap<'a> {
    /// The SCTP port, which is also the format of the `m=` line.
    pub port: u16,
    /// The application: `webrtc-datachannel`.
    pub application: &'a str,
    /// The number of streams, if given.
    pub streams: Option<u32>,
}

impl<'a> SctpMap<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let mut fields = fields(value);
        Some(Self {
            port: number(fields.next()?)?,
            application: fields.next().filter(|it| is_token(it))?,
            streams: match fields.next() {
                Some(streams) => Some(number(streams)?),
                None => None,
            },
        })
    }
}

/// The value of `a=max-message-size`: any number of digits, cut to what 64 bits hold.
pub(crate) fn message_size(value: &str) -> Option<u64> {
    let value = value.trim_ascii();
    is_digits(value).then(|| value.parse().unwrap_or(u64::MAX))
}

impl fmt::Display for SctpMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.port, self.application)?;
        match self.streams {
            Some(streams) => write!(f, " {streams}"),
            None => Ok(()),
        }
    }
}
