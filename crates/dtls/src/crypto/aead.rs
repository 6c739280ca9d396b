use std::ops::Range;

use byteorder::{BigEndian, ByteOrder};
use ring::aead::{
    Aad, LessSafeKey, Nonce, UnboundKey,
    quic::{self, HeaderProtectionKey},
};
use zeroize::Zeroizing;

use crate::{
    crypto::{
        hkdf::{Hash, Secret},
        prf::{self, MasterSecret},
        suite::CipherSuite,
    },
    record::Limit,
};

/// One direction of one epoch. The nonce is always made of the record's number, which the record layer
/// never uses twice: nothing here is random.
pub(crate) struct RecordKey {
    key: LessSafeKey,
    form: Form,
    limit: Limit,
}

/// Both directions of 1.2, as the client names them.
pub(crate) struct RecordKeys {
    pub(crate) client: RecordKey,
    pub(crate) server: RecordKey,
}

/// How nonces are made, and with them how records look.
enum Form {
    /// RFC 5288 §3: four secret bytes, then the eight that stand at the head of the record.
    Explicit(Zeroizing<[u8; 4]>),
    /// RFC 7905 §2: twelve secret bytes, the number added without carry; nothing on the wire.
    Implicit(Zeroizing<[u8; 12]>),
    /// RFC 8446 §5.3, RFC 9147 §4.2.3: the same with the number without its epoch, which is encrypted.
    V13 {
        iv: Zeroizing<[u8; 12]>,
        mask: Box<HeaderProtectionKey>,
    },
}

impl RecordKeys {
    /// The key block (RFC 5246 §6.3). AEADs have no MAC keys. `None` if the library refuses a key,
    /// which it does only for a wrong length.
    pub(crate) fn derive(
        suite: CipherSuite,
        master: &MasterSecret,
        client_random: &[u8],
        server_random: &[u8],
    ) -> Option<Self> {
        let algorithm = suite.aead();
        let explicit = *algorithm != ring::aead::CHACHA20_POLY1305;
        let iv_len = if explicit { 4 } else { 12 };
        let mut block = Zeroizing::new([0; MAX_KEY_BLOCK]);
        let used = block.get_mut(..2 * (algorithm.key_len() + iv_len))?;
        let seed = [server_random, client_random];
        prf::prf(suite.hmac(), master.as_ref(), b"key expansion", &seed, used);

        let (keys, ivs) = used.split_at_checked(2 * algorithm.key_len())?;
        let (client_key, server_key) = keys.split_at_checked(algorithm.key_len())?;
        let (client_iv, server_iv) = ivs.split_at_checked(iv_len)?;
        let half = |key: &[u8], iv: &[u8]| {
            Some(RecordKey {
                key: LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?),
                form: match explicit {
                    true => Form::Explicit(Zeroizing::new(iv.try_into().ok()?)),
                    false => Form::Implicit(Zeroizing::new(iv.try_into().ok()?)),
                },
                limit: Limit::V12,
            })
        };
        Some(Self {
            client: half(client_key, client_iv)?,
            server: half(server_key, server_iv)?,
        })
    }
}

impl RecordKey {
    /// The keys of a traffic secret (RFC 8446 §7.3, RFC 9147 §4.2.3). `None` if the library refuses a
    /// key, which it does only for a wrong length.
    pub(crate) fn of_traffic_secret(
        suite: CipherSuite,
        prefix: &'static [u8],
        secret: &Secret,
    ) -> Option<Self> {
        let aead = suite.aead();
        let secret = Hash::of(suite).expander(prefix, secret);
        let protection = match aead {
            it if *it == ring::aead::CHACHA20_POLY1305 => &quic::CHACHA20,
            it if it.key_len() == 16 => &quic::AES_128,
            _ => &quic::AES_256,
        };
        let mut key = Zeroizing::new([0; 32]);
        let key = key.get_mut(..aead.key_len())?;
        secret.expand_label(b"key", &[], key)?;
        let aead_key = UnboundKey::new(aead, key).ok()?;
        secret.expand_label(b"sn", &[], key)?;
        let mask = Box::new(HeaderProtectionKey::new(protection, key).ok()?);
        let mut iv = Zeroizing::new([0; 12]);
        secret.expand_label(b"iv", &[], iv.as_mut())?;
        let gcm = *aead != ring::aead::CHACHA20_POLY1305;
        Some(Self {
            key: LessSafeKey::new(aead_key),
            form: Form::V13 { iv, mask },
            limit: if gcm { Limit::GCM } else { Limit::CHACHA20 },
        })
    }

