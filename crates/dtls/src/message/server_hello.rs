use crate::message::{
    codec::{Malformed, Reader, write_u16, write_vector},
    extension::Extensions,
};

/// What the server chose (RFC 5246 §7.4.1.3).
///
/// ```text
/// struct {
///   ProtocolVersion server_version;
///   Random random;
///   SessionID session_id;
///   CipherSuite cipher_suite;
///   CompressionMethod compression_method;
///   Extension extensions<0..2^16-1>;
/// } ServerHello;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello<'a> {
    /// The version spoken from here on.
    pub version: u16,
    /// 32 random bytes.
    pub random: [u8; 32],
    /// At most 32 bytes; not used.
    pub session_id: &'a [u8],
    /// The cipher suite, by number.
    pub cipher_suite: u16,
    /// Always the null method.
    pub compression_method: u8,
    /// Answers to extensions of the ClientHello.
    pub extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        let random = reader.array()?;
        let session_id = reader.vector8()?;
        let cipher_suite = reader.u16()?;
        let compression_method = reader.u8()?;
        if session_id.len() > 32 {
            return Err(Malformed);
        }
        Ok(Self {
            version,
            random,
            session_id,
            cipher_suite,
            compression_method,
            extensions: Extensions::parse(reader.rest())?,
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_u16(self.version, out);
        out.extend(self.random);
        write_vector::<1>(out, |out| out.extend(self.session_id));
        write_u16(self.cipher_suite, out);
        out.push(self.compression_method);
        self.extensions.write(out);
    }
}
