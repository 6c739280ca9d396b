//! Why a request is refused: a status and one line.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A request that is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    reason: String,
    header: Option<(HeaderName, &'static str)>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            header: None,
        }
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    /// RFC 6750 §3.
    pub(crate) fn unauthorized() -> Self {
        let reason = "a bearer token is needed: Authorization: Bearer …";
        Self::new(StatusCode::UNAUTHORIZED, reason).with(header::WWW_AUTHENTICATE, "Bearer")
    }

    /// RFC 9725 §4.2: the server has too much to do.
    pub(crate) fn full() -> Self {
        let reason = "all places are taken; try again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, reason).with(header::RETRY_AFTER, "10")
    }

    pub(crate) fn kind(wanted: &'static str) -> Self {
        let reason = format!("the body has to be {wanted}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason)
    }

    pub(crate) fn gone() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "there is no such session, or it has ended",
        )
    }

    /// What the peer described cannot be used.
    pub(crate) fn description(error: &oxirtc_peerconnection::Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        log::info!("refused with {}: {}", self.status, self.reason);
        let mut response = (self.status, format!("{}\n", self.reason)).into_response();
        if let Some((name, value)) = self.header {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}
