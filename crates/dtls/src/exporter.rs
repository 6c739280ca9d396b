use byteorder::{BigEndian, ByteOrder};

use crate::{
    Error,
    crypto::prf,
    handshake::{Secrets, Session},
};

/// Keying material for another protocol (RFC 5705 §4, RFC 8446 §7.5), DTLS-SRTP's for one.
///
/// Both sides get the same bytes for the same label and context. An absent context and an empty one
/// differ in 1.2, and are one in 1.3.
pub(crate) fn export(
    session: &Session,
    label: &str,
    context: Option<&[u8]>,
    out: &mut [u8],
) -> Result<(), Error> {
    let context_len = u16::try_from(context.unwrap_or_default().len());
    let context_len = context_len.map_err(|_| Error::Export)?;
    if RESERVED.contains(&label) || out.len() > MAX_OUTPUT {
        return Err(Error::Export);
    }
    let master = match &session.secrets {
        Secrets::V12(master) => master,
        Secrets::V13(secrets) => {
            let context = context.unwrap_or_default();
            return secrets.exporter.export(label, context, out);
        }
    };
    let mut length = [0; 2];
    BigEndian::write_u16(&mut length, context_len);
    let (random, seed);
    let negotiated = &session.negotiated;
    let seed: &[&[u8]] = match context {
        None => {
            random = [&negotiated.client_random[..], &negotiated.server_random[..]];
            &random
        }
        Some(context) => {
            seed = [
                &negotiated.client_random[..],
                &negotiated.server_random[..],
                &length,
                context,
            ];
            &seed
        }
    };
    let hmac = negotiated.suite.hmac();
    prf::prf(hmac, master.as_ref(), label.as_bytes(), seed, out);
    Ok(())
}

/// RFC 5705 §4: labels of the handshake itself would give away its secrets.
const RESERVED: [&str; 5] = [
    "client finished",
    "server finished",
    "master secret",
    "extended master secret",
    "key expansion",
];
const MAX_OUTPUT: usize = u16::MAX as usize;
