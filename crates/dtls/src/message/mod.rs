//! The handshake messages of both versions, one file each: `parse` reads a body, `write` makes one.
//!
//! What is parsed borrows from the datagram. Unknown extensions and values survive a round trip.

mod ack;
mod certificate;
mod certificate13;
pub(crate) mod certificate_request;
mod certificate_request13;
mod certificate_verify;
mod client_hello;
mod client_key_exchange;
mod codec;
mod encrypted_extensions;
pub(crate) mod extension;
mod finished;
mod fragment;
mod hello_verify_request;
mod key_share;
mod key_update;
mod new_session_ticket;
mod server_hello;
mod server_key_exchange;
#[cfg(test)]
mod tests;

pub use ack::Ack;
pub use certificate::Certificate;
pub(crate) use certificate::MAX_CHAIN;
pub use certificate_request::CertificateRequest;
pub use certificate_request13::CertificateRequest13;
pub use certificate_verify::CertificateVerify;
pub use certificate13::{Certificate13, CertificateEntry};
pub use client_hello::ClientHello;
pub use client_key_exchange::ClientKeyExchange;
pub use codec::Malformed;
pub use encrypted_extensions::EncryptedExtensions;
pub use extension::{Extension, Extensions, UseSrtp};
pub use finished::Finished;
pub use fragment::{Fragment, HEADER_LEN};
pub use hello_verify_request::HelloVerifyRequest;
pub use key_share::KeyShareEntry;
pub use key_update::KeyUpdate;
pub use new_session_ticket::NewSessionTicket;
pub use server_hello::ServerHello;
pub use server_key_exchange::ServerKeyExchange;

/// The type of a handshake message, by its number in the TLS HandshakeType registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `hello_request`: a server asks for renegotiation.
    HelloRequest,
    /// `client_hello`.
    ClientHello,
    /// `server_hello`.
    ServerHello,
    /// `hello_verify_request`.
    HelloVerifyRequest,
    /// `new_session_ticket`, of 1.3.
    NewSessionTicket,
    /// `encrypted_extensions`, of 1.3.
    EncryptedExtensions,
    /// `certificate`.
    Certificate,
    /// `server_key_exchange`.
    ServerKeyExchange,
    /// `certificate_request`.
    CertificateRequest,
    /// `server_hello_done`.
    ServerHelloDone,
    /// `certificate_verify`.
    CertificateVerify,
    /// `client_key_exchange`.
    ClientKeyExchange,
    /// `finished`.
    Finished,
    /// `key_update`, of 1.3.
    KeyUpdate,
}

