use crate::message::codec::{Malformed, Reader};

/// Proof that the sender has the master secret and saw the same handshake (RFC 5246 §7.4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The first twelve bytes of a PRF over the transcript.
    pub verify_data: [u8; 12],
}

impl Finished {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let verify_data = reader.array()?;
        reader.finish()?;
        Ok(Self { verify_data })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.verify_data);
    }
}
