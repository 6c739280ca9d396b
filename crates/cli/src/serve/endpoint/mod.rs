//! Publishing and playing by HTTP: WHIP (RFC 9725) at `/whip/ROOM`, WHEP (draft-ietf-wish-whep) at `/whep/ROOM`.

mod bundle;
mod cors;
mod fragment;
mod refusal;
mod session;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use subtle::ConstantTimeEq as _;

pub(crate) use session::Sessions;

use super::{origin, stage::Stage};
use refusal::Refusal;
use session::{Made, Patched};

/// What the endpoints see.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) stage: Stage,
    pub(crate) sessions: Sessions,
    /// What a client has to know.
    pub(crate) token: Option<String>,
    /// The servers of ICE that clients are told of.
    pub(crate) servers: Vec<String>,
}

/// The routes, for what they see.
pub(crate) fn routes<S>(endpoint: &Endpoint) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Endpoint: axum::extract::FromRef<S>,
{
    Router::new()
        .route("/whip/{room}", post(publish).options(options))
        .route("/whep/{room}", post(play).options(options))
        .route(
            "/session/{id}",
            patch(change).delete(end).options(session_options),
        )
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn_with_state(
            endpoint.is_open_to_pages(),
            cors::allow,
        ))
}

async fn publish(
    State(endpoint): State<Endpoint>,
    Path(room): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let offer = endpoint.body(request, SDP).await?;
    check_room(&room)?;
    let made = endpoint
        .sessions
        .publish(&endpoint.stage, &room, offer)
        .await?;
    Ok(endpoint.created(made))
}

async fn play(
    State(endpoint): State<Endpoint>,
    Path(room): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Refusal> {
    let offer = endpoint.body(request, SDP).await?;
    check_room(&room)?;
    // A rid is of letters and digits: nothing in it is encoded.
    let mut wishes = query.as_deref().unwrap_or_default().split('&');
    let rid = wishes.find_map(|it| it.strip_prefix("rid="));
    let made = endpoint
        .sessions
        .play(&endpoint.stage, &room, rid, offer)
        .await?;
    Ok(endpoint.created(made))
}

/// RFC 9725 §4.3: candidates that come later, and restarts.
async fn change(
    State(endpoint): State<Endpoint>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let tag = text(request.headers(), &header::IF_MATCH).map(str::to_owned);
    let fragment = endpoint.body(request, FRAGMENT).await?;
    let patched = endpoint.sessions.patch(&id, tag.as_deref(), &fragment);
    Ok(match patched.await? {
        Patched::Trickled => StatusCode::NO_CONTENT.into_response(),
        Patched::Restarted(fragment, tag) => {
            let kind = (header::CONTENT_TYPE, FRAGMENT.to_owned());
            ([kind, (header::ETAG, tag)], fragment).into_response()
        }
    })
}

async fn end(
    State(endpoint): State<Endpoint>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    endpoint.authorize(&headers)?;
    if endpoint.sessions.end(&id) {
        Ok(StatusCode::OK)
    } else {
        Err(Refusal::gone())
    }
}

/// RFC 9725 §4.2: what can be posted.
async fn options(State(endpoint): State<Endpoint>) -> Response {
    let accepts = [(HeaderName::from_static("accept-post"), SDP)];
    let mut response = (StatusCode::NO_CONTENT, accepts).into_response();
    endpoint.link(response.headers_mut());
    response
}

async fn session_options() -> Response {
    let accepts = [(HeaderName::from_static("accept-patch"), FRAGMENT)];
    (StatusCode::NO_CONTENT, accepts).into_response()
}

/// A name that can stand in a URL, in a line of the log and in the reason of a refusal.
fn check_room(name: &str) -> Result<(), Refusal> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.len() <= MOST_NAME && name.bytes().all(is_plain) {
        Ok(())
    } else {
        let reason = format!(
            "the name of a room is of letters, digits, '-', '_' and '.', at most {MOST_NAME}"
        );
        Err(Refusal::new(StatusCode::NOT_FOUND, reason))
    }
}

impl Endpoint {
    /// Whether pages of other servers may use it: a token is what they have to have been given, as no browser adds it by itself.
    fn is_open_to_pages(&self) -> bool {
        self.token.is_some()
    }

    /// The body of a request, which is read only when who asks may, and says that it is of this kind.
    async fn body(&self, request: Request, kind: &'static str) -> Result<String, Refusal> {
        self.authorize(request.headers())?;
        let named = text(request.headers(), &header::CONTENT_TYPE).unwrap_or_default();
        let named = named.split(';').next().unwrap_or_default().trim();
        if !named.eq_ignore_ascii_case(kind) {
            return Err(Refusal::kind(kind));
        }
        let body = String::from_request(request, &()).await;
        body.map_err(|refused| Refusal::new(refused.status(), refused.body_text()))
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = text(headers, &header::HOST).unwrap_or_default();
        let from = text(headers, &header::ORIGIN);
        let is_foreign = from.is_some_and(|from| !origin::is_same(from, host));
        if is_foreign && !self.is_open_to_pages() {
            let reason = "pages of other servers may not do this";
            return Err(Refusal::new(StatusCode::FORBIDDEN, reason));
        }
        let Some(token) = &self.token else {
            return Ok(());
        };
        let given = text(headers, &header::AUTHORIZATION).and_then(|it| it.split_once(' '));
        let given = given.filter(|it| it.0.eq_ignore_ascii_case("bearer"));
        let same = given.is_some_and(|it| it.1.as_bytes().ct_eq(token.as_bytes()).into());
        if same {
            Ok(())
        } else {
            Err(Refusal::unauthorized())
        }
    }

    fn created(&self, made: Made) -> Response {
        let headers = [
            (header::CONTENT_TYPE, SDP.to_owned()),
            (header::LOCATION, format!("/session/{}", made.id)),
            (header::ETAG, made.tag),
            (HeaderName::from_static("accept-patch"), FRAGMENT.to_owned()),
        ];
        let answer = bundle::repeated(&made.answer);
        let mut response = (StatusCode::CREATED, headers, answer).into_response();
        self.link(response.headers_mut());
        response
    }

    /// RFC 9725 §4.6.
    fn link(&self, headers: &mut HeaderMap) {
        for server in &self.servers {
            let value = format!("<{server}>; rel=\"ice-server\"");
            match HeaderValue::from_str(&value) {
                Ok(value) => _ = headers.append(header::LINK, value),
                Err(_) => log::warn!("{server:?} cannot stand in a header"),
            }
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// Letters of the name of a room.
const MOST_NAME: usize = 64;
/// A description with audio and video has about 8 KiB.
const MOST_BYTES: usize = 64 * 1024;