    /// Bytes between the record header and the ciphertext.
    pub(crate) fn explicit_nonce_len(&self) -> usize {
        match self.form {
            Form::Explicit(_) => EXPLICIT_NONCE_LEN,
            Form::Implicit(_) | Form::V13 { .. } => 0,
        }
    }

    pub(crate) fn is_1_3(&self) -> bool {
        matches!(self.form, Form::V13 { .. })
    }

    pub(crate) fn limit(&self) -> Limit {
        self.limit
    }

    /// A key with this nonce for the number zero.
    #[cfg(test)]
    pub(crate) fn of_parts(
        algorithm: &'static ring::aead::Algorithm,
        key: &[u8],
        iv: [u8; 12],
    ) -> Option<Self> {
        Some(Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?),
            form: Form::Implicit(Zeroizing::new(iv)),
            limit: Limit::V12,
        })
    }

    #[cfg(test)]
    pub(crate) fn set_limit(&mut self, limit: Limit) {
        self.limit = limit;
    }

    /// Seals what stands behind the room for the explicit nonce in `fragment`, writes that nonce and
    /// gives the tag. `number` is the epoch and sequence number as they stand in the header.
    pub(crate) fn seal_1_2(
        &self,
        number: u64,
        content_type: u8,
        fragment: &mut [u8],
    ) -> Option<[u8; TAG_LEN]> {
        let (explicit, plaintext) = fragment.split_at_mut_checked(self.explicit_nonce_len())?;
        if !explicit.is_empty() {
            BigEndian::write_u64(explicit, number);
        }
        let aad = additional_data(number, content_type, plaintext.len())?;
        self.seal(number, &aad, plaintext)
    }

    /// Opens a record's fragment in place and says where the payload stands; `None` when it does not
    /// authenticate.
    pub(crate) fn open_1_2(
        &self,
        number: u64,
        content_type: u8,
        fragment: &mut [u8],
    ) -> Option<Range<usize>> {
        let head = self.explicit_nonce_len();
        let (explicit, sealed) = fragment.split_at_mut_checked(head)?;
        let length = sealed.len().checked_sub(TAG_LEN)?;
        let aad = additional_data(number, content_type, length)?;
        // RFC 5288 §3: a peer chooses its explicit nonces as it likes.
        let counter = match explicit {
            [] => number,
            explicit => BigEndian::read_u64(explicit),
        };
        let nonce = self.nonce(counter);
        let opened = self.key.open_in_place(nonce, Aad::from(aad), sealed).ok()?;
        Some(head..head + opened.len())
    }

    /// Seals a plaintext with its inner type. `sequence` is without its epoch.
    pub(crate) fn seal_1_3(
        &self,
        sequence: u64,
        header: &[u8],
        plaintext: &mut [u8],
    ) -> Option<[u8; TAG_LEN]> {
        self.seal(sequence, header, plaintext)
    }

    /// Opens a ciphertext in place and says where the plaintext stands.
    pub(crate) fn open_1_3(
        &self,
        sequence: u64,
        header: &[u8],
        ciphertext: &mut [u8],
    ) -> Option<Range<usize>> {
        let nonce = self.nonce(sequence);
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(header), ciphertext)
            .ok()?;
        Some(0..opened.len())
    }

    /// What hides the number of a record with this ciphertext (RFC 9147 §4.2.3); `None` when it is
    /// too short to be one.
    pub(crate) fn mask(&self, ciphertext: &[u8]) -> Option<[u8; 5]> {
        let Form::V13 { mask, .. } = &self.form else {
            return None;
        };
        mask.new_mask(ciphertext.get(..SAMPLE_LEN)?).ok()
    }

    fn seal(&self, number: u64, aad: &[u8], plaintext: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        let nonce = self.nonce(number);
        let sealed = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), plaintext);
        sealed.ok()?.as_ref().try_into().ok()
    }

    fn nonce(&self, counter: u64) -> Nonce {
        let (mut nonce, base) = match &self.form {
            Form::Explicit(salt) => {
                let mut nonce = [0; 12];
                let [head @ .., _, _, _, _, _, _, _, _] = &mut nonce;
                *head = **salt;
                (nonce, 0)
            }
            Form::Implicit(iv) | Form::V13 { iv, .. } => {
                let [_, _, _, _, tail @ ..] = &**iv;
                (**iv, BigEndian::read_u64(tail))
            }
        };
        let [_, _, _, _, tail @ ..] = &mut nonce;
        BigEndian::write_u64(tail, base ^ counter);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// RFC 5246 §6.2.3.3, with DTLS' epoch and sequence number (RFC 6347 §4.1.2.1).
fn additional_data(number: u64, content_type: u8, length: usize) -> Option<[u8; 13]> {
    let mut data = [content_type; 13];
    let (head, tail) = data.split_at_mut(8);
    BigEndian::write_u64(head, number);
    BigEndian::write_u16(tail.get_mut(1..3)?, 0xFEFD);
    BigEndian::write_u16(tail.get_mut(3..5)?, u16::try_from(length).ok()?);
    Some(data)
}

pub(crate) const EXPLICIT_NONCE_LEN: usize = 8;
pub(crate) const TAG_LEN: usize = 16;
/// RFC 9147 §4.2.3.
const SAMPLE_LEN: usize = 16;
const MAX_KEY_BLOCK: usize = 2 * (32 + 12);

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        let digit = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        std::array::from_fn(digit)
    }

    /// RFC 9001 §A.2, §A.5: QUIC hides its packet numbers with the same function. It has no values for AES-256, where the mask is the
    /// head of a block: NIST SP 800-38A §F.1.5, FIPS 197 §C.3.
    #[test]
    fn masks_are_those_of_quic_and_nist() {
        let cases = [
            (
                &quic::AES_128,
                bytes::<16>("9f50449e04a0e810283a1e9933adedd2").to_vec(),
                bytes::<16>("d1b1c98dd7689fb8ec11d242b123dc9b"),
                bytes::<5>("437b9aec36"),
            ),
            (
                &quic::AES_256,
                bytes::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
                    .to_vec(),
                bytes::<16>("6bc1bee22e409f96e93d7e117393172a"),
                bytes::<5>("f3eed1bdb5"),
            ),
            (
                &quic::AES_256,
                (0..32).collect(),
                bytes::<16>("00112233445566778899aabbccddeeff"),
                bytes::<5>("8ea2b7ca51"),
            ),
            (
                &quic::CHACHA20,
                bytes::<32>("25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4")
                    .to_vec(),
                bytes::<16>("5e5cd55c41f69080575d7999c25a5bfb"),
                bytes::<5>("aefefe7d03"),
            ),
        ];
        for (algorithm, key, sample, mask) in cases {
            let key = RecordKey {
                key: LessSafeKey::new(UnboundKey::new(&ring::aead::AES_128_GCM, &[0; 16]).unwrap()),
                form: Form::V13 {
                    iv: Zeroizing::new([0; 12]),
                    mask: Box::new(HeaderProtectionKey::new(algorithm, &key).unwrap()),
                },
                limit: Limit::GCM,
            };
            assert_eq!(key.mask(&[&sample[..], &[1, 2, 3]].concat()), Some(mask));
            assert_eq!(key.mask(&sample[..15]), None);
        }
    }

    #[test]
    fn what_one_side_seals_the_other_opens_and_a_flipped_bit_is_noticed() {
        for suite in CipherSuite::of(crate::Version::Dtls12) {
            let derive = || RecordKeys::derive(suite, &Zeroizing::new([7; 48]), &[1; 32], &[2; 32]);
            let (ours, theirs) = (derive().unwrap(), derive().unwrap());
            let head = ours.client.explicit_nonce_len();
            let mut record = vec![0; head];
            record.extend(b"payload");
            let number = (1 << 48) + 5;
            let tag = ours.client.seal_1_2(number, 23, &mut record).unwrap();
            record.extend(tag);
            let open = |mut record: Vec<u8>, number, kind| {
                let opened = theirs.client.open_1_2(number, kind, &mut record);
                opened.map(|range| record[range].to_vec())
            };
            assert_eq!(
                open(record.clone(), number, 23).as_deref(),
                Some(&b"payload"[..])
            );
            assert_eq!(open(record.clone(), number + 1, 23), None);
            assert_eq!(open(record.clone(), number, 22), None);
            for bit in 0..record.len() * 8 {
                let mut flipped = record.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(open(flipped, number, 23), None);
            }
            for end in 0..record.len() {
                assert_eq!(open(record[..end].to_vec(), number, 23), None);
            }
        }
    }
}
