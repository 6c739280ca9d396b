//! What an authorization server gives its users (RFC 7635).

use std::time::SystemTime;

use anyhow::{Context as _, anyhow};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use oxirtc_peerconnection::OAuthCredential;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// A token for an hour, encrypted with the key that the TURN server has, too.
pub(super) fn granted(key: &[u8; KEY]) -> anyhow::Result<OAuthCredential> {
    let mut mac_key = [0; MAC_KEY];
    // coturn checks with the first 16 bytes alone; to an HMAC zeroes behind them are the same key.
    mac_key[..16].fill(0xa5);
    #[expect(
        clippy::disallowed_methods,
        reason = "a token is granted by the wall clock"
    )]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    // RFC 7635 §6.2: seconds in 48 bits, and their fractions in 16.
    let timestamp = now.as_secs() << 16;
    let mut sealed = (MAC_KEY as u16).to_be_bytes().to_vec();
    sealed.extend(mac_key);
    sealed.extend(timestamp.to_be_bytes());
    sealed.extend(LIFETIME.to_be_bytes());
    let wrong = |_| anyhow!("ring does not encrypt");
    let nonce = [9; NONCE_LEN];
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(wrong)?);
    let server = Aad::from(SERVER.as_bytes());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), server, &mut sealed)
        .map_err(wrong)?;
    let length = u16::try_from(NONCE_LEN).context("a long nonce")?;
    let token = [&length.to_be_bytes()[..], &nonce, &sealed].concat();
    Ok(OAuthCredential {
        mac_key: STANDARD.encode(mac_key),
        access_token: STANDARD.encode(token),
    })
}

/// What the key is called.
pub(super) const KEY_ID: &str = "north";
/// The name that coturn has for itself: its realm.
pub(super) const SERVER: &str = "example.org";
/// Bytes of the key.
pub(super) const KEY: usize = 32;
/// For HMAC-SHA-1.
const MAC_KEY: usize = 20;
/// An hour.
const LIFETIME: u32 = 3600;
