//! Credentials, and the one rule by which a request is repeated (RFC 8489 §9.2, RFC 7635).

use oxirtc_stun::{
    Attribute, AttributeType, Builder, ErrorCode, Integrity, IntegrityKey, Message,
    PasswordAlgorithm, RawAttribute, SecurityFeatures, userhash,
};

use crate::config::Credentials;

/// What a server has said of itself, and the key that follows from it.
#[derive(Default)]
pub(crate) struct Auth {
    realm: Option<String>,
    nonce: Vec<u8>,
    /// PASSWORD-ALGORITHMS as it came: it is sent back, so that nobody can have cut it.
    algorithms: Option<Vec<u8>>,
    is_sha256: bool,
    anonymous: bool,
    key: Option<IntegrityKey>,
    /// Counts nonces.
    epoch: u32,
}

/// What a request was sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// Credentials, or none: the first request asks which ones are wanted.
    pub(crate) with_key: bool,
    epoch: u32,
    /// How often it was repeated for another nonce.
    stale: u8,
}

/// What becomes of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Granted,
    /// The request is sent once more.
    Retry(Signed),
    /// Another server is asked.
    Redirect,
    Refused(u16, String),
    /// It was never received.
    Ignored,
}

impl Auth {
    /// What the next request is sent with.
    pub(crate) fn sign(&self) -> Signed {
        Signed {
            with_key: self.key.is_some(),
            epoch: self.epoch,
            stale: 0,
        }
    }

    /// Appends credentials and integrity to a request.
    pub(crate) fn write(&self, builder: &mut Builder<'_>, credentials: &Credentials) {
        let (Some(key), Some(realm)) = (&self.key, &self.realm) else {
            return;
        };
        match credentials {
            Credentials::LongTerm { username, .. } => {
                match userhash(username, realm).ok().filter(|_| self.anonymous) {
                    Some(hash) => builder.add(Attribute::Userhash(hash)),
                    None => builder.add(Attribute::Username(username)),
                };
            }
            Credentials::Token {
                key_id,
                access_token,
                ..
            } => {
                builder.add(Attribute::Username(key_id));
                builder.add(Attribute::Other(RawAttribute {
                    kind: ACCESS_TOKEN,
                    value: access_token,
                }));
            }
        }
        builder.add(Attribute::Realm(realm));
        builder.add(Attribute::Nonce(&self.nonce));
        let Some(algorithms) = &self.algorithms else {
            builder.message_integrity(key);
            return;
        };
        builder.add(Attribute::Other(RawAttribute {
            kind: AttributeType::PASSWORD_ALGORITHMS,
            value: algorithms,
        }));
        builder.add(Attribute::PasswordAlgorithm(self.algorithm()));
        builder.message_integrity_sha256(key);
    }

