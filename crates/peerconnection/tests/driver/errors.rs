//! What goes wrong says what to do.

use oxirtc_peerconnection::{Configuration, Endpoint, ErrorKind, PeerConnection};

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
