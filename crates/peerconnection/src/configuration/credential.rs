//! What opens a TURN server to its user.

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The `credential` of an [`IceServer`](crate::IceServer), in one with its `credentialType` ([W3C's draft of 2018,
/// §4.2.2](https://www.w3.org/TR/2018/CR-webrtc-20180927/#rtcicecredentialtype-enum)): today's text has passwords only, and a token
/// is an addition. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IceCredential {
    /// `password`: that of the user, for RFC 8489 §9.2.
    Password(String),
    /// `oauth`: a token of an authorization server (RFC 7635). The username is the identifier of its key, `kid`.
    OAuth(OAuthCredential),
}

/// `RTCOAuthCredential` ([W3C's draft of 2018, §4.2.3](https://www.w3.org/TR/2018/CR-webrtc-20180927/#rtcoauthcredential-dictionary)).
/// A token ends: a newer one is given by `setConfiguration()` and counts from the next ICE restart on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[doc(alias = "RTCOAuthCredential")]
pub struct OAuthCredential {
    /// The key of the session, which the token carries for the server, in base64url (RFC 7635 §6.2); base64 is taken as well.
    pub mac_key: String,
    /// The token, as the authorization server gave it, in base64; base64url is taken as well.
    pub access_token: String,
}

/// `RTCIceCredentialType`, for JSON: in Rust the variant says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CredentialType {
    #[default]
    Password,
    Oauth,
}

/// What JSON has for `credential`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum CredentialText {
    Password(String),
    OAuth(OAuthCredential),
}

/// A credential that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    Password(Zeroizing<String>),
    Token {
        mac_key: Zeroizing<Vec<u8>>,
        access_token: Vec<u8>,
    },
}

impl IceCredential {
    pub(super) fn kind(&self) -> CredentialType {
        match self {
            Self::Password(_) => CredentialType::Password,
            Self::OAuth(_) => CredentialType::Oauth,
        }
    }

    /// Its secret.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn secret(&self) -> Result<Secret, &'static str> {
        match self {
            // RFC 8489 §14.3, and the OpaqueString profile of RFC 8265 §4: not empty, no control characters.
            Self::Password(text) if text.is_empty() || text.chars().any(char::is_control) => {
                Err("the credential of a TURN server must be printable text")
            }
            Self::Password(text) => Ok(Secret::Password(text.clone().into())),
            Self::OAuth(oauth) => oauth
                .secret()
                .ok_or("the key and the token of a TURN server must be base64, of 16 to 64 and 1 to 1024 bytes"),
        }
    }
}

impl OAuthCredential {
    fn secret(&self) -> Option<Secret> {
        let mac_key = Zeroizing::new(decode(&self.mac_key)?);
        let access_token = decode(&self.access_token)?;
        let fits = (16..=64).contains(&mac_key.len()) && (1..=1024).contains(&access_token.len());
        fits.then_some(Secret::Token {
            mac_key,
            access_token,
        })
    }
}

/// Of either alphabet, padded or not: servers write both.
fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = URL.decode(text).or_else(|_| STANDARD.decode(text));
    bytes.ok()
}

impl CredentialText {
    /// `None` when it is not of this type.
    pub(super) fn of(self, kind: CredentialType) -> Option<IceCredential> {
        match (self, kind) {
            (Self::Password(text), CredentialType::Password) => Some(IceCredential::Password(text)),
            (Self::OAuth(oauth), CredentialType::Oauth) => Some(IceCredential::OAuth(oauth)),
            _ => None,
        }
    }
}

impl From<IceCredential> for CredentialText {
    fn from(it: IceCredential) -> Self {
        match it {
            IceCredential::Password(text) => Self::Password(text),
            IceCredential::OAuth(oauth) => Self::OAuth(oauth),
        }
    }
}

impl From<String> for IceCredential {
    fn from(password: String) -> Self {
        Self::Password(password)
    }
}

impl From<&str> for IceCredential {
    fn from(password: &str) -> Self {
        Self::Password(password.to_owned())
    }
}

impl From<&String> for IceCredential {
    fn from(password: &String) -> Self {
        Self::Password(password.clone())
    }
}

