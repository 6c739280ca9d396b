//! One getter for each attribute.

use std::net::SocketAddr;

use crate::{
    attribute::{
        AddressFamily, Attribute, AttributeType, AttributeTypes, ErrorCode, Icmp,
        PasswordAlgorithm, PasswordAlgorithms,
    },
    message::Message,
};

macro_rules! getters {
    ($($name:ident, $kind:ident, $variant:ident($value:ty);)*) => {
        /// Each getter gives the first attribute of its type that counts, or `None` if it is absent or malformed.
        impl<'a> Message<'a> {
            $(
                #[doc = concat!("The value of [`", stringify!($kind), "`](AttributeType::", stringify!($kind), ").")]
                pub fn $name(&self) -> Option<$value> {
                    match self.value(AttributeType::$kind)? {
                        Attribute::$variant(value) => Some(value),
                        _ => None,
                    }
                }
            )*
        }
    };
}

getters! {
    mapped_address, MAPPED_ADDRESS, MappedAddress(SocketAddr);
    username, USERNAME, Username(&'a str);
    error_code, ERROR_CODE, ErrorCode(ErrorCode<'a>);
    unknown_attributes, UNKNOWN_ATTRIBUTES, UnknownAttributes(AttributeTypes<'a>);
    channel_number, CHANNEL_NUMBER, ChannelNumber(u16);
    lifetime, LIFETIME, Lifetime(u32);
    xor_peer_address, XOR_PEER_ADDRESS, XorPeerAddress(SocketAddr);
    data, DATA, Data(&'a [u8]);
    realm, REALM, Realm(&'a str);
    nonce, NONCE, Nonce(&'a [u8]);
    xor_relayed_address, XOR_RELAYED_ADDRESS, XorRelayedAddress(SocketAddr);
    requested_address_family, REQUESTED_ADDRESS_FAMILY, RequestedAddressFamily(AddressFamily);
    even_port, EVEN_PORT, EvenPort(bool);
    requested_transport, REQUESTED_TRANSPORT, RequestedTransport(u8);
    password_algorithm, PASSWORD_ALGORITHM, PasswordAlgorithm(PasswordAlgorithm<'a>);
    userhash, USERHASH, Userhash([u8; 32]);
    xor_mapped_address, XOR_MAPPED_ADDRESS, XorMappedAddress(SocketAddr);
    reservation_token, RESERVATION_TOKEN, ReservationToken([u8; 8]);
    priority, PRIORITY, Priority(u32);
    connection_id, CONNECTION_ID, ConnectionId(u32);
    additional_address_family, ADDITIONAL_ADDRESS_FAMILY, AdditionalAddressFamily(AddressFamily);
    password_algorithms, PASSWORD_ALGORITHMS, PasswordAlgorithms(PasswordAlgorithms<'a>);
    alternate_domain, ALTERNATE_DOMAIN, AlternateDomain(&'a str);
    icmp, ICMP, Icmp(Icmp);
    software, SOFTWARE, Software(&'a str);
    alternate_server, ALTERNATE_SERVER, AlternateServer(SocketAddr);
    ice_controlled, ICE_CONTROLLED, IceControlled(u64);
    ice_controlling, ICE_CONTROLLING, IceControlling(u64);
}

impl<'a> Message<'a> {
    /// True if USE-CANDIDATE is there and empty, as it has to be.
    pub fn use_candidate(&self) -> bool {
        self.value(AttributeType::USE_CANDIDATE).is_some()
    }

    /// True if DONT-FRAGMENT is there and empty, as it has to be.
    pub fn dont_fragment(&self) -> bool {
        self.value(AttributeType::DONT_FRAGMENT).is_some()
    }

    /// The values of all XOR-PEER-ADDRESS attributes that count: CreatePermission may carry several (RFC 8656 §10.1). `None`
    /// stands for one that is malformed.
    pub fn xor_peer_addresses(&self) -> impl Iterator<Item = Option<SocketAddr>> + use<'a> {
        let id = self.transaction_id();
        let peers = |attribute: &_| {
            matches!(
                attribute,
                crate::RawAttribute {
                    kind: AttributeType::XOR_PEER_ADDRESS,
                    ..
                }
            )
        };
        self.attributes()
            .filter(peers)
            .map(move |attribute| match attribute.parse(id) {
                Ok(Attribute::XorPeerAddress(address)) => Some(address),
                _ => None,
            })
    }

    /// The values of ADDRESS-ERROR-CODE: which family was refused, and why.
    pub fn address_error_code(&self) -> Option<(AddressFamily, ErrorCode<'a>)> {
        match self.value(AttributeType::ADDRESS_ERROR_CODE)? {
            Attribute::AddressErrorCode(family, error) => Some((family, error)),
            _ => None,
        }
    }

    fn value(&self, kind: AttributeType) -> Option<Attribute<'a>> {
        self.get(kind)?.parse(self.transaction_id()).ok()
    }
}
