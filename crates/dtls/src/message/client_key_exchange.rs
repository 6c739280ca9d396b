use crate::message::codec::{Malformed, Reader, write_vector};

/// The client's half of the key agreement (RFC 8422 §5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKeyExchange<'a> {
    /// A point of the group that the server chose.
    pub public: &'a [u8],
}

impl<'a> ClientKeyExchange<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let public = reader.vector8()?;
        reader.finish()?;
        match public {
            [] => Err(Malformed),
            _ => Ok(Self { public }),
        }
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_vector::<1>(out, |out| out.extend(self.public));
    }
}
