use crate::message::codec::{Malformed, Reader, write_u16, write_vector};

/// The client's signature over everything said so far: it holds the key of its certificate
/// (RFC 5246 §7.4.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateVerify<'a> {
    /// The signature scheme, by number.
    pub scheme: u16,
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> CertificateVerify<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let scheme = reader.u16()?;
        let signature = reader.vector16()?;
        reader.finish()?;
        Ok(Self { scheme, signature })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_u16(self.scheme, out);
        write_vector::<2>(out, |out| out.extend(self.signature));
    }
}
