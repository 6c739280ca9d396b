//! Who may talk to the server: its own page, under its own address.

use std::net::{IpAddr, SocketAddr};

/// Whether a Host header names this server. One that listens on a loopback address answers to
/// loopback names only, so that a foreign name rebound to 127.0.0.1 gets nothing; elsewhere the
/// names of the machine are its owner's affair.
pub(crate) fn is_own_host(host: &str, server: SocketAddr, default_port: u16) -> bool {
    let Some((name, port)) = split(host, default_port) else {
        return false;
    };
    if !server.ip().is_loopback() {
        return true;
    }
    let local = name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    local && port == server.port()
}

/// Whether an Origin header is the page that this Host header serves.
pub(crate) fn is_same(origin: &str, host: &str) -> bool {
    // "https" is there when a proxy in front of the server has the certificate.
    let from = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    from.is_some_and(|from| !from.is_empty() && from.eq_ignore_ascii_case(host))
}

/// Name and port of `name`, `name:port`, `[v6]` or `[v6]:port`.
fn split(host: &str, default_port: u16) -> Option<(&str, u16)> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().ok()?,
        None if port.is_empty() => default_port,
        None => return None,
    };
    (!name.is_empty()).then_some((name, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_server_answers_to_loopback_names_and_its_port() {
        let server = "127.0.0.1:8080".parse().unwrap();
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LOCALHOST:8080",
            "[::1]:8080",
            "127.9.9.9:8080",
        ] {
            assert!(is_own_host(host, server, 80), "{host}");
        }
        let foreign = [
            "example.org:8080",
            "127.0.0.1",
            "127.0.0.1:81",
            "10.0.0.1:8080",
            "",
            ":8080",
            "[::1",
            "[::1]x",
            "a:b:c",
        ];
        for host in foreign {
            assert!(!is_own_host(host, server, 80), "{host}");
        }
        let secure = "127.0.0.1:443".parse().unwrap();
        assert!(is_own_host("localhost", secure, 443) && !is_own_host("localhost", secure, 80));
    }

    #[test]
    fn a_server_on_the_network_answers_to_any_name() {
        let server = "0.0.0.0:80".parse().unwrap();
        assert!(is_own_host("box.example", server, 80) && is_own_host("10.0.0.7", server, 80));
        assert!(!is_own_host("", server, 80));
    }

    #[test]
    fn only_the_page_of_the_same_host_may_open_the_socket() {
        assert!(is_same("http://127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(is_same("https://box.example", "box.example"));
        for origin in [
            "http://evil.example",
            "null",
            "",
            "http://",
            "file://127.0.0.1:8080",
            "http://127.0.0.1:8081",
        ] {
            assert!(!is_same(origin, "127.0.0.1:8080"), "{origin}");
        }
        assert!(!is_same("http://", ""));
    }
}
