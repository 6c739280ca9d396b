//! What happened between two machines, for the report of a test that failed.

use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use crate::machine::End;

/// The last things that happened.
#[derive(Debug)]
pub(crate) struct Story {
    start: Instant,
    lines: VecDeque<Line>,
    forgotten: usize,
}

#[derive(Debug)]
pub(crate) enum What {
    /// An end sent a datagram of that many bytes, which begins with this one.
    Sent(End, usize, u8),
    /// The test's tap took it off.
    Stopped(End, usize, u8),
    /// An end was handed a datagram.
    Took(End, usize, u8),
    /// A deadline of an end had come.
    Woke(End),
    /// The test's own words.
    Said(String),
}

#[derive(Debug)]
struct Line {
    after: Duration,
    what: What,
}

impl Story {
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            start,
            lines: VecDeque::new(),
            forgotten: 0,
        }
    }

    pub(crate) fn add(&mut self, now: Instant, what: What) {
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
            self.forgotten += 1;
        }
        let after = now.saturating_duration_since(self.start);
        self.lines.push_back(Line { after, what });
    }
}

impl Display for Story {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.forgotten > 0 {
            writeln!(f, "  … {} lines before", self.forgotten)?;
        }
        for line in &self.lines {
            write!(f, "  {:>10.3} s  ", line.after.as_secs_f64())?;
            match &line.what {
                What::Sent(end, len, first) => {
                    writeln!(f, "{end:?} sends {len} bytes, {first:02x}…")
                }
                What::Stopped(end, len, first) => {
                    writeln!(f, "{end:?} sends {len} bytes, {first:02x}…: taken off")
                }
                What::Took(end, len, first) => {
                    writeln!(f, "{end:?} takes {len} bytes, {first:02x}…")
                }
                What::Woke(end) => writeln!(f, "{end:?} wakes"),
                What::Said(text) => writeln!(f, "{text}"),
            }?;
        }
        Ok(())
    }
}

const MAX_LINES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{epoch, ms};

    #[test]
    fn it_keeps_the_last_lines() {
        let mut story = Story::new(epoch());
        for number in 0..MAX_LINES {
            story.add(epoch() + ms(1), What::Sent(End::A, number, 0x16));
        }
        assert!(!story.to_string().contains("before"));
        story.add(epoch() + ms(1500), What::Said("enough".into()));
        let text = story.to_string();
        assert!(text.starts_with("  … 1 lines before\n       0.001 s  A sends 1 bytes, 16…\n"));
        assert!(text.ends_with("     1.500 s  enough\n"), "{text}");
    }
}