impl From<OAuthCredential> for IceCredential {
    fn from(oauth: OAuthCredential) -> Self {
        Self::OAuth(oauth)
    }
}

impl fmt::Debug for IceCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind())
    }
}

impl fmt::Debug for OAuthCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthCredential").finish_non_exhaustive()
    }
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Configuration, IceServer};

    fn oauth(mac_key: &str, access_token: &str) -> OAuthCredential {
        OAuthCredential {
            mac_key: mac_key.into(),
            access_token: access_token.into(),
        }
    }

    /// [4.2.2-01] [4.2.3-01] The type says what the credential is, in JSON as browsers had it.
    #[test]
    fn json_has_the_type_beside_the_credential() {
        let json = r#"{"urls":["turn:a"],"username":"kid","credential":{"macKey":"QUFBQQ==","accessToken":"QQ=="},"credentialType":"oauth"}"#;
        let server: IceServer = serde_json::from_str(json).unwrap();
        let expected = oauth("QUFBQQ==", "QQ==");
        assert_eq!(server.credential, Some(expected.into()));
        assert_eq!(serde_json::to_string(&server).unwrap(), json);
        let password = IceServer::with_credential("turn:a", "u", "c");
        let json = serde_json::to_value(&password).unwrap();
        assert_eq!(
            (&json["credential"], json.get("credentialType")),
            (&"c".into(), None)
        );
        for wrong in [
            r#"{"urls":"turn:a","username":"u","credential":"c","credentialType":"oauth"}"#,
            r#"{"urls":"turn:a","username":"u","credential":{"macKey":"","accessToken":""}}"#,
            r#"{"urls":"turn:a","username":"u","credential":"c","credentialType":"token"}"#,
            r#"{"urls":"turn:a","username":"u","credential":{"macKey":"QQ=="},"credentialType":"oauth"}"#,
        ] {
            assert!(serde_json::from_str::<IceServer>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_and_tokens_are_base64_of_some_length() {
        let (key, token) = (STANDARD.encode([7; 20]), STANDARD.encode([9; 90]));
        let secret = |key: &str, token: &str| IceCredential::from(oauth(key, token)).secret();
        let Ok(Secret::Token {
            mac_key,
            access_token,
        }) = secret(&key, &token)
        else {
            panic!("it is one");
        };
        assert_eq!(
            (mac_key.as_slice(), access_token),
            (&[7; 20][..], vec![9; 90])
        );
        for (key, token) in [
            ("not base64", token.as_str()),
            (key.as_str(), "not base64"),
            (key.as_str(), ""),
            (&STANDARD.encode([7; 15]), &token),
            (&STANDARD.encode([7; 65]), &token),
            (&key, &STANDARD.encode([9; 1025])),
        ] {
            assert!(secret(key, token).is_err(), "{key} {token}");
        }
        // Either alphabet, padded or not: W3C has base64url for the key.
        let bytes = [0xfb, 0xff].repeat(10);
        let (standard, url) = (STANDARD.encode(&bytes), URL.encode(&bytes));
        assert!(standard.contains("+/") && standard.ends_with('=') && url.contains("-_"));
        for written in [&standard, &url] {
            for written in [written, written.trim_end_matches('=')] {
                let Ok(Secret::Token {
                    mac_key,
                    access_token,
                }) = secret(written, written)
                else {
                    panic!("{written}");
                };
                assert_eq!((&*mac_key, &access_token), (&bytes, &bytes));
            }
        }
        assert!(secret(&format!("-{}", &standard[1..]), &token).is_err());
        let configuration = Configuration {
            ice_servers: vec![IceServer::with_credential("turn:a", "kid", oauth("?", "?"))],
            ..Configuration::default()
        };
        let error = configuration.check(None, false).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidAccess);
    }

    #[test]
    fn nothing_secret_is_printed() {
        let shown = format!(
            "{:?} {:?}",
            IceCredential::from("secret"),
            oauth("secret", "secret")
        );
        assert!(!shown.contains("secret"), "{shown}");
    }
}
