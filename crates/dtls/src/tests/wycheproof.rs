//! The cases of Project Wycheproof for the algorithms used, through the calls that the crate itself makes.

use serde_json::Value;

use crate::{
    Group, SignatureScheme, Version,
    crypto::{aead::RecordKey, group::KeyShare, hkdf::Hash, key::PublicKey},
    tests::unhex,
};

/// Every case: its group, and itself.
fn cases(text: &str) -> Vec<(Value, Value)> {
    let file: Value = serde_json::from_str(text).unwrap();
    let mut cases = Vec::new();
    for group in file["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            let mut head = group.clone();
            head.as_object_mut().unwrap().remove("tests");
            cases.push((head, case.clone()));
        }
    }
    cases
}

fn bytes(case: &Value, name: &str) -> Vec<u8> {
    unhex(case[name].as_str().unwrap())
}

fn is(case: &Value, result: &str) -> bool {
    case["result"] == result
}

fn has_flag(case: &Value, flags: &[&str]) -> bool {
    let flags = |flag: &Value| flags.contains(&flag.as_str().unwrap());
    case["flags"].as_array().unwrap().iter().any(flags)
}

#[test]
fn authenticated_encryption() {
    let mut count = 0;
    for text in [
        include_str!("../../tests/wycheproof/aes_gcm_test.json"),
        include_str!("../../tests/wycheproof/chacha20_poly1305_test.json"),
    ] {
        let chacha = text.contains("CHACHA20-POLY1305");
        for (group, case) in cases(text) {
            let sizes = (group["ivSize"].as_u64(), group["keySize"].as_u64());
            let algorithm = match (chacha, sizes) {
                (true, (Some(96), Some(256))) => &ring::aead::CHACHA20_POLY1305,
                (false, (Some(96), Some(128))) => &ring::aead::AES_128_GCM,
                (false, (Some(96), Some(256))) => &ring::aead::AES_256_GCM,
                _ => continue,
            };
            count += 1;
            let iv = bytes(&case, "iv").try_into().unwrap();
            let key = RecordKey::of_parts(algorithm, &bytes(&case, "key"), iv).unwrap();
            let (aad, message) = (bytes(&case, "aad"), bytes(&case, "msg"));
            let sealed = [bytes(&case, "ct"), bytes(&case, "tag")].concat();
            let mut opened = sealed.clone();
            let range = key.open_1_3(0, &aad, &mut opened);
            let id = &case["tcId"];
            assert_eq!(range.is_some(), is(&case, "valid"), "{id}");
            if let Some(range) = range {
                assert_eq!(opened[range], message, "{id}");
                let mut again = message.clone();
                let tag = key.seal_1_3(0, &aad, &mut again).unwrap();
                assert_eq!([&again[..], &tag].concat(), sealed, "{id}");
            }
        }
    }
    assert!(count > 300, "{count}");
}

/// Each public key meets a fresh one of ours, as the library takes no private key.
#[test]
fn points_are_checked() {
    for (group, text) in [
        (
            Group::P256,
            include_str!("../../tests/wycheproof/ecdh_secp256r1_ecpoint_test.json"),
        ),
        (
            Group::P384,
            include_str!("../../tests/wycheproof/ecdh_secp384r1_ecpoint_test.json"),
        ),
    ] {
        for (_, case) in cases(text) {
            let agreed = KeyShare::generate(group)
                .unwrap()
                .agree(&bytes(&case, "public"));
            let id = &case["tcId"];
            match case["result"].as_str() {
                Some("valid") => assert!(agreed.is_some(), "{id}"),
                Some("invalid") => assert!(agreed.is_none(), "{id}"),
                // A compressed point: RFC 8422 §5.1.2 knows none.
                _ => assert!(agreed.is_none(), "{id}"),
            }
        }
    }
    let text = include_str!("../../tests/wycheproof/x25519_test.json");
    for (_, case) in cases(text) {
        let share = KeyShare::generate(Group::X25519).unwrap();
        let agreed = share.agree(&bytes(&case, "public"));
        let low_order = has_flag(&case, &["ZeroSharedSecret"]);
        assert_eq!(agreed.is_none(), low_order, "{}", case["tcId"]);
    }
}

fn signatures(
    text: &str,
    version: Version,
    scheme: SignatureScheme,
    key: impl Fn(&Value) -> PublicKey,
) {
    let mut valid = 0;
    for (group, case) in cases(text) {
        let (message, signature) = (bytes(&case, "msg"), bytes(&case, "sig"));
        let signed = key(&group).check_signature(version, scheme, &message, &signature);
        valid += usize::from(signed.is_some());
        // What somebody might let pass is refused.
        assert_eq!(signed.is_some(), is(&case, "valid"), "{}", case["tcId"]);
    }
    assert!(valid > 0);
}

