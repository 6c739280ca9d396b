use crate::message::{
    codec::{self, Malformed, Reader, write_u16, write_vector},
    extension::Extensions,
};

/// What the client offers (RFC 6347 §4.2.1).
///
/// ```text
/// struct {
///   ProtocolVersion client_version;
///   Random random;
///   SessionID session_id;
///   opaque cookie<0..2^8-1>;
///   CipherSuite cipher_suites<2..2^16-1>;
///   CompressionMethod compression_methods<1..2^8-1>;
///   Extension extensions<0..2^16-1>;
/// } ClientHello;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// The newest version up to 1.2; newer ones stand in `supported_versions`.
    pub version: u16,
    /// 32 random bytes.
    pub random: [u8; 32],
    /// At most 32 bytes; not used.
    pub session_id: &'a [u8],
    /// The cookie of a HelloVerifyRequest, empty before one.
    pub cookie: &'a [u8],
    /// Cipher suites by number, best first.
    pub cipher_suites: Vec<u16>,
    /// Compression methods; the null method is always among them.
    pub compression_methods: &'a [u8],
    /// The extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let version = reader.u16()?;
        let random = reader.array()?;
        let session_id = reader.vector8()?;
        let cookie = reader.vector8()?;
        let cipher_suites = codec::u16_list(reader.vector16()?)?;
        let compression_methods = reader.vector8()?;
        let rest = reader.rest();
        if session_id.len() > 32 || cipher_suites.is_empty() || compression_methods.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            version,
            random,
            session_id,
            cookie,
            cipher_suites,
            compression_methods,
            extensions: Extensions::parse(rest)?,
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_u16(self.version, out);
        out.extend(self.random);
        write_vector::<1>(out, |out| out.extend(self.session_id));
        write_vector::<1>(out, |out| out.extend(self.cookie));
        write_vector::<2>(out, |out| codec::write_u16_list(&self.cipher_suites, out));
        write_vector::<1>(out, |out| out.extend(self.compression_methods));
        self.extensions.write(out);
    }
}
