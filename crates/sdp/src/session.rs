//! A whole description: its text and the index of its lines.

use std::{fmt, str::FromStr};

use crate::{
    Attribute, Media, Origin, ParseError, Reason, Section,
    line::{Bandwidth, Connection, MediaLine, is_timing},
    section::{Line, Span},
};

/// A session description: the text, checked, and an index of its lines.
///
/// Every line keeps its own text, so what is not understood survives. Typed values are views that
/// borrow from it, made when asked for. Parsing allocates three times, whatever the number of lines.
#[derive(Clone)]
pub struct Session {
    text: Box<str>,
    lines: Vec<Span>,
    /// Indices in `lines` of the `m=` lines.
    sections: Vec<u32>,
}

impl Session {
    /// The longest text that is read, in bytes.
    pub const MAX_LENGTH: usize = 16 << 20;

    /// Reads a description. Lines may end with CR LF or LF, the last one also with CR alone or with
    /// nothing.
    ///
    /// # Errors
    ///
    /// The first line that breaks the grammar of RFC 8866 or of an attribute that [`Attribute`]
    /// names. Unknown attributes and line types are no error.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.len() > Self::MAX_LENGTH {
            return Err(ParseError {
                line: 1,
                reason: Reason::TooLong,
            });
        }
        let mut session = Self {
            text: text.into(),
            lines: Vec::with_capacity(text.len() / 32 + 8),
            sections: Vec::new(),
        };
        session.index().map_err(|reason| ParseError {
            line: session.next_number(),
            reason,
        })?;
        Ok(session)
    }

    /// The `o=` line.
    pub fn origin(&self) -> Origin<'_> {
        let value = self.header().lines().nth(1).map_or("", |line| line.value);
        Origin::parse(value).unwrap_or_default()
    }

    /// The session-level lines: all before the first `m=`.
    pub fn header(&self) -> Section<'_> {
        let end = self
            .sections
            .first()
            .map_or(self.lines.len(), |first| *first as usize);
        self.section(0, end)
    }

    /// The media descriptions in their order.
    pub fn media(&self) -> impl ExactSizeIterator<Item = Media<'_>> {
        (0..self.sections.len()).map(|index| self.view(index))
    }

    /// The media description at this place, counted from 0: the `sdpMLineIndex` of a candidate.
    pub fn media_at(&self, index: usize) -> Option<Media<'_>> {
        (index < self.sections.len()).then(|| self.view(index))
    }

    /// How many media descriptions there are.
    pub fn media_count(&self) -> usize {
        self.sections.len()
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn view(&self, index: usize) -> Media<'_> {
        let start = self
            .sections
            .get(index)
            .map_or(self.lines.len(), |line| *line as usize);
        let end = self
            .sections
            .get(index + 1)
            .map_or(self.lines.len(), |line| *line as usize);
        Media::new(self.section(start, end))
    }

    fn section(&self, start: usize, end: usize) -> Section<'_> {
        let lines = self.lines.get(start..end).unwrap_or_default();
        Section::new(
            &self.text,
            lines,
            u32::try_from(start + 1).unwrap_or(u32::MAX),
        )
    }

    fn next_number(&self) -> u32 {
        u32::try_from(self.lines.len() + 1).unwrap_or(u32::MAX)
    }

    fn index(&mut self) -> Result<(), Reason> {
        let text = &self.text;
        let suspicious = has_control_characters(text.as_bytes());
        let mut timed = false;
        let mut start = 0;
        while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
            let length = rest.find('\n').unwrap_or(rest.len());
            let line = rest.get(..length).unwrap_or_default();
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.is_empty() && rest.trim_ascii().is_empty() {
                break; // blank lines at the end
            }
            if suspicious && line.bytes().any(|byte| byte == 0 || byte == b'\r') {
                return Err(Reason::ControlCharacter);
            }
            let (kind, value) = split(line)?;
            let position = self.lines.len();
            if kind == 'm' && !timed {
                return Err(Reason::Missing(missing(position)));
            }
            check(kind, value, position, self.sections.is_empty())?;
            timed |= kind == 't';
            if kind == 'm' {
                self.sections
                    .push(u32::try_from(position).unwrap_or(u32::MAX));
            }
            self.lines.push(Span::new(start, start + line.len()));
            start += length + 1;
        }
        if timed {
            Ok(())
        } else {
            Err(Reason::Missing(missing(self.lines.len())))
        }
    }
}

impl fmt::Display for Session {
    /// Every line as it came, each ended by CR LF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for span in &self.lines {
            f.write_str(span.of(&self.text))?;
            f.write_str("\r\n")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Session {
    /// A summary: the text holds the ICE password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("lines", &self.lines.len())
            .field("media", &self.sections.len())
            .finish_non_exhaustive()
    }
}

impl FromStr for Session {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

/// The line that is expected at a place of the head.
fn missing(position: usize) -> char {
    match position {
        0 => 'v',
        1 => 'o',
        2 => 's',
        _ => 't',
    }
}

fn split(line: &str) -> Result<(char, &str), Reason> {
    match line.as_bytes() {
        [letter, b'=', ..] if letter.is_ascii_alphabetic() => {
            Ok((char::from(*letter), line.get(2..).unwrap_or_default()))
        }
        _ => Err(Reason::NotALine),
    }
}

/// Whether a line is worth searching: there is a NUL, or a CR without LF. Simple passes over the
/// whole text, which the compiler turns into vector code.
fn has_control_characters(text: &[u8]) -> bool {
    let nul = text.iter().fold(false, |found, byte| found | (*byte == 0));
    let next = text.get(1..).unwrap_or_default();
    let bare = text.iter().zip(next).fold(false, |found, (a, b)| {
        found | ((*a == b'\r') & (*b != b'\n'))
    });
    nul || bare || text.last() == Some(&b'\r')
}

/// Checks one line where it stands: `position` counts from 0, `header` is whether no `m=` came yet.
fn check(kind: char, value: &str, position: usize, header: bool) -> Result<(), Reason> {
    // RFC 8866 §9: the first three lines are fixed; the order of those that follow is not insisted on
    if position < 3 {
        let expected = missing(position);
        if kind != expected {
            return Err(Reason::Missing(expected));
        }
        return match kind {
            'v' if value.trim_ascii() != "0" => Err(Reason::Version),
            'o' if Origin::parse(value).is_none() => Err(Reason::Origin),
            _ => Ok(()),
        };
    }
    match kind {
        'v' | 'o' | 's' => Err(Reason::Misplaced(kind)),
        't' | 'u' | 'e' | 'p' | 'r' | 'z' if !header => Err(Reason::Misplaced(kind)),
        't' if !is_timing(value) => Err(Reason::Timing),
        'c' if Connection::parse(value).is_none() => Err(Reason::Connection),
        'b' if Bandwidth::parse(value).is_none() => Err(Reason::Bandwidth),
        'm' if MediaLine::parse(value).is_none() => Err(Reason::Media),
        'a' => Attribute::parse(value).map(drop),
        _ => Ok(()),
    }
}

impl<'a> IntoIterator for &'a Session {
    type Item = Line<'a>;
    type IntoIter = crate::section::Lines<'a>;

    /// All lines, session level and media.
    fn into_iter(self) -> Self::IntoIter {
        self.section(0, self.lines.len()).lines()
    }
}
