//! ICE credentials.

use std::fmt;

/// The name and password of one generation of ICE (RFC 8839 §5.4).
///
/// `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// 4 to 256 characters.
    pub ufrag: String,
    /// 22 to 256 characters.
    pub password: String,
}

impl Credentials {
    /// Whether both have only characters that are written (RFC 8839 §5.4: ice-char), and as many as there may be.
    pub fn is_written(&self) -> bool {
        let ice_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        let sound =
            |text: &str, least| (least..=256).contains(&text.len()) && text.bytes().all(ice_char);
        sound(&self.ufrag, 4) && sound(&self.password, 22)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("ufrag", &self.ufrag)
            .finish_non_exhaustive()
    }
}
