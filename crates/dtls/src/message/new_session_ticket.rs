use crate::message::{
    codec::{Malformed, Reader, write_u32, write_vector},
    extension::Extensions,
};

/// What a server offers for a session to come (RFC 8446 §4.6.1). Nothing is resumed here: a client reads
/// it to see that it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSessionTicket<'a> {
    /// Seconds for which it may be used.
    pub lifetime: u32,
    /// What is added to its age, modulo 2^32.
    pub age_add: u32,
    /// What tells it from the other tickets of the connection.
    pub nonce: &'a [u8],
    /// At least one byte.
    pub ticket: &'a [u8],
    /// Its extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> NewSessionTicket<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let (lifetime, age_add) = (reader.u32()?, reader.u32()?);
        let (nonce, ticket) = (reader.vector8()?, reader.vector16()?);
        let extensions = Extensions::parse_block(reader.rest())?;
        match ticket {
            [] => Err(Malformed),
            ticket => Ok(Self {
                lifetime,
                age_add,
                nonce,
                ticket,
                extensions,
            }),
        }
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_u32(self.lifetime, out);
        write_u32(self.age_add, out);
        write_vector::<1>(out, |out| out.extend(self.nonce));
        write_vector::<2>(out, |out| out.extend(self.ticket));
        self.extensions.write_block(out);
    }
}
