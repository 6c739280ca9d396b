use crate::message::codec::{Malformed, Reader, write_u64, write_vector};

/// Which records have come (RFC 9147 §7): the whole contents of a record of its own type.
///
/// ```text
/// struct {
///   uint64 epoch;
///   uint64 sequence_number;
/// } RecordNumber;
///
/// struct {
///   RecordNumber record_numbers<0..2^16-1>;
/// } ACK;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Epoch and sequence number of each.
    pub numbers: Vec<(u64, u64)>,
}

impl Ack {
    /// The length of one number, in bytes.
    pub const NUMBER_LEN: usize = 16;

    /// Reads the contents of an ACK record.
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let mut list = Reader::new(reader.vector16()?);
        reader.finish()?;
        let mut numbers = Vec::new();
        while !list.is_empty() {
            numbers.push((list.u64()?, list.u64()?));
        }
        Ok(Self { numbers })
    }

    /// Appends the contents.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_vector::<2>(out, |out| {
            for (epoch, sequence) in &self.numbers {
                write_u64(*epoch, out);
                write_u64(*sequence, out);
            }
        });
    }
}
