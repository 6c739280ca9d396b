//! Attributes of one RTP source (RFC 5576).

use std::fmt;

use crate::scan::{field, fields, is_token, number};

/// `a=ssrc`: an attribute of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssrc<'a> {
    /// The source.
    pub ssrc: u32,
    /// `cname`, `msid`, …
    pub attribute: &'a str,
    /// What follows `:`.
    pub value: Option<&'a str>,
}

/// `a=ssrc-group`: sources that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SsrcGroup<'a> {
    /// `FID`, `FEC-FR`, `SIM`.
    pub semantics: &'a str,
    ssrcs: &'a str,
}

impl<'a> Ssrc<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (ssrc, rest) = value.trim_ascii().split_once(' ')?;
        let (attribute, value) = match rest.split_once(':') {
            Some((attribute, value)) => (attribute, Some(value)),
            None => (rest, None),
        };
        is_token(attribute).then_some(Self {
            ssrc: number(ssrc)?,
            attribute,
            value,
        })
    }
}

impl<'a> SsrcGroup<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (semantics, ssrcs) = field(value);
        let correct = is_token(semantics)
            && !ssrcs.is_empty()
            && fields(ssrcs).all(|ssrc| number::<u32>(ssrc).is_some());
        correct.then_some(Self { semantics, ssrcs })
    }

    /// The sources in their order.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        fields(self.ssrcs).filter_map(number)
    }
}

impl fmt::Display for Ssrc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.ssrc, self.attribute)?;
        self.value.map_or(Ok(()), |value| write!(f, ":{value}"))
    }
}

impl fmt::Display for SsrcGroup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.semantics)?;
        fields(self.ssrcs).try_for_each(|ssrc| write!(f, " {ssrc}"))
    }
}