    fn algorithm(&self) -> PasswordAlgorithm<'static> {
        if self.is_sha256 {
            PasswordAlgorithm::SHA256
        } else {
            PasswordAlgorithm::MD5
        }
    }

    /// Judges a response to a request that was sent so. `creates` is true for Allocate: nothing is there
    /// yet that a forged refusal could destroy, and servers refuse without integrity what they did not
    /// authenticate.
    pub(crate) fn judge(
        &mut self,
        credentials: &Credentials,
        response: &Message<'_>,
        (signed, creates): (Signed, bool),
    ) -> Verdict {
        let error = match response.class() {
            oxirtc_stun::Class::Error => match response.error_code() {
                Some(error) => Some(error),
                None => return Verdict::Ignored,
            },
            _ => None,
        };
        let code = error.map(|error| error.code);
        if code == Some(ErrorCode::UNAUTHENTICATED.code) {
            return self.challenged(credentials, response, signed);
        }
        if code == Some(ErrorCode::STALE_NONCE.code) {
            return self.staled(credentials, response, signed);
        }
        let bare = !response.contains(AttributeType::MESSAGE_INTEGRITY)
            && !response.contains(AttributeType::MESSAGE_INTEGRITY_SHA256);
        let excused = bare && (!signed.with_key || creates && error.is_some());
        if !excused && !self.is_authentic(response) {
            return Verdict::Ignored;
        }
        match error {
            None => Verdict::Granted,
            Some(error) if error.code == ErrorCode::TRY_ALTERNATE.code => Verdict::Redirect,
            Some(error) => Verdict::Refused(error.code, error.reason.to_owned()),
        }
    }

    /// 401: credentials are wanted, or were wrong.
    fn challenged(
        &mut self,
        credentials: &Credentials,
        response: &Message<'_>,
        signed: Signed,
    ) -> Verdict {
        let refused =
            |reason: &str| Verdict::Refused(ErrorCode::UNAUTHENTICATED.code, reason.to_owned());
        if signed.with_key {
            let reason = response.error_code().map_or("", |error| error.reason);
            return refused(reason);
        }
        // Another request was challenged before: what it learnt counts.
        if self.epoch == signed.epoch && self.learn(credentials, response).is_none() {
            return refused("the server does not say what it wants");
        }
        Verdict::Retry(self.sign())
    }

    /// 438: once more with another nonce, as long as it is another one, and not for ever.
    fn staled(
        &mut self,
        credentials: &Credentials,
        response: &Message<'_>,
        signed: Signed,
    ) -> Verdict {
        let stale = signed.stale + 1;
        let is_new = response.nonce().is_some_and(|nonce| nonce != self.nonce);
        let learnt =
            self.epoch != signed.epoch || is_new && self.learn(credentials, response).is_some();
        if !learnt || stale > MAX_STALE {
            let reason = "the server does not accept the nonce that it gave";
            return Verdict::Refused(ErrorCode::STALE_NONCE.code, reason.to_owned());
        }
        Verdict::Retry(Signed {
            stale,
            ..self.sign()
        })
    }

    /// Takes realm, nonce and algorithms over, and makes the key.
    fn learn(&mut self, credentials: &Credentials, response: &Message<'_>) -> Option<()> {
        let realm = response
            .realm()
            .map(str::to_owned)
            .or_else(|| self.realm.clone())?;
        let nonce = response.nonce()?.to_vec();
        let features = SecurityFeatures::from_nonce(&nonce).unwrap_or_default();
        let offered = response.password_algorithms();
        // RFC 8489 §9.2.5: the nonce says whether algorithms were offered, so that nobody on the way
        // can take them out.
        if features.password_algorithms && offered.is_none() {
            return None;
        }
        let (mut is_sha256, mut algorithms) = (false, None);
        if let Some(offered) = offered {
            // RFC 8489 §9.2.5: the server lists what it prefers first, and of that the first one known is taken.
            let known = [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];
            let chosen = offered.iter().find(|it| known.contains(it))?;
            is_sha256 = chosen == PasswordAlgorithm::SHA256;
            let raw = response.get(AttributeType::PASSWORD_ALGORITHMS)?;
            algorithms = Some(raw.value.to_vec());
        }
        (self.is_sha256, self.algorithms) = (is_sha256, algorithms);
        let key = match credentials {
            Credentials::LongTerm { username, password } => {
                let algorithm = self.algorithm();
                IntegrityKey::long_term(username, &realm, password, algorithm).ok()?
            }
            // RFC 7635 §4.1.1: the key of the session is used as it is.
            Credentials::Token { mac_key, .. } => IntegrityKey::from_bytes(mac_key),
        };
        self.key = Some(key);
        self.anonymous = features.username_anonymity;
        (self.realm, self.nonce) = (Some(realm), nonce);
        self.epoch += 1;
        Some(())
    }

    fn is_authentic(&self, response: &Message<'_>) -> bool {
        let Some(key) = &self.key else {
            return false;
        };
        // RFC 8489 §9.2.4: who offered algorithms answers with SHA-256.
        match response.verify_integrity(key) {
            Ok(Integrity::Sha256) => true,
            Ok(Integrity::Sha1) => self.algorithms.is_none(),
            Err(_) => false,
        }
    }
}

/// How often in a row a request is repeated for another nonce.
const MAX_STALE: u8 = 3;
/// RFC 7635 §6.2: ACCESS-TOKEN.
const ACCESS_TOKEN: AttributeType = AttributeType(0x001b);
