//! A run of lines: the session level, or one media description.

use std::slice;

use crate::{
    Attribute, Bandwidth, Candidate, Connection, Direction, Fingerprint, Group, RtpMap, SctpMap,
    Setup,
};

/// The value of an attribute of this kind, or nothing.
macro_rules! matching {
    ($attribute:ident, $variant:ident) => {
        match $attribute {
            Attribute::$variant(value) => Some(value),
            _ => None,
        }
    };
}

/// A run of lines that belong together: the session level, or one media description.
///
/// A view, free to copy. The getters look through its own lines only: an attribute that SDP lets
/// stand at either level is to be asked for at both.
#[derive(Clone, Copy)]
pub struct Section<'a> {
    text: &'a str,
    lines: &'a [Span],
    number: u32,
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its place in the text, from 1.
    pub number: u32,
    /// The letter before `=`.
    pub kind: char,
    /// What follows `=`.
    pub value: &'a str,
}

/// The lines of a section.
#[derive(Clone)]
pub struct Lines<'a> {
    text: &'a str,
    spans: slice::Iter<'a, Span>,
    number: u32,
}

/// Where a line stands in the text, without its end.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl<'a> Section<'a> {
    pub(crate) fn new(text: &'a str, lines: &'a [Span], number: u32) -> Self {
        Self {
            text,
            lines,
            number,
        }
    }

    /// Its lines in their order.
    pub fn lines(self) -> Lines<'a> {
        Lines {
            text: self.text,
            spans: self.lines.iter(),
            number: self.number,
        }
    }

    /// Its attributes, typed.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'a>> {
        self.raw_attributes()
            .filter_map(|value| Attribute::parse(value).ok())
    }

    /// The values of all attributes of this name, as they came.
    pub fn values(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.raw_attributes()
            .filter_map(move |value| value.strip_prefix(name)?.strip_prefix(':'))
    }

    /// The value of the first attribute of this name, as it came.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// Whether there is an attribute of this name, with a value or without.
    pub fn has(self, name: &str) -> bool {
        self.raw_attributes().any(|value| {
            value
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        })
    }

    /// The address that it names (`c=`).
    pub fn connection(self) -> Option<Connection<'a>> {
        let line = self.lines().find(|line| line.kind == 'c')?;
        Connection::parse(line.value)
    }

    /// The bandwidths that it proposes (`b=`).
    pub fn bandwidths(self) -> impl Iterator<Item = Bandwidth<'a>> {
        self.lines()
            .filter(|line| line.kind == 'b')
            .filter_map(|line| Bandwidth::parse(line.value))
    }

    /// `a=mid` (RFC 5888).
    pub fn mid(self) -> Option<&'a str> {
        self.find(|it| matching!(it, Mid))
    }

    /// `a=ice-ufrag` (RFC 8839 §5.4).
    pub fn ice_ufrag(self) -> Option<&'a str> {
        self.find(|it| matching!(it, IceUfrag))
    }

    /// `a=ice-pwd` (RFC 8839 §5.4).
    pub fn ice_pwd(self) -> Option<&'a str> {
        self.find(|it| matching!(it, IcePwd))
    }

    /// Whether `a=ice-options` has this tag (RFC 8839 §5.6).
    pub fn has_ice_option(self, tag: &str) -> bool {
        self.all(|it| matching!(it, IceOptions))
            .any(|options| options.split_ascii_whitespace().any(|it| it == tag))
    }

    /// `a=setup` (RFC 4145 §4).
    pub fn setup(self) -> Option<Setup> {
        self.find(|it| matching!(it, Setup))
    }

    /// `a=tls-id` (RFC 8842 §4).
    pub fn tls_id(self) -> Option<&'a str> {
        self.find(|it| matching!(it, TlsId))
    }

    /// `a=fingerprint` (RFC 8122 §5).
    pub fn fingerprints(self) -> impl Iterator<Item = Fingerprint<'a>> {
        self.all(|it| matching!(it, Fingerprint))
    }

    /// `a=candidate` (RFC 8839 §5.1); those that do not follow the grammar are left out.
    pub fn candidates(self) -> impl Iterator<Item = Candidate> {
        self.all(|it| matching!(it, Candidate)).map(|it| *it)
    }

    /// `a=group` (RFC 5888).
    pub fn groups(self) -> impl Iterator<Item = Group<'a>> {
        self.all(|it| matching!(it, Group))
    }

    /// `a=sctp-port` (RFC 8841 §5).
    pub fn sctp_port(self) -> Option<u16> {
        self.find(|it| matching!(it, SctpPort))
    }

    /// `a=max-message-size` in bytes; 0 means any size (RFC 8841 §6).
    pub fn max_message_size(self) -> Option<u64> {
        self.find(|it| matching!(it, MaxMessageSize))
    }

    /// `a=sctpmap`, of drafts older than RFC 8841.
    pub fn sctp_map(self) -> Option<SctpMap<'a>> {
        self.find(|it| matching!(it, SctpMap))
    }

    /// `a=rtpmap` (RFC 8866 §6.6).
    pub fn rtp_maps(self) -> impl Iterator<Item = RtpMap<'a>> {
        self.all(|it| matching!(it, RtpMap))
    }

    /// `a=sendrecv`, `a=sendonly`, `a=recvonly` or `a=inactive` (RFC 8866 §6.7).
    pub fn direction(self) -> Option<Direction> {
        self.find(|it| matching!(it, Direction))
    }

    fn all<T>(self, pick: impl Fn(Attribute<'a>) -> Option<T>) -> impl Iterator<Item = T> {
        self.attributes().filter_map(pick)
    }

    fn find<T>(self, pick: impl Fn(Attribute<'a>) -> Option<T>) -> Option<T> {
        self.attributes().find_map(pick)
    }

    fn raw_attributes(self) -> impl Iterator<Item = &'a str> {
        self.lines()
            .filter(|line| line.kind == 'a')
            .map(|line| line.value)
    }
}

impl<'a> Line<'a> {
    /// The typed value of an `a=` line; `None` for lines of another kind.
    pub fn attribute(self) -> Option<Attribute<'a>> {
        if self.kind == 'a' {
            Attribute::parse(self.value).ok()
        } else {
            None
        }
    }
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        // a text is at most Session::MAX_LENGTH long
        let cut = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self {
            start: cut(start),
            end: cut(end),
        }
    }

    pub(crate) fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let line = self.spans.next()?.of(self.text);
        let (kind, value) = line.split_at_checked(1)?;
        let number = self.number;
        self.number = number.saturating_add(1);
        Some(Line {
            number,
            kind: kind.chars().next()?,
            value: value.strip_prefix('=').unwrap_or(value),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl std::fmt::Debug for Section<'_> {
    /// A summary: the text may hold the ICE password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Section")
            .field("line", &self.number)
            .field("lines", &self.lines.len())
            .finish_non_exhaustive()
    }
}
