//! The URLs of ICE servers (W3C §4.4.1.5, "validate an ICE server URL"; RFC 7064, RFC 7065).

use std::net::Ipv6Addr;

use serde::{Deserialize, Deserializer, Serialize};

use super::credential::{CredentialText, CredentialType, IceCredential, Secret};
use crate::{Error, ErrorKind, IceServerTransportProtocol};

/// `RTCIceServer` (W3C §4.2.2).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Dictionary", into = "Dictionary")]
#[doc(alias = "RTCIceServer")]
pub struct IceServer {
    /// `stun:host:port`, `turn:host?transport=udp` and the like; JSON may have one string.
    pub urls: Vec<String>,
    /// For TURN.
    pub username: Option<String>,
    /// For TURN: a password, or a token.
    pub credential: Option<IceCredential>,
}

/// As JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dictionary {
    #[serde(deserialize_with = "one_or_many")]
    urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<CredentialText>,
    #[serde(default, skip_serializing_if = "is_password")]
    credential_type: CredentialType,
}

impl IceServer {
    /// A server without credentials.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            username: None,
            credential: None,
        }
    }

    /// A TURN server.
    pub fn with_credential(
        url: impl Into<String>,
        username: impl Into<String>,
        credential: impl Into<IceCredential>,
    ) -> Self {
        let (username, credential) = (Some(username.into()), Some(credential.into()));
        Self {
            urls: vec![url.into()],
            username,
            credential,
        }
    }
}

impl TryFrom<Dictionary> for IceServer {
    type Error = &'static str;

    fn try_from(it: Dictionary) -> Result<Self, Self::Error> {
        let kind = it.credential_type;
        let credential = it.credential.map(|text| {
            let wrong = "the credential of an ICE server is not of its type";
            text.of(kind).ok_or(wrong)
        });
        Ok(Self {
            urls: it.urls,
            username: it.username,
            credential: credential.transpose()?,
        })
    }
}

impl From<IceServer> for Dictionary {
    fn from(it: IceServer) -> Self {
        let kind = it.credential.as_ref().map(IceCredential::kind);
        Self {
            urls: it.urls,
            username: it.username,
            credential: it.credential.map(CredentialText::from),
            credential_type: kind.unwrap_or_default(),
        }
    }
}

fn is_password(kind: &CredentialType) -> bool {
    *kind == CredentialType::Password
}

impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("IceServer");
        debug
            .field("urls", &self.urls)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Checks one entry: its URLs, and the credentials of a TURN server.
pub(super) fn check(server: &IceServer) -> Result<(), Error> {
    if server.urls.is_empty() {
        return Err(Error::new(ErrorKind::Syntax, "an ICE server has no URL"));
    }
    let mut relays = false;
    for url in &server.urls {
        let (service, ..) = parse_url(url)?;
        relays |= matches!(service, Service::Turn(_));
    }
    if relays {
        check_credentials(server)?;
    }
    Ok(())
}

/// One server, as its URL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) url: String,
    /// A name, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) service: Service,
    pub(crate) username: String,
    pub(crate) secret: Option<Secret>,
}

/// What a server does, and how it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Stun,
    Turn(IceServerTransportProtocol),
}

/// The servers of an entry that was checked.
pub(super) fn parse(server: &IceServer) -> Vec<Server> {
    let urls = server.urls.iter().filter_map(|url| {
        let (service, host, port) = parse_url(url).ok()?;
        let secret = server.credential.as_ref();
        Some(Server {
            url: url.trim().to_owned(),
            host,
            port,
            service,
            username: server.username.clone().unwrap_or_default(),
            secret: secret.and_then(|it| it.secret().ok()),
        })
    });
    urls.collect()
}

