//! Restriction ids and simulcast (RFC 8851, 8853).

use std::fmt;

use crate::scan::field;

/// `a=rid`: an RTP stream by name, with its restrictions (RFC 8851).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rid<'a> {
    /// Letters, digits, `-` and `_`.
    pub id: &'a str,
    /// Whether the author sends or receives it.
    pub direction: RidDirection,
    /// `pt=` and the restrictions, as they were written.
    pub restrictions: Option<&'a str>,
}

/// The direction of a stream that has a rid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RidDirection {
    /// The author of the description sends it.
    Send,
    /// The author of the description receives it.
    Recv,
}

/// `a=simulcast`: the streams of one source (RFC 8853 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulcast<'a> {
    first: (RidDirection, &'a str),
    second: Option<(RidDirection, &'a str)>,
}

/// One alternative of one simulcast stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulcastId<'a> {
    /// The rid.
    pub id: &'a str,
    /// Written as `~id`: it starts paused.
    pub paused: bool,
}

impl<'a> Rid<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (id, rest) = field(value);
        let (direction, restrictions) = field(rest);
        let direction = RidDirection::parse(direction)?;
        let restrictions = (!restrictions.is_empty()).then_some(restrictions);
        is_rid(id).then_some(Self {
            id,
            direction,
            restrictions,
        })
    }
}

impl RidDirection {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "send" => Some(Self::Send),
            "recv" => Some(Self::Recv),
            _ => None,
        }
    }
}

impl<'a> Simulcast<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (first, rest) = stream_list(value)?;
        let second = match rest {
            "" => None,
            rest => match stream_list(rest)? {
                (second, "") if second.0 != first.0 => Some(second),
                _ => return None,
            },
        };
        Some(Self { first, second })
    }

    /// The streams of one direction in their order, each as its alternatives, the best one first.
    pub fn streams(
        &self,
        direction: RidDirection,
    ) -> impl Iterator<Item = impl Iterator<Item = SimulcastId<'a>> + use<'a>> + use<'a> {
        [Some(self.first), self.second]
            .into_iter()
            .flatten()
            .filter(move |(kind, _)| *kind == direction)
            .flat_map(|(_, list)| list.split(';'))
            .map(|alternatives| alternatives.split(',').map(SimulcastId::new))
    }
}

impl<'a> SimulcastId<'a> {
    fn new(text: &'a str) -> Self {
        match text.strip_prefix('~') {
            Some(id) => Self { id, paused: true },
            None => Self {
                id: text,
                paused: false,
            },
        }
    }
}

/// A direction and its list, and what stands behind them.
fn stream_list(text: &str) -> Option<((RidDirection, &str), &str)> {
    let (direction, rest) = field(text);
    let (list, rest) = field(rest);
    let correct = list
        .split([';', ','])
        .all(|id| is_rid(id.strip_prefix('~').unwrap_or(id)));
    correct.then_some(((RidDirection::parse(direction)?, list), rest))
}

// RFC 8851 §10: rid-id
fn is_rid(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

impl fmt::Display for Rid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.direction)?;
        self.restrictions
            .map_or(Ok(()), |restrictions| write!(f, " {restrictions}"))
    }
}

impl fmt::Display for RidDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Send => "send",
            Self::Recv => "recv",
        })
    }
}

impl fmt::Display for Simulcast<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.first.0, self.first.1)?;
        self.second
            .map_or(Ok(()), |(direction, list)| write!(f, " {direction} {list}"))
    }
}
