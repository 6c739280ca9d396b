//! A client of WHIP and WHEP: an offer is posted, an answer comes back, and a session is deleted.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, StatusCode, Uri,
    header::{self, HeaderMap, HeaderValue},
    http::uri::Scheme,
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// A session that a server has opened.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    authorization: Option<HeaderValue>,
    url: Uri,
    /// The description that the server answered with.
    pub(crate) answer: String,
}

impl Session {
    /// Posts an offer. A server that sends us elsewhere is followed, three times.
    pub(crate) async fn open(
        url: &Uri,
        token: Option<&str>,
        roots: Option<&Path>,
        offer: String,
    ) -> anyhow::Result<Self> {
        let builder = HttpsConnectorBuilder::new();
        let builder = match roots {
            Some(path) => builder.with_tls_config(trusting(path)?),
            None => builder.with_webpki_roots(),
        };
        let connector = builder.https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let authorization = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}")));
        let authorization = authorization.transpose();
        let authorization = authorization.context("the token cannot stand in a header")?;
        let mut session = Self {
            client,
            authorization,
            url: url.clone(),
            answer: String::new(),
        };
        let offer = Bytes::from(offer);
        for _ in 0..4 {
            let (status, headers, body) = session.request(Method::POST, offer.clone()).await?;
            let location = location(&session.url, &headers)?;
            if matches!(
                status,
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
            ) {
                let elsewhere =
                    location.context("it sends us elsewhere, and does not say where")?;
                session.go(elsewhere);
                continue;
            }
            let reason = body.lines().next().unwrap_or_default();
            ensure!(
                status == StatusCode::CREATED,
                "{url} says {status}: {reason}"
            );
            // RFC 9725 §4.2: without a Location there is nothing to delete.
            session.go(location.with_context(|| format!("{url} names no session"))?);
            session.answer = body;
            return Ok(session);
        }
        bail!("{url} sends us elsewhere again and again")
    }

    /// Ends the session at the server.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        let (status, _, body) = self.request(Method::DELETE, Bytes::new()).await?;
        let reason = body.lines().next().unwrap_or_default();
        ensure!(
            status.is_success(),
            "the session could not be ended: {status}: {reason}"
        );
        Ok(())
    }

    /// Goes on at another URL. The token is the server's that it was given for: no other one gets it, and nobody in the clear.
    fn go(&mut self, elsewhere: Uri) {
        let is_other = elsewhere.authority() != self.url.authority();
        let is_bared =
            self.url.scheme() == Some(&Scheme::HTTPS) && elsewhere.scheme() != Some(&Scheme::HTTPS);
        if is_other || is_bared {
            self.authorization = None;
        }
        self.url = elsewhere;
    }

    async fn request(
        &self,
        method: Method,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, HeaderMap, String)> {
        let mut request = Request::builder().method(method).uri(&self.url);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/sdp");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body))?;
        let answered = async {
            let response = self.client.request(request).await;
            let response = response.with_context(|| format!("{} cannot be reached", self.url))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MOST_BYTES).collect().await;
            let body =
                body.map_err(|error| anyhow::anyhow!("{} was cut off: {error}", self.url))?;
            let text = String::from_utf8(body.to_bytes().to_vec());
            let text = text.context("the answer is no text")?;
            Ok((head.status, head.headers, text))
        };
        let answered = timeout(PATIENCE, answered).await;
        answered.with_context(|| format!("{} did not answer in {PATIENCE:?}", self.url))?
    }
}

/// Trusts who is signed by a certificate of this file, and nobody else.
fn trusting(path: &Path) -> anyhow::Result<ClientConfig> {
    let name = path.display();
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path);
    for certificate in certificates.with_context(|| name.to_string())? {
        roots.add(certificate.with_context(|| name.to_string())?)?;
    }
    ensure!(!roots.is_empty(), "{name} has no certificate in PEM form");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots);
    Ok(config.with_no_client_auth())
}

/// What Location names, which may be a path of the same server.
fn location(base: &Uri, headers: &HeaderMap) -> anyhow::Result<Option<Uri>> {
    let Some(named) = headers.get(header::LOCATION) else {
        return Ok(None);
    };
    let named: Uri = named.to_str()?.parse().context("Location is no URL")?;
    if named.scheme().is_some() {
        return Ok(Some(named));
    }
    let path = named.path_and_query().context("Location has no path")?;
    let authority = base.authority().context("the URL has no host")?.clone();
    let mut whole = Uri::builder()
        .authority(authority)
        .path_and_query(path.clone());
    whole = whole.scheme(base.scheme().cloned().unwrap_or(Scheme::HTTP));
    Ok(Some(whole.build()?))
}

/// Reads an `http` or `https` URL of the command line.
pub(crate) fn url(text: &str) -> Result<Uri, String> {
    let url: Uri = text
        .parse()
        .map_err(|error| format!("{text:?} is no URL: {error}"))?;
    let known = matches!(url.scheme_str(), Some("http" | "https"));
    if known && url.host().is_some() {
        Ok(url)
    } else {
        Err(format!(
            "{text:?} is no URL that begins with http:// or https://"
        ))
    }
}

const MOST_BYTES: usize = 64 * 1024;
/// A server gathers its candidates before it answers.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    /// Who was given a token keeps it for itself.
    #[test]
    fn a_token_goes_to_its_server_only() {
        let keeps = |from: &str, to: &str| {
            let connector = HttpsConnectorBuilder::new().with_webpki_roots();
            let connector = connector.https_or_http().enable_http1().build();
            let mut session = Session {
                client: Client::builder(TokioExecutor::new()).build(connector),
                authorization: Some(HeaderValue::from_static("Bearer secret")),
                url: from.parse().unwrap(),
                answer: String::new(),
            };
            session.go(to.parse().unwrap());
            assert_eq!(session.url, to);
            session.authorization.is_some()
        };
        assert!(keeps("https://host/whip/a", "https://host/session/1"));
        assert!(keeps("http://host/whip/a", "https://host/session/1"));
        assert!(!keeps("https://host/whip/a", "http://host/session/1"));
        assert!(!keeps("https://host/whip/a", "https://other/session/1"));
        assert!(!keeps("http://host/whip/a", "http://host:81/session/1"));
    }

    #[test]
    fn a_location_may_be_a_path() {
        let base: Uri = "http://host:8080/whip/a".parse().unwrap();
        let at = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, HeaderValue::from_static(text));
            location(&base, &headers).unwrap().unwrap().to_string()
        };
        assert_eq!(at("/session/1"), "http://host:8080/session/1");
        assert_eq!(at("https://other/x?y=1"), "https://other/x?y=1");
        assert!(location(&base, &HeaderMap::new()).unwrap().is_none());
        assert!(url("https://host/whip").is_ok());
        for wrong in ["", "host", "ftp://host/", "http://", "/whip"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
