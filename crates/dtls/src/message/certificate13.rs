use crate::message::{
    certificate::MAX_CHAIN,
    codec::{Malformed, Reader, write_vector},
    extension::Extensions,
};

/// The sender's certificate and what leads from it to a root, in 1.3 (RFC 8446 §4.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate13<'a> {
    /// Empty in a handshake.
    pub context: &'a [u8],
    /// The sender's own first. A client without a certificate sends none.
    pub entries: Vec<CertificateEntry<'a>>,
}

/// One certificate of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEntry<'a> {
    /// DER.
    pub certificate: &'a [u8],
    /// Answers to extensions that the receiver sent.
    pub extensions: Extensions<'a>,
}

impl<'a> Certificate13<'a> {
    /// Reads a body. A chain of more than ten is refused.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let context = reader.vector8()?;
        let mut list = Reader::new(reader.vector24()?);
        reader.finish()?;
        let mut entries = Vec::new();
        while !list.is_empty() {
            let certificate = list.vector24()?;
            let extensions = Extensions::parse_list(list.vector16()?)?;
            if certificate.is_empty() || entries.len() == MAX_CHAIN {
                return Err(Malformed);
            }
            entries.push(CertificateEntry {
                certificate,
                extensions,
            });
        }
        Ok(Self { context, entries })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_vector::<1>(out, |out| out.extend(self.context));
        write_vector::<3>(out, |out| {
            for entry in &self.entries {
                write_vector::<3>(out, |out| out.extend(entry.certificate));
                entry.extensions.write_block(out);
            }
        });
    }
}
