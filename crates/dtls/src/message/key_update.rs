use crate::message::codec::{Malformed, Reader};

/// The sender is about to use new keys (RFC 8446 §4.6.3, RFC 9147 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUpdate {
    /// Whether the receiver is to do the same.
    pub request: bool,
}

impl KeyUpdate {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let request = reader.u8()?;
        reader.finish()?;
        match request {
            0 | 1 => Ok(Self {
                request: request == 1,
            }),
            _ => Err(Malformed),
        }
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.request));
    }
}
