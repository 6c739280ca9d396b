//! Session keys from master keys (RFC 3711 §4.3).

use zeroize::Zeroizing;

use crate::cipher::Aes;

/// One master key and salt, ready to derive session keys from. The key derivation rate is zero: keys are derived once.
pub(crate) struct Master {
    aes: Aes,
    salt: Zeroizing<[u8; 14]>,
}

/// What a session key is for (RFC 3711 §4.3.1, RFC 6904 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Label {
    RtpKey = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
    HeaderKey = 6,
    HeaderSalt = 7,
}

impl Master {
    /// A salt of 12 bytes is followed by zeroes. `None` for a key that is neither 16 nor 32 bytes long.
    pub(crate) fn new(key: &[u8], salt: &[u8]) -> Option<Self> {
        let mut padded = Zeroizing::new([0; 14]);
        padded.get_mut(..salt.len())?.copy_from_slice(salt);
        Some(Self {
            aes: Aes::new(key)?,
            salt: padded,
        })
    }

    pub(crate) fn derive<const N: usize>(&self, label: Label) -> Zeroizing<[u8; N]> {
        let mut out = Zeroizing::new([0; N]);
        self.fill(label, &mut out[..]);
        out
    }

    /// RFC 3711 §4.3.3, RFC 6188 §3.1: the keystream of counter mode is the pseudo-random function.
    pub(crate) fn fill(&self, label: Label, out: &mut [u8]) {
        let mut iv = [0; 16];
        iv.iter_mut()
            .zip(self.salt.iter())
            .for_each(|(iv, salt)| *iv = *salt);
        iv[7] ^= label as u8;
        self.aes.apply(&iv, 0, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::vectors::{hex, read};

    #[test]
    fn vectors_of_rfc_3711() {
        let kdf = &read(include_str!("../tests/vectors/rfc3711_srtp.json"))["kdf"];
        let master = Master::new(&hex(&kdf["master_key"]), &hex(&kdf["master_salt"])).unwrap();
        let derived = master.derive::<16>(Label::RtpKey);
        assert_eq!(derived[..], hex(&kdf["cipher_key_label00"]));
        let derived = master.derive::<94>(Label::RtpAuthentication);
        assert_eq!(derived[..], hex(&kdf["auth_key_label01_94B"]));
        let derived = master.derive::<14>(Label::RtpSalt);
        assert_eq!(derived[..], hex(&kdf["cipher_salt_label02"]));
    }

    #[test]
    fn vectors_of_rfc_6188() {
        let file = read(include_str!("../tests/vectors/rfc6188_srtp_aes256.json"));
        let prf = &file["aes_256_cm_prf"];
        let master = Master::new(&hex(&prf["master_key"]), &hex(&prf["master_salt"])).unwrap();
        let derived = master.derive::<32>(Label::RtpKey);
        assert_eq!(derived[..], hex(&prf["cipher_key"]));
        let derived = master.derive::<14>(Label::RtpSalt);
        assert_eq!(derived[..], hex(&prf["cipher_salt"]));
        let derived = master.derive::<20>(Label::RtpAuthentication);
        assert_eq!(derived[..], hex(&prf["auth_key"]));
    }

    #[test]
    fn vectors_of_rfc_6904() {
        let file = read(include_str!("../tests/vectors/rfc6904_hdrext.json"));
        let master = Master::new(&hex(&file["master_key"]), &hex(&file["master_salt"])).unwrap();
        let derived = master.derive::<16>(Label::HeaderKey);
        assert_eq!(derived[..], hex(&file["hdr_key_label06"]));
        let derived = master.derive::<14>(Label::HeaderSalt);
        assert_eq!(derived[..], hex(&file["hdr_salt_label07"]));
    }

    /// The session salt of RFC 9335 App. A.2 shows how a salt of 96 bits goes in.
    #[test]
    fn a_short_salt_is_followed_by_zeroes() {
        let file = read(include_str!("../tests/vectors/rfc9335_cryptex.json"));
        let gcm = &file["gcm"];
        let master = Master::new(&hex(&gcm["master_key"]), &hex(&gcm["master_salt"])).unwrap();
        let derived = master.derive::<16>(Label::RtpKey);
        assert_eq!(derived[..], hex(&gcm["session_key"]));
        let derived = master.derive::<12>(Label::RtpSalt);
        assert_eq!(derived[..], hex(&gcm["session_salt"]));
    }
}
