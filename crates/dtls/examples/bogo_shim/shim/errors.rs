//! BoringSSL's names of errors, where one of ours says the same.

use oxirtc_dtls::{AlertDescription, Failure};

pub(crate) fn name(cause: Failure) -> String {
    let name = match cause {
        Failure::CertificateRefused | Failure::FingerprintMismatch => "CERTIFICATE_VERIFY_FAILED",
        Failure::HandshakeTimeout | Failure::FingerprintTimeout => "READ_TIMEOUT_EXPIRED",
        Failure::KeyExhausted => "TOO_MANY_KEY_UPDATES",
        Failure::AlertSent(alert) => found(SENT, alert),
        Failure::AlertReceived(alert) => found(RECEIVED, alert),
        _ => "INTERNAL_ERROR",
    };
    format!(":{name}: {cause:?}")
}

fn found(names: &[(AlertDescription, &'static str)], alert: AlertDescription) -> &'static str {
    let found = names.iter().find(|(of, _)| *of == alert);
    found.map_or("UNKNOWN_ALERT_TYPE", |(_, name)| name)
}

use AlertDescription as Alert;

/// A line each: what we tell the peer.
#[rustfmt::skip]
const SENT: &[(Alert, &str)] = &[
    (Alert::UNEXPECTED_MESSAGE, "UNEXPECTED_MESSAGE"),
    (Alert::RECORD_OVERFLOW, "DATA_LENGTH_TOO_LONG"),
    (Alert::HANDSHAKE_FAILURE, "NO_SHARED_CIPHER"),
    (Alert::UNSUPPORTED_CERTIFICATE, "UNKNOWN_CERTIFICATE_TYPE"),
    (Alert::ILLEGAL_PARAMETER, "BAD_DECRYPT"),
    (Alert::DECODE_ERROR, "DECODE_ERROR"),
    (Alert::DECRYPT_ERROR, "BAD_SIGNATURE"),
    (Alert::PROTOCOL_VERSION, "UNSUPPORTED_PROTOCOL"),
    (Alert::INTERNAL_ERROR, "INTERNAL_ERROR"),
    (Alert::MISSING_EXTENSION, "MISSING_EXTENSION"),
    (Alert::UNSUPPORTED_EXTENSION, "UNEXPECTED_EXTENSION"),
    (Alert::CERTIFICATE_REQUIRED, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
    (Alert::NO_APPLICATION_PROTOCOL, "NO_APPLICATION_PROTOCOL"),
];

/// A line each: what the peer tells us.
#[rustfmt::skip]
const RECEIVED: &[(Alert, &str)] = &[
    (Alert::UNEXPECTED_MESSAGE, "SSLV3_ALERT_UNEXPECTED_MESSAGE"),
    (Alert::RECORD_OVERFLOW, "TLSV1_ALERT_RECORD_OVERFLOW"),
    (Alert::HANDSHAKE_FAILURE, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
    (Alert::BAD_CERTIFICATE, "SSLV3_ALERT_BAD_CERTIFICATE"),
    (Alert::UNSUPPORTED_CERTIFICATE, "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"),
    (Alert::CERTIFICATE_UNKNOWN, "SSLV3_ALERT_CERTIFICATE_UNKNOWN"),
    (Alert::ILLEGAL_PARAMETER, "SSLV3_ALERT_ILLEGAL_PARAMETER"),
    (Alert::DECODE_ERROR, "TLSV1_ALERT_DECODE_ERROR"),
    (Alert::DECRYPT_ERROR, "TLSV1_ALERT_DECRYPT_ERROR"),
    (Alert::PROTOCOL_VERSION, "TLSV1_ALERT_PROTOCOL_VERSION"),
    (Alert::INTERNAL_ERROR, "TLSV1_ALERT_INTERNAL_ERROR"),
    (Alert::NO_RENEGOTIATION, "TLSV1_ALERT_NO_RENEGOTIATION"),
    (Alert::UNSUPPORTED_EXTENSION, "TLSV1_ALERT_UNSUPPORTED_EXTENSION"),
    (Alert::CERTIFICATE_REQUIRED, "TLSV1_ALERT_CERTIFICATE_REQUIRED"),
    (Alert::NO_APPLICATION_PROTOCOL, "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"),
];
