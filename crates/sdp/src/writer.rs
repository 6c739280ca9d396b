//! Makes the text of a description.

use std::fmt::{Display, Write};

use crate::Attribute;

/// Makes the text of a description line by line, each ended by CR LF.
///
/// It does not judge: [`Session::parse`](crate::Session::parse) does.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    text: String,
}

impl Writer {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line of any kind.
    pub fn line(&mut self, kind: char, value: impl Display) -> &mut Self {
        self.put(format_args!("{kind}={value}"))
    }

    /// Adds an `a=` line.
    pub fn attribute(&mut self, attribute: &Attribute<'_>) -> &mut Self {
        self.put(format_args!("a={attribute}"))
    }

    /// The text so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }

    fn put(&mut self, line: std::fmt::Arguments<'_>) -> &mut Self {
        let start = self.text.len();
        // writing to a String fails only when a Display of the value does; such a line is not begun
        match write!(self.text, "{line}\r\n") {
            Ok(()) => {}
            Err(_) => self.text.truncate(start),
        }
        self
    }
}
