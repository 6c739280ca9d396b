use crate::message::codec::{self, Malformed, Reader, write_vector};

/// The server wants the client's certificate (RFC 5246 §7.4.4). WebRTC's always does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    /// `ClientCertificateType` numbers.
    pub certificate_types: Vec<u8>,
    /// What the client may sign with, by number.
    pub signature_algorithms: Vec<u16>,
    /// Distinguished names in DER; empty when any will do.
    pub authorities: Vec<Vec<u8>>,
}

impl CertificateRequest {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let certificate_types = reader.vector8()?.to_vec();
        let signature_algorithms = codec::u16_list(reader.vector16()?)?;
        let mut list = Reader::new(reader.vector16()?);
        reader.finish()?;
        let mut authorities = Vec::new();
        while !list.is_empty() {
            match list.vector16()? {
                [] => return Err(Malformed),
                name => authorities.push(name.to_vec()),
            }
        }
        if certificate_types.is_empty() || signature_algorithms.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            certificate_types,
            signature_algorithms,
            authorities,
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_vector::<1>(out, |out| out.extend(&self.certificate_types));
        let algorithms = &self.signature_algorithms;
        write_vector::<2>(out, |out| codec::write_u16_list(algorithms, out));
        write_vector::<2>(out, |out| {
            for name in &self.authorities {
                write_vector::<2>(out, |out| out.extend(name));
            }
        });
    }
}

/// `ecdsa_sign` (RFC 8422 §5.5).
pub(crate) const ECDSA_SIGN: u8 = 64;
/// `rsa_sign`.
pub(crate) const RSA_SIGN: u8 = 1;
