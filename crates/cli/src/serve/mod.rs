//! `oxirtc serve`: the page, and a peer for each visitor.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::task::Poll;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRef, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use oxirtc_peerconnection::{Configuration, PeerConnection};
use tokio::sync::watch;

use crate::outcome::{Outcome, say};
use endpoint::{Endpoint, Sessions};
use seats::Seats;
use visit::{End, Visit};

mod channel;
mod endpoint;
mod film;
mod listen;
mod origin;
mod page;
mod seats;
mod signal;
mod stage;
mod tls;
mod visit;

pub(crate) use listen::Listen;
pub(crate) use stage::Stage;

/// What `oxirtc serve` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the page is served: a name or address with a port, or a port of this machine alone; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: Listen,
    /// What who publishes or plays by HTTP has to know; without it everybody may
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// So many publish and play by HTTP at a time, at most
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    sessions: u16,
    /// A STUN server that who publishes or plays by HTTP is told of; may stand several times
    #[arg(long = "server", value_name = "URL")]
    servers: Vec<String>,
    /// The chain of certificates (PEM) of this machine's name: with it and --key, all is by https
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

/// What every request sees.
#[derive(Debug, Clone)]
struct Server {
    /// Where the page is served.
    address: SocketAddr,
    scheme: Scheme,
    seats: Seats,
    /// Becomes true on Ctrl-C.
    ending: watch::Receiver<bool>,
    endpoint: Endpoint,
}

/// How the page is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of a URL that names none.
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl FromRef<Server> for Endpoint {
    fn from_ref(server: &Server) -> Self {
        server.endpoint.clone()
    }
}

impl Arguments {
    /// What a server is told that others start.
    pub(crate) fn new(listen: Listen, token: Option<String>) -> Self {
        Self {
            listen,
            token,
            sessions: 64,
            servers: Vec::new(),
            certificate: None,
            key: None,
        }
    }
}

/// Serves until Ctrl-C, which is a success.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    serve(arguments, Stage::new()).await
}

/// Serves what is on a stage, until Ctrl-C.
pub(crate) async fn serve(arguments: Arguments, stage: Stage) -> anyhow::Result<Outcome> {
    let acceptor = match arguments
        .certificate
        .as_deref()
        .zip(arguments.key.as_deref())
    {
        Some((certificate, key)) => Some(tls::acceptor(certificate, key)?),
        None => None,
    };
    let scheme = acceptor.as_ref().map_or(Scheme::Http, |_| Scheme::Https);
    let listener = arguments.listen.bind().await?;
    let address = listener
        .local_addr()
        .context("the listening socket has no address")?;
    let (end, ending) = watch::channel(false);
    let seats = Seats::new(SEATS);
    let sessions = Sessions::new(arguments.sessions, ending.clone());
    let server = Server {
        address,
        scheme,
        seats: seats.clone(),
        ending: ending.clone(),
        endpoint: Endpoint {
            stage,
            sessions: sessions.clone(),
            token: arguments.token,
            servers: arguments.servers,
        },
    };
    let mut interrupt = Box::pin(tokio::signal::ctrl_c());
    // Ctrl-C is heard from the first poll on, which comes before anybody is told that we are here.
    let early = poll_fn(|context| Poll::Ready(interrupt.as_mut().poll(context))).await;
    announce(scheme, address);
    tokio::spawn(async move {
        let heard = match early {
            Poll::Ready(heard) => heard,
            Poll::Pending => interrupt.await,
        };
        if let Err(error) = heard {
            log::error!("Ctrl-C cannot be heard: {error}");
            std::future::pending::<()>().await;
        }
        end.send_replace(true);
    });
    let router = router(server);
    match acceptor {
        Some(acceptor) => answer(tls::Secure::new(listener, acceptor), router, ending).await?,
        None => answer(listener, router, ending).await?,
    }
    // All say goodbye: their seats are free then.
    let emptied = async { tokio::join!(seats.emptied(), sessions.emptied()) };
    if tokio::time::timeout(GRACE, emptied).await.is_err() {
        log::info!("some visitors were still connected");
    }
    say("oxirtc: ended");
    Ok(Outcome::Done)
}

/// Answers requests until the end is told, and a little longer.
async fn answer<L>(
    listener: L,
    router: Router,
    mut ending: watch::Receiver<bool>,
) -> anyhow::Result<()>
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    let mut stopped = ending.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        // The sender lives until it has sent.
        let _ = ending.wait_for(|ending| *ending).await;
    });
    tokio::select! {
        served = serving => served.context("the HTTP server failed")?,
        () = async {
            let _ = stopped.wait_for(|ending| *ending).await;
            tokio::time::sleep(GRACE).await;
        } => log::info!("some connections were still open"),
    }
    Ok(())
}

