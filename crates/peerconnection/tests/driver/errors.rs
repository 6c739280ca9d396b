//! What goes wrong says what to do.

use std::time::{Duration, SystemTime};

use oxirtc_peerconnection::{
    Certificate, Configuration, Endpoint, ErrorKind, KeyAlgorithm, PeerConnection,
    driver::UdpSocket,
};

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = Endpoint::bind(address).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn a_foreign_address_is_named() {
    let address = "192.0.2.1:0";
    let error = Endpoint::bind(address).unwrap_err();
    assert!(
        error.to_string().contains("not an address of this machine"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_no_address_is_told_what_one_is() {
    for text in ["localhost", "127.0.0.1", "127.0.0.1:99999", ""] {
        let error = Endpoint::bind(text).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("0.0.0.0:5000"), "{error}");
    }
}

#[test]
fn outside_of_a_runtime_a_connection_is_refused() {
    let error = PeerConnection::new(Configuration::default()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
}

#[test]
fn outside_of_a_runtime_an_endpoint_is_refused() {
    let error = Endpoint::bind("127.0.0.1:0").unwrap_err();
    assert!(error.to_string().contains("runtime"), "{error}");
    assert!(Endpoint::with_sockets(Vec::new()).is_err());
}

#[test]
fn outside_of_a_runtime_a_socket_is_refused() {
    let error = UdpSocket::bind(([127, 0, 0, 1], 0).into(), 100_000).unwrap_err();
    assert!(error.to_string().contains("no tokio runtime"), "{error}");
}

/// A connection would gather nothing.
#[test]
fn in_a_runtime_without_io_an_endpoint_and_a_connection_are_refused() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    let (port, own) = runtime.block_on(async {
        let own = PeerConnection::new(Configuration::default());
        (Endpoint::bind("127.0.0.1:0"), own)
    });
    let error = port.unwrap_err();
    assert!(error.to_string().contains("I/O"), "{error}");
    let error = own.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    assert!(error.message().contains("I/O"), "{error}");
}

/// On sockets that are not the system's a connection needs none of its I/O.
#[test]
fn in_a_runtime_without_io_a_virtual_network_has_connections() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    let made = runtime.block_on(async {
        let port = Endpoint::with_sockets(Vec::new()).unwrap();
        port.peer_connection(Configuration::default()).map(drop)
    });
    assert_eq!(made, Ok(()));
}

/// Its task would end at once, and the connection as if its runtime had.
#[test]
fn in_a_runtime_without_time_a_connection_is_refused() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_io().build().unwrap();
    let (own, shared) = runtime.block_on(async {
        let port = Endpoint::bind("127.0.0.1:0").unwrap();
        let shared = port.peer_connection(Configuration::default());
        (PeerConnection::new(Configuration::default()), shared)
    });
    for refused in [own, shared] {
        let error = refused.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidState);
        assert!(error.message().contains("time"), "{error}");
    }
}

/// [4.4.1.1-03] By the clock of the system, on a port of its own and on a shared one.
#[tokio::test]
async fn a_connection_with_an_expired_certificate_is_refused() {
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let certificate = Certificate::generate_at(KeyAlgorithm::EcdsaP256, past, None).unwrap();
    let configuration = Configuration {
        certificates: vec![certificate],
        ..Configuration::default()
    };
    let port = Endpoint::bind("127.0.0.1:0").unwrap();
    for refused in [
        PeerConnection::new(configuration.clone()),
        port.peer_connection(configuration),
    ] {
        assert_eq!(refused.err().unwrap().kind(), ErrorKind::InvalidAccess);
    }
}
