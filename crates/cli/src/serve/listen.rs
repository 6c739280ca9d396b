//! Where the page is served.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use anyhow::anyhow;
use if_addrs::Interface;
use tokio::net::TcpListener;

/// A name or an address, and a port: `localhost:8080`, `[::1]:8080`, `0.0.0.0:8080`; `8080` and `:8080` are this machine's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    host: String,
    port: u16,
}

impl Listen {
    /// Binds the first of its addresses that can be bound.
    pub(crate) async fn bind(&self) -> anyhow::Result<TcpListener> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let addresses: Vec<_> = found
            .map_err(|error| anyhow!("{} is no name of an address: {error}", self.host))?
            .collect();
        let mut failure = anyhow!("{} has no address", self.host);
        for wanted in addresses {
            match TcpListener::bind(wanted).await {
                Ok(listener) => return Ok(listener),
                Err(error) => failure = refused(wanted, &error),
            }
        }
        Err(failure)
    }
}

/// The loopback address of the family.
pub(crate) fn loopback(of: IpAddr) -> IpAddr {
    match of {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

/// The addresses of this machine that others can reach, with the names of their interfaces, for a server on all addresses of a
/// family. `[::]` takes IPv4 as well.
pub(crate) fn network(bound: IpAddr) -> Vec<(String, IpAddr)> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        log::warn!("the addresses of this machine cannot be listed: {error}");
        Vec::new()
    });
    reachable(bound, interfaces)
}

fn reachable(bound: IpAddr, interfaces: Vec<Interface>) -> Vec<(String, IpAddr)> {
    let reachable = interfaces.into_iter().filter(|it| {
        let family = bound.is_ipv6() || it.ip().is_ipv4();
        family && it.is_oper_up() && !it.is_loopback() && !it.is_link_local()
    });
    reachable.map(|it| (it.name.clone(), it.ip())).collect()
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is neither a port nor an address with one, such as localhost:8080")
        };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port),
            None => ("", text),
        };
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or_else(wrong)?,
            None if host.contains(':') => return Err(wrong()),
            None => host,
        };
        let port = port.parse().map_err(|_| wrong())?;
        if host.contains(char::is_whitespace) {
            return Err(wrong());
        }
        let host = if host.is_empty() { "127.0.0.1" } else { host }.to_owned();
        Ok(Self { host, port })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Why the page cannot be served there, and what to do.
fn refused(wanted: SocketAddr, error: &io::Error) -> anyhow::Error {
    let (address, port) = (wanted.ip(), wanted.port());
    match error.kind() {
        ErrorKind::AddrInUse => {
            let mut other = wanted;
            other.set_port(if port == u16::MAX { 8080 } else { port + 1 });
            anyhow!(
                "port {port} of {address} is taken: stop the program that has it, or choose another with --listen {other}"
            )
        }
        ErrorKind::PermissionDenied => anyhow!(
            "no permission to listen on port {port}: choose one from 1024 up, such as --listen {}",
            SocketAddr::new(address, 8080)
        ),
        ErrorKind::AddrNotAvailable => anyhow!(
            "this machine has no address {address}: choose one of its own, such as --listen 127.0.0.1:{port}"
        ),
        _ => anyhow!("cannot listen on {wanted}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use if_addrs::{IfAddr, IfOperStatus, Ifv4Addr, Ifv6Addr};

    use super::*;

    #[test]
    fn what_refuses_the_port_is_one_line_that_says_what_to_do() {
        let wanted: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let text = |kind: ErrorKind| refused(wanted, &kind.into()).to_string();
        assert!(text(ErrorKind::AddrInUse).contains("--listen 127.0.0.1:8081"));
        assert!(text(ErrorKind::PermissionDenied).contains("from 1024 up"));
        assert!(text(ErrorKind::AddrNotAvailable).contains("no address 127.0.0.1"));
        for kind in [
            ErrorKind::AddrInUse,
            ErrorKind::PermissionDenied,
            ErrorKind::OutOfMemory,
        ] {
            assert!(!text(kind).contains('\n'));
        }
        let last: SocketAddr = "[::1]:65535".parse().unwrap();
        let text = refused(last, &ErrorKind::AddrInUse.into()).to_string();
        assert!(text.contains("--listen [::1]:8080"), "{text}");
    }

    #[test]
    fn a_port_alone_is_this_machines_own() {
        for (text, host, port) in [
            ("8080", "127.0.0.1", 8080),
            (":8080", "127.0.0.1", 8080),
            ("localhost:80", "localhost", 80),
            ("0.0.0.0:0", "0.0.0.0", 0),
            ("[::1]:8080", "::1", 8080),
        ] {
            let host = host.to_owned();
            assert_eq!(text.parse(), Ok(Listen { host, port }), "{text}");
        }
        for text in [
            "",
            "nowhere",
            "host:",
            "host:65536",
            "::1:80",
            "[::1]",
            "a b:1",
            ":",
        ] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_others_can_open_is_up_and_no_loopback() {
        let interface = |name: &str, address: IpAddr, oper_status| {
            let addr = match address {
                IpAddr::V4(ip) => IfAddr::V4(Ifv4Addr {
                    ip,
                    netmask: Ipv4Addr::BROADCAST,
                    prefixlen: 32,
                    broadcast: None,
                }),
                IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr {
                    ip,
                    netmask: Ipv6Addr::LOCALHOST,
                    prefixlen: 128,
                    broadcast: None,
                }),
            };
            Interface {
                name: name.to_owned(),
                addr,
                index: None,
                oper_status,
                is_p2p: false,
            }
        };
        let all = [
            ("lo", "127.0.0.1", IfOperStatus::Up),
            ("eth0", "192.0.2.2", IfOperStatus::Up),
            ("eth1", "192.0.2.3", IfOperStatus::Down),
            ("eth2", "169.254.1.2", IfOperStatus::Up),
            ("eth0", "2001:db8::2", IfOperStatus::Up),
            ("eth0", "fe80::2", IfOperStatus::Up),
        ];
        let found = |bound: IpAddr| {
            let all = all.iter();
            let all = all.map(|it| interface(it.0, it.1.parse().unwrap(), it.2.clone()));
            let found = reachable(bound, all.collect()).into_iter();
            found.map(|it| it.1.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found(Ipv4Addr::UNSPECIFIED.into()), ["192.0.2.2"]);
        let both = found(Ipv6Addr::UNSPECIFIED.into());
        assert_eq!(both, ["192.0.2.2", "2001:db8::2"]);
    }

    #[tokio::test]
    async fn a_name_is_resolved_and_bound() {
        let listen: Listen = "localhost:0".parse().unwrap();
        let listener = listen.bind().await.unwrap();
        assert!(listener.local_addr().unwrap().ip().is_loopback());
        let nowhere: Listen = "nowhere.invalid:80".parse().unwrap();
        let error = nowhere.bind().await.unwrap_err().to_string();
        assert!(error.contains("nowhere.invalid"), "{error}");
    }
}