fn parse_url(url: &str) -> Result<(Service, String, u16), Error> {
    let wrong = |part: &str| {
        let message = format!("not the URL of an ICE server, {part}: {url}");
        Error::new(ErrorKind::Syntax, message)
    };
    let (scheme, rest) = url.trim().split_once(':').ok_or_else(|| wrong(SCHEME))?;
    let scheme = scheme.to_ascii_lowercase();
    let (relays, secure) = match scheme.as_str() {
        "stun" => (false, false),
        "stuns" => (false, true),
        "turn" => (true, false),
        "turns" => (true, true),
        _ => return Err(wrong(SCHEME)),
    };
    if rest.contains('#') {
        return Err(wrong("which has no fragment"));
    }
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let transport = match query {
        None => None,
        Some("transport=udp") if relays => Some(IceServerTransportProtocol::Udp),
        Some("transport=tcp") if relays => Some(IceServerTransportProtocol::Tcp),
        Some(_) if relays => return Err(wrong("whose query is transport=udp or transport=tcp")),
        Some(_) => return Err(wrong("which has no query")),
    };
    let (host, port) = host_and_port(place).map_err(wrong)?;
    // RFC 7064 §3.2, RFC 7065 §3.2: the ports of STUN and TURN.
    let port = port.unwrap_or(if secure { 5349 } else { 3478 });
    let service = match (relays, secure, transport) {
        (false, false, _) => Service::Stun,
        (true, false, transport) => {
            Service::Turn(transport.unwrap_or(IceServerTransportProtocol::Udp))
        }
        (true, true, None | Some(IceServerTransportProtocol::Tcp)) => {
            Service::Turn(IceServerTransportProtocol::Tls)
        }
        // TLS of a STUN server protects nothing that the answer does not tell the peer, and DTLS to a TURN
        // server is spoken by next to none.
        _ => {
            let message = format!("STUN over TLS and TURN over DTLS are not supported: {url}");
            return Err(Error::new(ErrorKind::NotSupported, message));
        }
    };
    Ok((service, host, port))
}

/// `host`, `host:port`, `[address]` or `[address]:port`; otherwise which part is wrong.
fn host_and_port(text: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or(HOST)?;
        address.parse::<Ipv6Addr>().map_err(|_| HOST)?;
        match port {
            "" => (address, ""),
            port => (address, port.strip_prefix(':').ok_or(PORT)?),
        }
    } else {
        let (host, port) = text.split_once(':').unwrap_or((text, ""));
        let is_host = host.chars().all(is_of_host);
        is_host.then_some((host, port)).ok_or(HOST)?
    };
    if host.is_empty() || host.len() > 255 {
        return Err(HOST);
    }
    if !is_port(port) {
        return Err(PORT);
    }
    Ok((host.to_owned(), port.parse().ok()))
}

fn is_of_host(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '.' | '_')
}

