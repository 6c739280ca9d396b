use std::fmt;

/// An alert: what one peer tells the other before it gives up, or when it closes (RFC 5246 §7.2).
///
/// ```text
///  0                   1
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |     level     |  description  |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Alert {
    /// Whether the association survives.
    pub level: AlertLevel,
    /// The reason.
    pub description: AlertDescription,
}

/// How grave an [`Alert`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlertLevel {
    /// The association goes on (`close_notify` excepted).
    Warning,
    /// The association is dead.
    Fatal,
}

/// The reason of an [`Alert`], by its number in the TLS Alerts registry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlertDescription(u8);

impl Alert {
    /// Reads the two bytes of an alert record; `None` when they are not an alert.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let &[level, description] = body else {
            return None;
        };
        let level = match level {
            1 => AlertLevel::Warning,
            2 => AlertLevel::Fatal,
            _ => return None,
        };
        Some(Self {
            level,
            description: AlertDescription(description),
        })
    }

    /// The two bytes of the record.
    pub fn to_bytes(self) -> [u8; 2] {
        let level = match self.level {
            AlertLevel::Warning => 1,
            AlertLevel::Fatal => 2,
        };
        [level, self.description.0]
    }

    pub(crate) fn fatal(description: AlertDescription) -> Self {
        Self {
            level: AlertLevel::Fatal,
            description,
        }
    }

    pub(crate) fn warning(description: AlertDescription) -> Self {
        Self {
            level: AlertLevel::Warning,
            description,
        }
    }
}

impl AlertDescription {
    /// The sender closes in good order.
    pub const CLOSE_NOTIFY: Self = Self(0);
    /// A message came where the handshake has no place for it.
    pub const UNEXPECTED_MESSAGE: Self = Self(10);
    /// A record carries more than it may.
    pub const RECORD_OVERFLOW: Self = Self(22);
    /// No parameters both sides accept.
    pub const HANDSHAKE_FAILURE: Self = Self(40);
    /// The certificate is corrupt, or not the one that was announced.
    pub const BAD_CERTIFICATE: Self = Self(42);
    /// The certificate's key is of a type that is not supported.
    pub const UNSUPPORTED_CERTIFICATE: Self = Self(43);
    /// Something else is wrong with the certificate.
    pub const CERTIFICATE_UNKNOWN: Self = Self(46);
    /// A field is out of range or contradicts another.
    pub const ILLEGAL_PARAMETER: Self = Self(47);
    /// A message could not be decoded.
    pub const DECODE_ERROR: Self = Self(50);
    /// A signature or a Finished message does not verify.
    pub const DECRYPT_ERROR: Self = Self(51);
    /// No protocol version both sides accept.
    pub const PROTOCOL_VERSION: Self = Self(70);
    /// The sender failed for a reason of its own.
    pub const INTERNAL_ERROR: Self = Self(80);
    /// The handshake was given up by its user.
    pub const USER_CANCELED: Self = Self(90);
    /// Renegotiation is refused.
    pub const NO_RENEGOTIATION: Self = Self(100);
    /// An extension that has to be there is not (RFC 8446 §9.2).
    pub const MISSING_EXTENSION: Self = Self(109);
    /// The server answered an extension that was not offered.
    pub const UNSUPPORTED_EXTENSION: Self = Self(110);
    /// The client has no certificate (RFC 8446 §6.2).
    pub const CERTIFICATE_REQUIRED: Self = Self(116);
    /// No application protocol both sides accept (RFC 7301 §3.2).
    pub const NO_APPLICATION_PROTOCOL: Self = Self(120);

    /// The number of the registry, as W3C's `sentAlert` and `receivedAlert` have it.
    pub fn code(self) -> u8 {
        self.0
    }

    fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            22 => "record_overflow",
            40 => "handshake_failure",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            112 => "unrecognized_name",
            116 => "certificate_required",
            120 => "no_application_protocol",
            _ => return None,
        })
    }
}

impl From<u8> for AlertDescription {
    fn from(code: u8) -> Self {
        Self(code)
    }
}

impl fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "alert {}", self.0),
        }
    }
}

impl fmt::Debug for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_survive_a_round_trip_and_nonsense_is_refused() {
        for code in 0..=255 {
            for alert in [Alert::fatal(code.into()), Alert::warning(code.into())] {
                assert_eq!(Alert::parse(&alert.to_bytes()), Some(alert));
            }
        }
        for bytes in [&[][..], &[2], &[0, 0], &[3, 40], &[2, 40, 0]] {
            assert_eq!(Alert::parse(bytes), None);
        }
        assert_eq!(
            AlertDescription::BAD_CERTIFICATE.to_string(),
            "bad_certificate"
        );
        assert_eq!(AlertDescription::from(77).to_string(), "alert 77");
    }
}
