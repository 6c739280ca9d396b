use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::crypto::{
    prf::{self, MasterSecret},
    suite::CipherSuite,
};

/// One direction of one epoch. The nonce is always made of the epoch and sequence number, which the
/// record layer never uses twice: nothing here is random.
pub(crate) struct RecordKey {
    key: LessSafeKey,
    nonce: NonceForm,
}

/// Both directions, as the client names them.
pub(crate) struct RecordKeys {
    pub(crate) client: RecordKey,
    pub(crate) server: RecordKey,
}

enum NonceForm {
    /// RFC 5288 §3: four secret bytes, then the eight that stand at the head of the record.
    Explicit(Zeroizing<[u8; 4]>),
    /// RFC 7905 §2: twelve secret bytes, the sequence number added without carry; nothing on the wire.
    Implicit(Zeroizing<[u8; 12]>),
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
                nonce: match explicit {
                    true => NonceForm::Explicit(Zeroizing::new(iv.try_into().ok()?)),
                    false => NonceForm::Implicit(Zeroizing::new(iv.try_into().ok()?)),
                },
            })
        };
        Some(Self {
            client: half(client_key, client_iv)?,
            server: half(server_key, server_iv)?,
        })
    }
}

impl RecordKey {
    /// Bytes between the record header and the ciphertext.
    pub(crate) fn explicit_nonce_len(&self) -> usize {
        match self.nonce {
            NonceForm::Explicit(_) => EXPLICIT_NONCE_LEN,
            NonceForm::Implicit(_) => 0,
        }
    }

    /// Seals what stands behind the room for the explicit nonce in `fragment`, writes that nonce and
    /// gives the tag. `number` is the epoch and sequence number as they stand in the header.
    pub(crate) fn seal(
        &self,
        number: u64,
        content_type: u8,
        fragment: &mut [u8],
    ) -> Option<[u8; TAG_LEN]> {
        let (explicit, plaintext) = fragment.split_at_mut_checked(self.explicit_nonce_len())?;
        let number = number.to_be_bytes();
        if let Some(explicit) = explicit.first_chunk_mut() {
            *explicit = number;
        }
        let aad = additional_data(number, content_type, plaintext.len())?;
        let nonce = self.nonce(number);
        let sealed = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), plaintext);
        sealed.ok()?.as_ref().try_into().ok()
    }

    /// Opens a record's fragment in place; `None` when it does not authenticate.
    pub(crate) fn open<'f>(
        &self,
        number: u64,
        content_type: u8,
        fragment: &'f mut [u8],
    ) -> Option<&'f mut [u8]> {
        let (explicit, sealed) = fragment.split_at_mut_checked(self.explicit_nonce_len())?;
        let aad = additional_data(
            number.to_be_bytes(),
            content_type,
            sealed.len().checked_sub(TAG_LEN)?,
        )?;
        // RFC 5288 §3: a peer chooses its explicit nonces as it likes.
        let explicit = explicit.first_chunk().copied();
        let nonce = self.nonce(explicit.unwrap_or(number.to_be_bytes()));
        self.key.open_in_place(nonce, Aad::from(aad), sealed).ok()
    }

    fn nonce(&self, counter: [u8; 8]) -> Nonce {
        let mut nonce = [0; 12];
        let (head, tail) = nonce.split_at_mut(4);
        tail.copy_from_slice(&counter);
        match &self.nonce {
            NonceForm::Explicit(salt) => head.copy_from_slice(salt.as_ref()),
            NonceForm::Implicit(iv) => {
                for (byte, mask) in nonce.iter_mut().zip(iv.iter()) {
                    *byte ^= mask;
                }
            }
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// RFC 5246 §6.2.3.3, with DTLS' epoch and sequence number (RFC 6347 §4.1.2.1).
fn additional_data(number: [u8; 8], content_type: u8, length: usize) -> Option<[u8; 13]> {
    let length = u16::try_from(length).ok()?.to_be_bytes();
    let [a, b, c, d, e, f, g, h] = number;
    let [high, low] = length;
    Some([a, b, c, d, e, f, g, h, content_type, 0xFE, 0xFD, high, low])
}

pub(crate) const EXPLICIT_NONCE_LEN: usize = 8;
pub(crate) const TAG_LEN: usize = 16;
const MAX_KEY_BLOCK: usize = 2 * (32 + 12);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_seals_the_other_opens_and_a_flipped_bit_is_noticed() {
        for suite in CipherSuite::ALL {
            let derive = || RecordKeys::derive(suite, &Zeroizing::new([7; 48]), &[1; 32], &[2; 32]);
            let (ours, theirs) = (derive().unwrap(), derive().unwrap());
            let head = ours.client.explicit_nonce_len();
            let mut record = vec![0; head];
            record.extend(b"payload");
            let number = (1 << 48) + 5;
            let tag = ours.client.seal(number, 23, &mut record).unwrap();
            record.extend(tag);
            let open = |mut record: Vec<u8>, number, kind| {
                let opened = theirs.client.open(number, kind, &mut record);
                opened.map(|plaintext| plaintext.to_vec())
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
