//! Pages of other servers (RFC 9725 §4.1 asks for CORS): what their browsers are told.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// Tells a page of another server that it may read the answer, where it may.
pub(super) async fn allow(State(is_open): State<bool>, request: Request, next: Next) -> Response {
    let is_from_page = request.headers().contains_key(header::ORIGIN);
    let mut response = next.run(request).await;
    if is_open && is_from_page {
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// The token is no credential in the sense of CORS: the page itself writes it.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (
        header::ACCESS_CONTROL_ALLOW_METHODS,
        "POST, PATCH, DELETE, OPTIONS",
    ),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        "Authorization, Content-Type, If-Match",
    ),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        "Location, ETag, Link, Accept-Patch, Retry-After, WWW-Authenticate",
    ),
];