#[test]
fn signatures_are_verified() {
    use SignatureScheme as S;

    let point = |group: &Value| unhex(group["publicKey"]["uncompressed"].as_str().unwrap());
    for version in [Version::Dtls12, Version::Dtls13] {
        let text = include_str!("../../tests/wycheproof/ecdsa_secp256r1_sha256_test.json");
        signatures(text, version, S::EcdsaSecp256r1Sha256, |it| {
            PublicKey::P256(point(it))
        });
        let text = include_str!("../../tests/wycheproof/ecdsa_secp384r1_sha384_test.json");
        signatures(text, version, S::EcdsaSecp384r1Sha384, |it| {
            PublicKey::P384(point(it))
        });
        let text = include_str!("../../tests/wycheproof/ed25519_test.json");
        signatures(text, version, S::Ed25519, |it| {
            PublicKey::Ed25519(unhex(it["publicKey"]["pk"].as_str().unwrap()))
        });
    }
    let rsa = |it: &Value| PublicKey::Rsa(bytes(it, "publicKeyAsn"));
    for (scheme, text) in [
        (
            S::RsaPkcs1Sha256,
            include_str!("../../tests/wycheproof/rsa_signature_2048_sha256_test.json"),
        ),
        (
            S::RsaPkcs1Sha384,
            include_str!("../../tests/wycheproof/rsa_signature_2048_sha384_test.json"),
        ),
        (
            S::RsaPkcs1Sha512,
            include_str!("../../tests/wycheproof/rsa_signature_2048_sha512_test.json"),
        ),
    ] {
        signatures(text, Version::Dtls12, scheme, rsa);
    }
    for (scheme, text) in [
        (
            S::RsaPssRsaeSha256,
            include_str!("../../tests/wycheproof/rsa_pss_2048_sha256_mgf1_32_test.json"),
        ),
        (
            S::RsaPssRsaeSha384,
            include_str!("../../tests/wycheproof/rsa_pss_2048_sha384_mgf1_48_test.json"),
        ),
        (
            S::RsaPssRsaeSha512,
            include_str!("../../tests/wycheproof/rsa_pss_4096_sha512_mgf1_64_test.json"),
        ),
    ] {
        for version in [Version::Dtls12, Version::Dtls13] {
            signatures(text, version, scheme, rsa);
        }
    }
}

/// RFC 8446 §4.2.3: 1.3 is not signed with PKCS #1.
#[test]
fn schemes_are_bound_to_versions() {
    let text = include_str!("../../tests/wycheproof/rsa_signature_2048_sha256_test.json");
    let (group, case) = cases(text)
        .into_iter()
        .find(|(_, case)| is(case, "valid"))
        .unwrap();
    let key = PublicKey::Rsa(bytes(&group, "publicKeyAsn"));
    let (message, signature) = (bytes(&case, "msg"), bytes(&case, "sig"));
    let check = |version| {
        key.check_signature(
            version,
            SignatureScheme::RsaPkcs1Sha256,
            &message,
            &signature,
        )
    };
    assert!(check(Version::Dtls12).is_some() && check(Version::Dtls13).is_none());
}

#[test]
fn key_derivation() {
    for (hash, text) in [
        (
            Hash::SHA256,
            include_str!("../../tests/wycheproof/hkdf_sha256_test.json"),
        ),
        (
            Hash::SHA384,
            include_str!("../../tests/wycheproof/hkdf_sha384_test.json"),
        ),
    ] {
        for (_, case) in cases(text) {
            let secret = hash.extract(&bytes(&case, "salt"), &bytes(&case, "ikm"));
            let size = usize::try_from(case["size"].as_u64().unwrap()).unwrap();
            let mut out = vec![0; size];
            let secret = hash.expander(&[], &secret);
            let done = secret.expand(&[&bytes(&case, "info")], &mut out);
            assert_eq!(done.is_some(), is(&case, "valid"), "{}", case["tcId"]);
            if done.is_some() {
                assert_eq!(out, bytes(&case, "okm"), "{}", case["tcId"]);
            }
        }
    }
}

/// Of Finished, of cookies, and of the function that makes the keys of 1.2.
#[test]
fn message_authentication() {
    let text = include_str!("../../tests/wycheproof/hmac_sha256_test.json");
    let mut count = [0, 0];
    for (group, case) in cases(text) {
        let mac = Hash::SHA256.mac(&bytes(&case, "key"), &bytes(&case, "msg"));
        // Some are cut.
        let size = group["tagSize"].as_u64().unwrap() as usize / 8;
        let right = mac.as_ref()[..size] == bytes(&case, "tag");
        assert_eq!(right, is(&case, "valid"), "{}", case["tcId"]);
        count[usize::from(right)] += 1;
    }
    assert!(count[0] > 80 && count[1] > 60, "{count:?}");
}
