use ring::{digest, hmac};
use zeroize::Zeroizing;

use crate::crypto::suite::CipherSuite;

/// The 48 bytes from which every key of an association is derived (RFC 5246 §8.1).
pub(crate) type MasterSecret = Zeroizing<[u8; 48]>;

/// The pseudorandom function of TLS 1.2 (RFC 5246 §5): `seed` is given in pieces.
pub(crate) fn prf(
    algorithm: hmac::Algorithm,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    out: &mut [u8],
) {
    let key = hmac::Key::new(algorithm, secret);
    let seeded = |mut context: hmac::Context| {
        context.update(label);
        seed.iter().for_each(|piece| context.update(piece));
        context.sign()
    };
    // A(0) is the seed, A(i) = HMAC(A(i-1)).
    let mut a = seeded(hmac::Context::with_key(&key));
    for block in out.chunks_mut(algorithm.digest_algorithm().output_len()) {
        let mut context = hmac::Context::with_key(&key);
        context.update(a.as_ref());
        let output = seeded(context);
        for (to, from) in block.iter_mut().zip(output.as_ref()) {
            *to = *from;
        }
        a = hmac::sign(&key, a.as_ref());
    }
}

/// RFC 7627 §4: the secret is bound to everything said up to the ClientKeyExchange.
pub(crate) fn extended_master_secret(
    suite: CipherSuite,
    premaster: &[u8],
    session_hash: &digest::Digest,
) -> MasterSecret {
    let mut secret = Zeroizing::new([0; 48]);
    let label = b"extended master secret";
    let seed = [session_hash.as_ref()];
    prf(suite.hmac(), premaster, label, &seed, secret.as_mut());
    secret
}

/// RFC 5246 §8.1, for peers without the extended one.
pub(crate) fn master_secret(
    suite: CipherSuite,
    premaster: &[u8],
    client_random: &[u8],
    server_random: &[u8],
) -> MasterSecret {
    let mut secret = Zeroizing::new([0; 48]);
    let seed = [client_random, server_random];
    prf(
        suite.hmac(),
        premaster,
        b"master secret",
        &seed,
        secret.as_mut(),
    );
    secret
}

/// The contents of a Finished message (RFC 5246 §7.4.9).
pub(crate) fn verify_data(
    suite: CipherSuite,
    master: &MasterSecret,
    label: &[u8],
    transcript: &digest::Digest,
) -> [u8; 12] {
    let mut out = [0; 12];
    prf(
        suite.hmac(),
        master.as_ref(),
        label,
        &[transcript.as_ref()],
        &mut out,
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
        crate::tests::unhex(&digits)
    }

    /// The P_SHA256 and P_SHA384 vectors published on the TLS working group's list
    /// (<https://mailarchive.ietf.org/arch/msg/tls/fzVCzk-z3FShgGJ6DOXqM1ydxms/>).
    #[test]
    fn published_vectors() {
        let mut out = [0; 100];
        let secret = bytes("9b be 43 6b a9 40 f0 17 b1 76 52 84 9a 71 db 35");
        let seed = bytes("a0 ba 9f 93 6c da 31 18 27 a6 f7 96 ff d5 19 8c");
        prf(
            hmac::HMAC_SHA256,
            &secret,
            b"test label",
            &[&seed],
            &mut out,
        );
        assert_eq!(
            out.to_vec(),
            bytes(
                "e3 f2 29 ba 72 7b e1 7b 8d 12 26 20 55 7c d4 53 c2 aa b2 1d 07 c3 d4 95 32 9b 52 d4
                 e6 1e db 5a 6b 30 17 91 e9 0d 35 c9 c9 a4 6b 4e 14 ba f9 af 0f a0 22 f7 07 7d ef 17
                 ab fd 37 97 c0 56 4b ab 4f bc 91 66 6e 9d ef 9b 97 fc e3 4f 79 67 89 ba a4 80 82 d1
                 22 ee 42 c5 a7 2e 5a 51 10 ff f7 01 87 34 7b 66"
            )
        );
        let mut out = [0; 148];
        let secret = bytes("b8 0b 73 3d 6c ee fc dc 71 56 6e a4 8e 55 67 df");
        let seed = bytes("cd 66 5c f6 a8 44 7d d6 ff 8b 27 55 5e db 74 65");
        prf(
            hmac::HMAC_SHA384,
            &secret,
            b"test label",
            &[&seed],
            &mut out,
        );
        assert_eq!(
            out.to_vec(),
            bytes(
                "7b 0c 18 e9 ce d4 10 ed 18 04 f2 cf a3 4a 33 6a 1c 14 df fb 49 00 bb 5f d7 94 21 07
                 e8 1c 83 cd e9 ca 0f aa 60 be 9f e3 4f 82 b1 23 3c 91 46 a0 e5 34 cb 40 0f ed 27 00
                 88 4f 9d c2 36 f8 0e dd 8b fa 96 11 44 c9 e8 d7 92 ec a7 22 a7 b3 2f c3 d4 16 d4 73
                 eb c2 c5 fd 4a bf da d0 5d 91 84 25 9b 5b f8 cd 4d 90 fa 0d 31 e2 de c4 79 e4 f1 a2
                 60 66 f2 ee a9 a6 92 36 a3 e5 26 55 c9 e9 ae e6 91 c8 f3 a2 68 54 30 8d 5e aa 3b e8
                 5e 09 90 70 3d 73 e5 6f"
            )
        );
    }
}
