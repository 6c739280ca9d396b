//! Errors under their W3C names.

use std::{error, fmt, sync::Arc};

/// What a call failed with: a name of the W3C Recommendation, a message, and details where the
/// Recommendation has them.
///
/// No type of a layer shows, so that a layer can change without this crate.
#[derive(Clone)]
#[doc(alias = "RTCError")]
pub struct Error(Box<Body>);

/// The name of an error: those of `DOMException`, and `TypeError` and `RangeError` of ECMAScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object is in a state that does not allow the call.
    InvalidState,
    /// The value is well formed and not acceptable here.
    InvalidAccess,
    /// What may not change would change.
    InvalidModification,
    /// A string that does not have the form it must have.
    Syntax,
    /// A character that may not stand in the string.
    InvalidCharacter,
    /// Not supported by this implementation.
    NotSupported,
    /// Failed for a reason of its own; often with an [`ErrorDetail`].
    Operation,
    /// `TypeError`: an argument is not what it may be.
    Type,
    /// `RangeError`: a number is out of its range.
    Range,
    /// None of the others.
    Unknown,
    /// What was waited for cannot come any more, as the connection or the channel ended. W3C leaves
    /// such a promise pending for ever; a future must end.
    Aborted,
}

/// `RTCErrorDetailType` with what belongs to it (W3C §11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "RTCErrorDetailType")]
pub enum ErrorDetail {
    /// A data channel could not be opened, or has failed (`data-channel-failure`).
    DataChannelFailure,
    /// The handshake of DTLS has failed, or its association has ended by an error (`dtls-failure`).
    DtlsFailure {
        /// The code of the alert that came, if one did.
        received_alert: Option<u8>,
        /// The code of the alert that was sent, if one was.
        sent_alert: Option<u8>,
    },
    /// `fingerprint-failure`: the peer's certificate is not the one of its description. In DTLS 1.2 it may be told 5 s
    /// late, as anybody can have sent that certificate.
    FingerprintFailure,
    /// The association of SCTP has ended by an error (`sctp-failure`).
    SctpFailure {
        /// The cause code of RFC 9260 §3.3.10, if there is one.
        cause_code: Option<u16>,
    },
    /// A description cannot be read (`sdp-syntax-error`).
    SdpSyntaxError {
        /// The line that does not parse, from 1.
        line_number: u32,
    },
}

#[derive(Clone)]
struct Body {
    kind: ErrorKind,
    message: String,
    detail: Option<ErrorDetail>,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

impl Error {
    /// An error with a name and a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Body {
            kind,
            message: message.into(),
            detail: None,
            source: None,
        }))
    }

    /// An `RTCError`: an `OperationError` with a detail (W3C §11.1).
    pub fn with_detail(detail: ErrorDetail, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Operation, message);
        error.0.detail = Some(detail);
        error
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::InvalidState, "the connection is closed")
    }

    pub(crate) fn with_source(mut self, source: impl error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Its W3C name.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, in words.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// `errorDetail`, for an `RTCError`.
    pub fn detail(&self) -> Option<ErrorDetail> {
        self.0.detail
    }

    /// `sdpLineNumber`: the line of a description that does not parse, from 1.
    pub fn sdp_line_number(&self) -> Option<u32> {
        match self.detail()? {
            ErrorDetail::SdpSyntaxError { line_number } => Some(line_number),
            _ => None,
        }
    }

    /// `sctpCauseCode`: RFC 9260 §3.3.10.
    pub fn sctp_cause_code(&self) -> Option<u16> {
        match self.detail()? {
            ErrorDetail::SctpFailure { cause_code } => cause_code,
            _ => None,
        }
    }

    /// `receivedAlert`: the fatal DTLS alert that the peer sent.
    pub fn received_alert(&self) -> Option<u8> {
        match self.detail()? {
            ErrorDetail::DtlsFailure { received_alert, .. } => received_alert,
            _ => None,
        }
    }

    /// `sentAlert`: the fatal DTLS alert that was sent to the peer.
    pub fn sent_alert(&self) -> Option<u8> {
        match self.detail()? {
            ErrorDetail::DtlsFailure { sent_alert, .. } => sent_alert,
            _ => None,
        }
    }
}

impl ErrorKind {
    /// The name as scripts see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidState => "InvalidStateError",
            Self::InvalidAccess => "InvalidAccessError",
            Self::InvalidModification => "InvalidModificationError",
            Self::Syntax => "SyntaxError",
            Self::InvalidCharacter => "InvalidCharacterError",
            Self::NotSupported => "NotSupportedError",
            Self::Operation => "OperationError",
            Self::Type => "TypeError",
            Self::Range => "RangeError",
            Self::Unknown => "UnknownError",
            Self::Aborted => "AbortError",
        }
    }
}

impl ErrorDetail {
    /// The value of `RTCErrorDetailType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataChannelFailure => "data-channel-failure",
            Self::DtlsFailure { .. } => "dtls-failure",
            Self::FingerprintFailure => "fingerprint-failure",
            Self::SctpFailure { .. } => "sctp-failure",
            Self::SdpSyntaxError { .. } => "sdp-syntax-error",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug
            .field("kind", &self.0.kind)
            .field("message", &self.0.message);
        if let Some(detail) = self.0.detail {
            debug.field("detail", &detail);
        }
        debug.finish()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.detail() == other.detail()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [11-01] [11-02] [11-03]
    #[test]
    fn an_rtc_error_is_an_operation_error_with_its_members() {
        let alerts = ErrorDetail::DtlsFailure {
            received_alert: Some(48),
            sent_alert: None,
        };
        let error = Error::with_detail(alerts, "unknown certificate authority");
        assert_eq!(error.kind().name(), "OperationError");
        assert_eq!(error.received_alert(), Some(48));
        assert_eq!(error.sent_alert(), None);
        assert_eq!(error.sdp_line_number(), None);
        assert_eq!(error.sctp_cause_code(), None);
        assert_eq!(error.detail().map(ErrorDetail::name), Some("dtls-failure"));
        let cause = ErrorDetail::SctpFailure {
            cause_code: Some(12),
        };
        assert_eq!(
            Error::with_detail(cause, "aborted").sctp_cause_code(),
            Some(12)
        );
        let line = ErrorDetail::SdpSyntaxError { line_number: 7 };
        assert_eq!(Error::with_detail(line, "no").sdp_line_number(), Some(7));
        let (channel, fingerprint) = (
            ErrorDetail::DataChannelFailure,
            ErrorDetail::FingerprintFailure,
        );
        let names = [channel, fingerprint, cause, line].map(ErrorDetail::name);
        let expected = [
            "data-channel-failure",
            "fingerprint-failure",
            "sctp-failure",
            "sdp-syntax-error",
        ];
        assert_eq!(names, expected);
    }
}
