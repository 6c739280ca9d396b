//! TLS to TURN servers.

use std::{io, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};

use crate::{Error, ErrorKind, Settings};

/// What the streams of a connection to `turns:` servers need.
#[derive(Default)]
pub(super) struct Tls {
    /// The application's own; `None` for the public ones.
    roots: Option<RootCertStore>,
    /// Made with the first stream: most connections have none.
    connector: Option<TlsConnector>,
}

impl Tls {
    /// # Errors
    ///
    /// `Syntax` for an authority's certificate that cannot be read.
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        if settings.tls_roots.is_empty() {
            return Ok(Self::default());
        }
        let mut roots = RootCertStore::empty();
        for certificate in &settings.tls_roots {
            let added = roots.add(CertificateDer::from_slice(certificate));
            added.map_err(|error| {
                let message = "a TLS root is not the certificate of an authority";
                Error::new(ErrorKind::Syntax, message).with_source(error)
            })?;
        }
        Ok(Self {
            roots: Some(roots),
            connector: None,
        })
    }

    /// # Errors
    ///
    /// Those of the crypto library.
    pub(super) fn connector(&mut self) -> io::Result<TlsConnector> {
        if let Some(connector) = &self.connector {
            return Ok(connector.clone());
        }
        let roots = self.roots.take().unwrap_or_else(|| RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        });
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        Ok(self.connector.insert(connector).clone())
    }
}

/// Speaks TLS on a stream, to a server that proves this name or address.
///
/// # Errors
///
/// Those of the stream and of TLS; `InvalidInput` for what is no name.
pub(super) async fn secure(
    stream: TcpStream,
    connector: TlsConnector,
    name: String,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name);
    let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    connector.connect(name, stream).await
}
