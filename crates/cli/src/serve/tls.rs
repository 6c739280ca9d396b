//! HTTPS: the listener that speaks TLS with who comes.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::serve::Listener;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
    server::TlsStream,
};

/// Accepts connections, and hands over those that have come through their handshake.
pub(crate) struct Secure {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Secure {
    pub(crate) fn new(listener: TcpListener, acceptor: TlsAcceptor) -> Self {
        Self {
            listener,
            acceptor,
            handshakes: JoinSet::new(),
        }
    }
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    /// Who is slow holds up nobody else; who never comes through is let go.
    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let has_room = self.handshakes.len() < MOST;
            tokio::select! {
                (stream, from) = Listener::accept(&mut self.listener), if has_room => {
                    let accepting = self.acceptor.accept(stream);
                    self.handshakes.spawn(async move {
                        match timeout(PATIENCE, accepting).await {
                            Ok(Ok(stream)) => return Some((stream, from)),
                            Ok(Err(error)) => log::info!("{from} did not come through TLS: {error}"),
                            Err(_late) => log::info!("{from} did not come through TLS in {PATIENCE:?}"),
                        }
                        None
                    });
                }
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(accepted)) = done {
                        return accepted;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What is needed to be the server of this chain of certificates.
pub(crate) fn acceptor(certificate: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let name = certificate.display();
    let chain = CertificateDer::pem_file_iter(certificate).with_context(|| name.to_string())?;
    let chain: Vec<_> = chain
        .collect::<Result<_, _>>()
        .with_context(|| name.to_string())?;
    anyhow::ensure!(!chain.is_empty(), "{name} has no certificate in PEM form");
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("{} has no private key in PEM form", key.display()))?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| format!("{name} and {} do not fit", key.display()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Handshakes at a time.
const MOST: usize = 64;
/// For one handshake.
const PATIENCE: Duration = Duration::from_secs(10);