fn is_port(text: &str) -> bool {
    // RFC 3986 §3.2.3 lets the digits be absent.
    text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn check_credentials(server: &IceServer) -> Result<(), Error> {
    let wrong = |message: &str| Err(Error::new(ErrorKind::InvalidAccess, message));
    let (Some(username), Some(credential)) = (&server.username, &server.credential) else {
        return wrong("a TURN server needs a username and a credential");
    };
    // RFC 8489 §14.3, and the OpaqueString profile of RFC 8265 §4: not empty, no control characters.
    let opaque = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    if username.len() > MAX_USERNAME || !opaque(username) {
        return wrong("the username of a TURN server must be 1 to 508 bytes of printable text");
    }
    credential.secret().map(|_| ()).or_else(wrong)
}

const MAX_USERNAME: usize = 508;
const SCHEME: &str = "whose scheme is stun, stuns, turn or turns";
const HOST: &str = "whose host is a name, an IPv4 address, or an IPv6 address in brackets";
const PORT: &str = "whose port is a number up to 65535";

/// W3C has one string or a list.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Urls {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Urls::deserialize(deserializer)? {
        Urls::One(url) => vec![url],
        Urls::Many(urls) => urls,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(url: &str) -> Option<ErrorKind> {
        let server = IceServer::with_credential(url, "user", "secret");
        check(&server).err().map(|error| error.kind())
    }

    /// [4.2.4-02] [4.4.1.7-06] [4.4.1.7-08]
    #[test]
    fn urls_that_are_and_urls_that_are_not() {
        for url in [
            "stun:host",
            "STUN:host",
            "stun:host:",
            "stun:host:3478",
            "stun:[::1]:3478",
            "stun:[2001:db8::1]",
            "turn:host",
            "turn:192.0.2.1:3478?transport=udp",
            "turn:host?transport=tcp",
            "turns:host:443?transport=tcp",
        ] {
            assert_eq!(kind(url), None, "{url}");
        }
        for url in ["stuns:host", "turns:host?transport=udp"] {
            assert_eq!(kind(url), Some(ErrorKind::NotSupported), "{url}");
        }
        // The message names the part that is wrong.
        for (url, part) in [
            ("", "whose scheme"),
            ("relative", "whose scheme"),
            ("http:", "whose scheme"),
            ("http://host", "whose scheme"),
            ("stun:", "whose host"),
            ("stun:///x", "whose host"),
            ("stun://host", "whose host"),
            ("stun:u@h", "whose host"),
            ("turn:h?transport=sctp", "whose query"),
            ("turn:h?x=y", "whose query"),
            ("turn:h?transport=udp&x=y", "whose query"),
            ("turn:h?", "whose query"),
            ("stun:h?transport=udp", "no query"),
            ("turn:h#f", "no fragment"),
            ("stun:h:65536", "whose port"),
            ("stun:h:x", "whose port"),
            ("stun:[::1", "whose host"),
            ("stun:[::1]3478", "whose port"),
            ("stun:[192.0.2.1]", "whose host"),
            ("stun:::1", "whose host"),
            ("stun:a b", "whose host"),
        ] {
            let server = IceServer::with_credential(url, "user", "secret");
            let error = check(&server).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Syntax, "{url}");
            let text = error.to_string();
            assert!(text.contains(part) && text.ends_with(url), "{text}");
        }
    }

    /// RFC 7064 §3.2, RFC 7065 §3.2.
    #[test]
    fn urls_name_servers() {
        use IceServerTransportProtocol::{Tcp, Tls, Udp};
        for (url, host, port, service) in [
            ("stun:host", "host", 3478, Service::Stun),
            ("STUN:[2001:db8::1]:5", "2001:db8::1", 5, Service::Stun),
            ("turn:host:", "host", 3478, Service::Turn(Udp)),
            ("turn:h:9?transport=tcp", "h", 9, Service::Turn(Tcp)),
            ("turns:h", "h", 5349, Service::Turn(Tls)),
        ] {
            let found = parse(&IceServer::with_credential(url, "user", "secret"));
            let expected = Server {
                url: url.into(),
                host: host.into(),
                port,
                service,
                username: "user".into(),
                secret: Some(Secret::Password(String::from("secret").into())),
            };
            assert_eq!(found, [expected]);
        }
    }

    /// [4.4.1.7-05]
    #[test]
    fn a_server_needs_a_url() {
        let error = check(&IceServer::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Syntax);
    }

    /// [4.4.1.7-07]
    #[test]
    fn a_relay_needs_credentials() {
        assert_eq!(check(&IceServer::new("stun:host")), Ok(()));
        let invalid = |server: &IceServer| {
            assert_eq!(check(server).unwrap_err().kind(), ErrorKind::InvalidAccess);
        };
        invalid(&IceServer::new("turn:host"));
        invalid(&IceServer {
            credential: None,
            ..IceServer::with_credential("turn:h", "u", "c")
        });
        invalid(&IceServer {
            username: None,
            ..IceServer::with_credential("turns:h", "u", "c")
        });
        invalid(&IceServer::with_credential("turn:h", "u".repeat(509), "c"));
        invalid(&IceServer::with_credential("turn:h", "u\n", "c"));
        invalid(&IceServer::with_credential("turn:h", "u", ""));
        assert_eq!(
            check(&IceServer::with_credential("turn:h", "u".repeat(508), "c")),
            Ok(())
        );
    }
}
