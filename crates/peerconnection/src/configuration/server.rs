//! The URLs of ICE servers (W3C §4.4.1.5, "validate an ICE server URL"; RFC 7064, RFC 7065).

use std::net::Ipv6Addr;

use super::IceServer;
use crate::{Error, ErrorKind};

/// Checks one entry: its URLs, and the credentials of a TURN server.
pub(super) fn check(server: &IceServer) -> Result<(), Error> {
    if server.urls.is_empty() {
        return Err(Error::new(ErrorKind::Syntax, "an ICE server has no URL"));
    }
    let mut relays = false;
    for url in &server.urls {
        relays |= check_url(url)?.relays();
    }
    if relays {
        check_credentials(server)?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Stun,
    Turn,
}

impl Scheme {
    fn relays(self) -> bool {
        self == Self::Turn
    }
}

fn check_url(url: &str) -> Result<Scheme, Error> {
    let wrong = || {
        Error::new(
            ErrorKind::Syntax,
            format!("not the URL of an ICE server: {url}"),
        )
    };
    let (scheme, rest) = url.trim().split_once(':').ok_or_else(wrong)?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "stun" | "stuns" => Scheme::Stun,
        "turn" | "turns" => Scheme::Turn,
        _ => return Err(wrong()),
    };
    if rest.contains('#') {
        return Err(wrong());
    }
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let known = matches!(
        (scheme, query),
        (_, None) | (Scheme::Turn, Some("transport=udp" | "transport=tcp"))
    );
    if known && is_host_and_port(place) {
        Ok(scheme)
    } else {
        Err(wrong())
    }
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
fn is_host_and_port(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        let port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return port && address.parse::<Ipv6Addr>().is_ok();
    }
    match text.split_once(':') {
        Some((host, port)) => is_host(host) && is_port(port),
        None => is_host(text),
    }
}

fn is_port(text: &str) -> bool {
    // RFC 3986 §3.2.3 lets the digits be absent.
    text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_host(text: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    (1..=255).contains(&text.len()) && text.chars().all(allowed)
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
    if !opaque(credential) {
        return wrong("the credential of a TURN server must be printable text");
    }
    Ok(())
}

const MAX_USERNAME: usize = 508;

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(url: &str) -> Option<ErrorKind> {
        let server = IceServer::with_credential(url, "user", "secret");
        check(&server).err().map(|error| error.kind())
    }

    /// [4.4.1.7-06] [4.4.1.7-08]
    #[test]
    fn urls_that_are_and_urls_that_are_not() {
        for url in [
            "stun:host",
            "STUN:host",
            "stun:host:",
            "stun:host:3478",
            "stun:[::1]:3478",
            "stun:[2001:db8::1]",
            "stuns:host",
            "turn:host",
            "turn:192.0.2.1:3478?transport=udp",
            "turn:host?transport=tcp",
            "turns:host:443?transport=tcp",
        ] {
            assert_eq!(kind(url), None, "{url}");
        }
        for url in [
            "",
            "relative",
            "http:",
            "http://host",
            "stun:",
            "stun:///x",
            "stun://host",
            "stun:u@h",
            "turn:h?transport=sctp",
            "turn:h?x=y",
            "turn:h?transport=udp&x=y",
            "turn:h?",
            "stun:h?transport=udp",
            "turn:h#f",
            "stun:h:65536",
            "stun:h:x",
            "stun:[::1",
            "stun:[::1]3478",
            "stun:::1",
            "stun:a b",
        ] {
            assert_eq!(kind(url), Some(ErrorKind::Syntax), "{url}");
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
