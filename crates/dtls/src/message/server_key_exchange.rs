use crate::message::codec::{Malformed, Reader, write_u16, write_vector};

/// The server's half of the key agreement, signed with its certificate's key (RFC 8422 §5.4).
///
/// ```text
/// ECCurveType curve_type;        // named_curve, 3
/// NamedCurve namedcurve;
/// opaque point<1..2^8-1>;
/// SignatureAndHashAlgorithm algorithm;
/// opaque signature<0..2^16-1>;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKeyExchange<'a> {
    /// The group, by number.
    pub group: u16,
    /// A point of it.
    pub public: &'a [u8],
    /// The signature scheme, by number.
    pub scheme: u16,
    /// Over both randoms and what stands before the signature.
    pub signature: &'a [u8],
}

impl<'a> ServerKeyExchange<'a> {
    /// Reads a body. Explicit curves are refused (RFC 8422 §5.4).
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let curve_type = reader.u8()?;
        let group = reader.u16()?;
        let public = reader.vector8()?;
        let scheme = reader.u16()?;
        let signature = reader.vector16()?;
        reader.finish()?;
        if curve_type != NAMED_CURVE || public.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            group,
            public,
            scheme,
            signature,
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(parameters(self.group, self.public));
        write_u16(self.scheme, out);
        write_vector::<2>(out, |out| out.extend(self.signature));
    }

    /// What is signed: both randoms and the parameters.
    pub(crate) fn signed(
        group: u16,
        public: &[u8],
        client_random: &[u8; 32],
        server_random: &[u8; 32],
    ) -> Vec<u8> {
        let parameters = parameters(group, public);
        [&client_random[..], &server_random[..], &parameters[..]].concat()
    }
}

fn parameters(group: u16, public: &[u8]) -> Vec<u8> {
    let mut out = vec![NAMED_CURVE];
    write_u16(group, &mut out);
    write_vector::<1>(&mut out, |out| out.extend(public));
    out
}

const NAMED_CURVE: u8 = 3;
