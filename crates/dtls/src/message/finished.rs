use crate::message::codec::{Malformed, Reader};

/// Proof that the sender has the secret and saw the same handshake (RFC 5246 §7.4.9, RFC 8446 §4.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished<'a> {
    /// In 1.2 twelve bytes of a PRF over the transcript, in 1.3 a whole MAC.
    pub verify_data: &'a [u8],
}

impl<'a> Finished<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let verify_data = reader.take(body.len())?;
        reader.finish()?;
        match verify_data.len() {
            12 | 32 | 48 => Ok(Self { verify_data }),
            _ => Err(Malformed),
        }
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.verify_data);
    }
}
