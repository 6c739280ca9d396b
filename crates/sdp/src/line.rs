//! The lines that are not attributes: `o=`, `t=`, `c=`, `b=`, `m=`.

use std::fmt;

use crate::scan::{fields, is_digits, is_token, number};

/// `o=`: who made the description, and which version of it this is (RFC 8866 §5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    /// User name, `-` where there is none.
    pub username: &'a str,
    /// Session id: digits of any size.
    pub session_id: &'a str,
    /// Version of the session: digits of any size.
    pub session_version: &'a str,
    /// The kind of network: `IN`, the Internet.
    pub network_type: &'a str,
    /// `IP4` or `IP6`.
    pub address_type: &'a str,
    /// Address or name; meaningless in WebRTC.
    pub address: &'a str,
}

/// `c=`: where media goes by default (RFC 8866 §5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The kind of network: `IN`, the Internet.
    pub network_type: &'a str,
    /// `IP4` or `IP6`.
    pub address_type: &'a str,
    /// Address or name, with TTL and count for multicast.
    pub address: &'a str,
}

/// `b=`: a limit of bandwidth (RFC 8866 §5.8, RFC 3890).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth<'a> {
    /// `CT`, `AS` (both kilobits per second), `TIAS`, `RS`, `RR` (bits per second), …
    pub kind: &'a str,
    /// The number.
    pub value: u64,
}

/// The value of an `m=` line (RFC 8866 §5.14).
#[derive(Clone, Copy, Debug)]
pub(crate) struct MediaLine<'a> {
    pub(crate) media: &'a str,
    pub(crate) port: u16,
    pub(crate) protocol: &'a str,
    pub(crate) formats: &'a str,
}

impl<'a> Origin<'a> {
    /// Reads the value of an `o=` line.
    pub fn parse(value: &'a str) -> Option<Self> {
        let mut fields = fields(value);
        let origin = Self {
            username: fields.next()?,
            session_id: fields.next().filter(|id| is_digits(id))?,
            session_version: fields.next().filter(|version| is_digits(version))?,
            network_type: fields.next()?,
            address_type: fields.next()?,
            address: fields.next()?,
        };
        fields.next().is_none().then_some(origin)
    }
}

impl<'a> Connection<'a> {
    /// Reads the value of a `c=` line.
    pub fn parse(value: &'a str) -> Option<Self> {
        let mut fields = fields(value);
        let connection = Self {
            network_type: fields.next()?,
            address_type: fields.next()?,
            address: fields.next()?,
        };
        fields.next().is_none().then_some(connection)
    }
}

impl<'a> Bandwidth<'a> {
    /// Reads the value of a `b=` line.
    pub fn parse(value: &'a str) -> Option<Self> {
        let (kind, value) = value.split_once(':')?;
        let value = number(value.trim_ascii())?;
        is_token(kind).then_some(Self { kind, value })
    }
}

impl<'a> MediaLine<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (media, rest) = value.split_once(' ')?;
        let (port, rest) = rest.split_once(' ')?;
        let (protocol, formats) = rest.split_once(' ')?;
        let port = match port.split_once('/') {
            Some((port, count)) => {
                number::<u32>(count)?;
                number(port)?
            }
            None => number(port)?,
        };
        let mut rest = fields(formats);
        let correct = is_token(media)
            && protocol.split('/').all(is_token)
            && rest.next().is_some_and(is_token)
            && rest.all(is_token);
        correct.then_some(Self {
            media,
            port,
            protocol,
            formats,
        })
    }
}

/// `t=`: both numbers; digits of any size, as the standard's NTP seconds have no limit.
pub(crate) fn is_timing(value: &str) -> bool {
    let mut fields = fields(value);
    fields.next().is_some_and(is_digits)
        && fields.next().is_some_and(is_digits)
        && fields.next().is_none()
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {} {} {}",
            self.username,
            self.session_id,
            self.session_version,
            self.network_type,
            self.address_type,
            self.address
        )
    }
}

impl fmt::Display for Connection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.network_type, self.address_type, self.address
        )
    }
}

impl fmt::Display for Bandwidth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.value)
    }
}
