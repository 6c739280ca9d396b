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
    /// Whether both have only characters that are written (RFC 8839 §5.4: ice-char).
    pub(crate) fn is_written(&self) -> bool {
        let ice_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        self.ufrag
            .bytes()
            .chain(self.password.bytes())
            .all(ice_char)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("ufrag", &self.ufrag)
            .finish_non_exhaustive()
    }
}