fn router(server: Server) -> Router {
    let mut router = endpoint::routes(&server.endpoint).route("/signal", get(signal_upgrade));
    for file in page::FILES {
        router = router.route(file.path, get(async move || page::response(file)));
    }
    router
        .fallback(async || {
            (
                StatusCode::NOT_FOUND,
                "There is nothing here; the page is at /\n",
            )
        })
        .method_not_allowed_fallback(async |method: Method| {
            let reason = format!("{method} is nothing that can be done here; Allow says what is\n");
            (StatusCode::METHOD_NOT_ALLOWED, reason)
        })
        .layer(middleware::from_fn_with_state(
            server.clone(),
            own_host_only,
        ))
        .with_state(server)
}

/// A name of someone else's that resolves to this machine does not make its page ours.
async fn own_host_only(State(server): State<Server>, request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let (address, scheme) = (server.address, server.scheme);
    let is_own = |host| origin::is_own_host(host, address, scheme.port());
    let mut response = if host.is_some_and(is_own) {
        next.run(request).await
    } else {
        (
            StatusCode::MISDIRECTED_REQUEST,
            format!("This server is at {}://{address}/\n", scheme.name()),
        )
            .into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in page::HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn signal_upgrade(
    State(server): State<Server>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let host = text(header::HOST).unwrap_or_default();
    if text(header::ORIGIN).is_some_and(|from| !origin::is_same(from, host)) {
        return (
            StatusCode::FORBIDDEN,
            "Only the page of this server may connect\n",
        )
            .into_response();
    }
    upgrade
        .max_message_size(MAX_SIGNAL)
        .on_upgrade(move |socket| attend(socket, server))
}

/// One visitor, from the WebSocket's opening to its end.
async fn attend(mut socket: WebSocket, server: Server) {
    let Some(_seat) = server.seats.take() else {
        let reason = "All places are taken; try again later.";
        return close(&mut socket, close_code::AGAIN, reason).await;
    };
    let peer = match PeerConnection::new(Configuration::default()) {
        Ok(peer) => peer,
        Err(error) => return close(&mut socket, close_code::ERROR, &error.to_string()).await,
    };
    let mut visit = Visit::new(&mut socket, peer);
    let (code, reason) = match visit.stay(server.ending, PATIENCE).await {
        Ok(End::Left) => (close_code::NORMAL, String::new()),
        Ok(End::Silent) => {
            let reason = "The server has heard nothing from this page for a minute.";
            log::info!("a visitor has fallen silent");
            (close_code::AWAY, reason.to_owned())
        }
        Ok(End::ServerEnds) => (close_code::AWAY, "The server was stopped.".to_owned()),
        Err(error) => {
            log::warn!("a visit failed: {error:#}");
            (close_code::ERROR, format!("{error:#}"))
        }
    };
    // Before the channels close: a transfer that ends with them can say why.
    close(visit.socket, code, &reason).await;
    visit.leave().await;
}

async fn close(socket: &mut WebSocket, code: u16, reason: &str) {
    // RFC 6455 §5.5: a control frame carries at most 125 bytes, two of them the code.
    let end = reason.floor_char_boundary(reason.len().min(123));
    let reason = reason.get(..end).unwrap_or_default().into();
    let frame = Message::Close(Some(CloseFrame { code, reason }));
    match tokio::time::timeout(GRACE, socket.send(frame)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("the visitor had gone: {error}"),
        Err(_) => log::debug!("the visitor does not read"),
    }
}

/// Says where the page is; of a server on all addresses, where this machine and others find it.
fn announce(scheme: Scheme, address: SocketAddr) {
    let scheme = scheme.name();
    let port = address.port();
    let own = if address.ip().is_unspecified() {
        SocketAddr::new(listen::loopback(address.ip()), port)
    } else {
        address
    };
    say(format_args!(
        "oxirtc serves {scheme}://{own}/ (Ctrl-C ends it)"
    ));
    if address.ip().is_unspecified() {
        for (name, found) in listen::network(address.ip()) {
            let there = SocketAddr::new(found, port);
            say(format_args!("on the network ({name}): {scheme}://{there}/"));
        }
    }
}

/// Visitors at a time.
const SEATS: u16 = 64;
/// How often a page is asked whether it is there.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long visitors and open requests have after Ctrl-C, and a page to read why it is left.
const GRACE: Duration = Duration::from_secs(2);
/// Largest signalling message; a description with camera, microphone, film and channels has about 12 KiB.
const MAX_SIGNAL: usize = 64 * 1024;
