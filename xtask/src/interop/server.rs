//! Serves the page of the tests and takes the WebSockets that it opens.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header;
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

/// The page's server, inside the namespace.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    sockets: Mutex<mpsc::UnboundedReceiver<WebSocket>>,
}

impl Server {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("no loopback address")?;
        let address = listener.local_addr()?;
        let (opened, sockets) = mpsc::unbounded_channel();
        let file = |kind: &'static str, text: &'static str| {
            get(async move || ([(header::CONTENT_TYPE, kind)], text))
        };
        let router = Router::new()
            .route("/", file("text/html", include_str!("page.html")))
            .route("/page.js", file("text/javascript", include_str!("page.js")))
            .route("/sha256.js", file("text/javascript", SHA256))
            .route("/signal", get(signal))
            .with_state(opened);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            address,
            sockets: Mutex::new(sockets),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The next WebSocket that a page opened.
    pub(crate) async fn accept(&self) -> anyhow::Result<Signalling> {
        let socket = self.sockets.lock().await.recv().await;
        Ok(Signalling(socket.context("the page's server has ended")?))
    }

    /// Forgets what an earlier page opened and nobody took.
    pub(crate) async fn forget(&self) {
        let mut sockets = self.sockets.lock().await;
        while sockets.try_recv().is_ok() {}
    }
}

/// JSON messages to and from a page.
#[derive(Debug)]
pub(crate) struct Signalling(WebSocket);

impl Signalling {
    pub(crate) async fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        Ok(self.0.send(Message::text(message.to_string())).await?)
    }

    /// The next message, or none when the page is gone.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        loop {
            match self.0.recv().await {
                Some(Ok(Message::Text(text))) => return Ok(Some(serde_json::from_str(&text)?)),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(None),
                Some(Ok(_)) => {}
            }
        }
    }
}

async fn signal(
    State(opened): State<mpsc::UnboundedSender<WebSocket>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(async move |socket| {
        // Nobody takes it when the suite is over.
        let _ = opened.send(socket);
    })
}

const SHA256: &str = include_str!("../../../crates/cli/src/web/sha256.js");
