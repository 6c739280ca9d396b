use crate::message::{
    codec::{Malformed, Reader, write_vector},
    extension::Extensions,
};

/// The server of 1.3 wants the client's certificate (RFC 8446 §4.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest13<'a> {
    /// Empty in a handshake.
    pub context: &'a [u8],
    /// `signature_algorithms` is always among them.
    pub extensions: Extensions<'a>,
}

impl<'a> CertificateRequest13<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let context = reader.vector8()?;
        let extensions = Extensions::parse_block(reader.rest())?;
        Ok(Self {
            context,
            extensions,
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_vector::<1>(out, |out| out.extend(self.context));
        self.extensions.write_block(out);
    }
}
