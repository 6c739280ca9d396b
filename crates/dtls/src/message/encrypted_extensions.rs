use crate::message::{codec::Malformed, extension::Extensions};

/// The server's answers that need not stand in the clear (RFC 8446 §4.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedExtensions<'a> {
    /// The answers.
    pub extensions: Extensions<'a>,
}

impl<'a> EncryptedExtensions<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let extensions = Extensions::parse_block(body)?;
        Ok(Self { extensions })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.extensions.write_block(out);
    }
}
