use crate::message::codec::{Malformed, Reader, write_vector};

/// The sender's certificate and what leads from it to a root (RFC 5246 §7.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// DER, the sender's own first. A client without a certificate sends none.
    pub chain: Vec<&'a [u8]>,
}

impl<'a> Certificate<'a> {
    /// Reads a body. A chain of more than ten is refused.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let mut list = Reader::new(reader.vector24()?);
        reader.finish()?;
        let mut chain = Vec::new();
        while !list.is_empty() {
            match list.vector24()? {
                [] => return Err(Malformed),
                _ if chain.len() == MAX_CHAIN => return Err(Malformed),
                certificate => chain.push(certificate),
            }
        }
        Ok(Self { chain })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_vector::<3>(out, |out| {
            for certificate in &self.chain {
                write_vector::<3>(out, |out| out.extend(*certificate));
            }
        });
    }
}

/// Certificates of a chain, in either version.
pub(crate) const MAX_CHAIN: usize = 10;
