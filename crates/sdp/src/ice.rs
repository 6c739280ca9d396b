//! ICE attributes other than the candidate (RFC 8839).

use std::fmt;

use crate::scan::{fields, number};

/// `a=remote-candidates`: the pairs that a controlling agent selected (RFC 8839 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteCandidates<'a>(&'a str);

impl<'a> RemoteCandidates<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let mut fields = fields(value);
        let mut count = 0;
        while let Some(component) = fields.next() {
            number::<u16>(component)?;
            fields.next()?;
            number::<u16>(fields.next()?)?;
            count += 1;
        }
        (count > 0).then_some(Self(value))
    }

    /// Component, address or name, and port of each.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &'a str, u16)> {
        let mut fields = fields(self.0);
        std::iter::from_fn(move || {
            let component = number(fields.next()?)?;
            Some((component, fields.next()?, number(fields.next()?)?))
        })
    }
}

impl fmt::Display for RemoteCandidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