/// A parsed handshake message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// An empty message.
    HelloRequest,
    /// See [`ClientHello`].
    ClientHello(ClientHello<'a>),
    /// See [`ServerHello`].
    ServerHello(ServerHello<'a>),
    /// See [`HelloVerifyRequest`].
    HelloVerifyRequest(HelloVerifyRequest<'a>),
    /// See [`Certificate`].
    Certificate(Certificate<'a>),
    /// See [`ServerKeyExchange`].
    ServerKeyExchange(ServerKeyExchange<'a>),
    /// See [`CertificateRequest`].
    CertificateRequest(CertificateRequest),
    /// An empty message.
    ServerHelloDone,
    /// See [`CertificateVerify`].
    CertificateVerify(CertificateVerify<'a>),
    /// See [`ClientKeyExchange`].
    ClientKeyExchange(ClientKeyExchange<'a>),
    /// See [`Finished`].
    Finished(Finished<'a>),
    /// See [`EncryptedExtensions`].
    EncryptedExtensions(EncryptedExtensions<'a>),
    /// See [`Certificate13`].
    Certificate13(Certificate13<'a>),
    /// See [`CertificateRequest13`].
    CertificateRequest13(CertificateRequest13<'a>),
    /// See [`KeyUpdate`].
    KeyUpdate(KeyUpdate),
    /// See [`NewSessionTicket`].
    NewSessionTicket(NewSessionTicket<'a>),
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::HelloRequest,
        Self::ClientHello,
        Self::ServerHello,
        Self::HelloVerifyRequest,
        Self::NewSessionTicket,
        Self::EncryptedExtensions,
        Self::Certificate,
        Self::ServerKeyExchange,
        Self::CertificateRequest,
        Self::ServerHelloDone,
        Self::CertificateVerify,
        Self::ClientKeyExchange,
        Self::Finished,
        Self::KeyUpdate,
    ];

    /// The number of the registry.
    pub fn id(self) -> u8 {
        match self {
            Self::HelloRequest => 0,
            Self::ClientHello => 1,
            Self::ServerHello => 2,
            Self::HelloVerifyRequest => 3,
            Self::NewSessionTicket => 4,
            Self::EncryptedExtensions => 8,
            Self::Certificate => 11,
            Self::ServerKeyExchange => 12,
            Self::CertificateRequest => 13,
            Self::ServerHelloDone => 14,
            Self::CertificateVerify => 15,
            Self::ClientKeyExchange => 16,
            Self::Finished => 20,
            Self::KeyUpdate => 24,
        }
    }

    /// The kind of a registry number, if it is one of these.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }
}

impl<'a> Message<'a> {
    /// Reads the body of a whole message of 1.2, or of a hello (without the header of 12 bytes).
    pub fn parse(kind: Kind, body: &'a [u8]) -> Result<Self, Malformed> {
        Ok(match kind {
            Kind::HelloRequest => empty(body, Self::HelloRequest)?,
            Kind::ClientHello => Self::ClientHello(ClientHello::parse(body)?),
            Kind::ServerHello => Self::ServerHello(ServerHello::parse(body)?),
            Kind::HelloVerifyRequest => Self::HelloVerifyRequest(HelloVerifyRequest::parse(body)?),
            Kind::Certificate => Self::Certificate(Certificate::parse(body)?),
            Kind::ServerKeyExchange => Self::ServerKeyExchange(ServerKeyExchange::parse(body)?),
            Kind::CertificateRequest => Self::CertificateRequest(CertificateRequest::parse(body)?),
            Kind::ServerHelloDone => empty(body, Self::ServerHelloDone)?,
            Kind::CertificateVerify => Self::CertificateVerify(CertificateVerify::parse(body)?),
            Kind::ClientKeyExchange => Self::ClientKeyExchange(ClientKeyExchange::parse(body)?),
            Kind::Finished => Self::Finished(Finished::parse(body)?),
            Kind::NewSessionTicket | Kind::EncryptedExtensions | Kind::KeyUpdate => {
                return Err(Malformed);
            }
        })
    }

    /// Reads the body of a whole message of 1.3 that comes behind the hellos.
    pub fn parse_1_3(kind: Kind, body: &'a [u8]) -> Result<Self, Malformed> {
        Ok(match kind {
            Kind::EncryptedExtensions => {
                Self::EncryptedExtensions(EncryptedExtensions::parse(body)?)
            }
            Kind::CertificateRequest => {
                Self::CertificateRequest13(CertificateRequest13::parse(body)?)
            }
            Kind::Certificate => Self::Certificate13(Certificate13::parse(body)?),
            Kind::CertificateVerify => Self::CertificateVerify(CertificateVerify::parse(body)?),
            Kind::Finished => Self::Finished(Finished::parse(body)?),
            Kind::KeyUpdate => Self::KeyUpdate(KeyUpdate::parse(body)?),
            Kind::NewSessionTicket => Self::NewSessionTicket(NewSessionTicket::parse(body)?),
            _ => return Err(Malformed),
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::HelloRequest | Self::ServerHelloDone => {}
            Self::ClientHello(message) => message.write(out),
            Self::ServerHello(message) => message.write(out),
            Self::HelloVerifyRequest(message) => message.write(out),
            Self::Certificate(message) => message.write(out),
            Self::ServerKeyExchange(message) => message.write(out),
            Self::CertificateRequest(message) => message.write(out),
            Self::CertificateVerify(message) => message.write(out),
            Self::ClientKeyExchange(message) => message.write(out),
            Self::Finished(message) => message.write(out),
            Self::EncryptedExtensions(message) => message.write(out),
            Self::Certificate13(message) => message.write(out),
            Self::CertificateRequest13(message) => message.write(out),
            Self::KeyUpdate(message) => message.write(out),
            Self::NewSessionTicket(message) => message.write(out),
        }
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::HelloRequest => Kind::HelloRequest,
            Self::ClientHello(_) => Kind::ClientHello,
            Self::ServerHello(_) => Kind::ServerHello,
            Self::HelloVerifyRequest(_) => Kind::HelloVerifyRequest,
            Self::Certificate(_) => Kind::Certificate,
            Self::ServerKeyExchange(_) => Kind::ServerKeyExchange,
            Self::CertificateRequest(_) => Kind::CertificateRequest,
            Self::ServerHelloDone => Kind::ServerHelloDone,
            Self::CertificateVerify(_) => Kind::CertificateVerify,
            Self::ClientKeyExchange(_) => Kind::ClientKeyExchange,
            Self::Finished(_) => Kind::Finished,
            Self::EncryptedExtensions(_) => Kind::EncryptedExtensions,
            Self::Certificate13(_) => Kind::Certificate,
            Self::CertificateRequest13(_) => Kind::CertificateRequest,
            Self::KeyUpdate(_) => Kind::KeyUpdate,
            Self::NewSessionTicket(_) => Kind::NewSessionTicket,
        }
    }
}

fn empty<T>(body: &[u8], message: T) -> Result<T, Malformed> {
    match body {
        [] => Ok(message),
        _ => Err(Malformed),
    }
}
