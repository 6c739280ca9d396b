use crate::message::codec::{Malformed, Reader, write_u16, write_vector};

/// A server that holds no state yet asks the client to show that it receives at its address
/// (RFC 6347 §4.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelloVerifyRequest<'a> {
    /// DTLS 1.0 whatever will be negotiated.
    pub version: u16,
    /// To be sent back in the next ClientHello.
    pub cookie: &'a [u8],
}

impl<'a> HelloVerifyRequest<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        let cookie = reader.vector8()?;
        reader.finish()?;
        Ok(Self { version, cookie })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_u16(self.version, out);
        write_vector::<1>(out, |out| out.extend(self.cookie));
    }
}
