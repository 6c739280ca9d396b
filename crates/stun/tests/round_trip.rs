//! What is written is read back, whatever it is; what is read is written back.
#![expect(
    clippy::unwrap_used,
    reason = "what the strategies give can be written"
)]

use std::net::{IpAddr, SocketAddr};

use oxirtc_stun::{
    AddressFamily, Attribute, AttributeType, Builder, Class, ErrorCode, Icmp, Integrity,
    IntegrityKey, Message, Method, PasswordAlgorithm, RawAttribute, TransactionId,
};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
};

/// What an attribute is made of, owned.
#[derive(Clone, Debug)]
struct Parts {
    which: u8,
    number: u64,
    text: String,
    bytes: Vec<u8>,
    address: SocketAddr,
}

impl Parts {
    fn family(&self) -> AddressFamily {
        if self.address.is_ipv4() {
            AddressFamily::Ipv4
        } else {
            AddressFamily::Ipv6
        }
    }

    fn array<const N: usize>(&self) -> [u8; N] {
        std::array::from_fn(|at| self.bytes.get(at).copied().unwrap_or(0))
    }

    fn attribute(&self) -> Attribute<'_> {
        let word = u32::try_from(self.number >> 32).unwrap();
        let code = u16::try_from(300 + self.number % 400).unwrap();
        let error = ErrorCode::new(code, &self.text);
        match self.which {
            0 => Attribute::MappedAddress(self.address),
            1 => Attribute::Username(&self.text),
            2 => Attribute::ErrorCode(error),
            3 => Attribute::ChannelNumber(u16::try_from(word >> 16).unwrap()),
            4 => Attribute::Lifetime(word),
            5 => Attribute::XorPeerAddress(self.address),
            6 => Attribute::Data(&self.bytes),
            7 => Attribute::Realm(&self.text),
            8 => Attribute::Nonce(&self.bytes),
            9 => Attribute::XorRelayedAddress(self.address),
            10 => Attribute::RequestedAddressFamily(self.family()),
            11 => Attribute::EvenPort(word & 1 == 1),
            12 => Attribute::RequestedTransport(u8::try_from(word & 255).unwrap()),
            13 => Attribute::DontFragment,
            14 => Attribute::PasswordAlgorithm(PasswordAlgorithm {
                algorithm: code,
                parameters: &self.bytes,
            }),
            15 => Attribute::Userhash(self.array()),
            16 => Attribute::XorMappedAddress(self.address),
            17 => Attribute::ReservationToken(self.array()),
            18 => Attribute::Priority(word),
            19 => Attribute::UseCandidate,
            20 => Attribute::ConnectionId(word),
            21 => Attribute::AdditionalAddressFamily(self.family()),
            22 => Attribute::AddressErrorCode(self.family(), error),
            23 => Attribute::AlternateDomain(&self.text),
            24 => Attribute::Icmp(Icmp {
                kind: 0x7f,
                code: code & 0x1ff,
                data: word,
            }),
            25 => Attribute::Software(&self.text),
            26 => Attribute::AlternateServer(self.address),
            27 => Attribute::IceControlled(self.number),
            28 => Attribute::IceControlling(self.number),
            _ => Attribute::Other(RawAttribute {
                kind: AttributeType(0x7f00),
                value: &self.bytes,
            }),
        }
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let address = (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from);
    (
        0..30_u8,
        any::<u64>(),
        "\\PC{0,60}",
        vec(any::<u8>(), 0..64),
        address,
    )
        .prop_map(|(which, number, text, bytes, address)| Parts {
            which,
            number,
            text,
            bytes,
            address,
        })
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![
        Just(Class::Request),
        Just(Class::Indication),
        Just(Class::Success),
        Just(Class::Error)
    ]
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(300))]

    #[test]
    fn written_is_read(
        class in class(),
        method in 0..=0xfff_u16,
        id in any::<[u8; 12]>(),
        parts in vec(parts(), 0..12),
        sha256 in any::<bool>(),
        before in vec(any::<u8>(), 0..9),
    ) {
        let (method, id) = (Method::new(method).unwrap(), TransactionId::new(id));
        let key = IntegrityKey::from_bytes(b"key");
        let integrity = if sha256 { Integrity::Sha256 } else { Integrity::Sha1 };
        let mut buf = before.clone();
        let mut builder = Builder::new(&mut buf, class, method, id);
        for part in &parts {
            builder.add(part.attribute());
        }
        let length = builder.integrity(integrity, &key).fingerprint().finish().unwrap();
        let (kept, datagram) = buf.split_at(before.len());
        prop_assert_eq!(kept, before.as_slice());
        prop_assert_eq!(datagram.len(), length);
        prop_assert_eq!(Message::length(datagram), Some(length));

        let message = Message::parse(datagram).unwrap();
        prop_assert_eq!((message.class(), message.method(), message.transaction_id()), (class, method, id));
        prop_assert_eq!(message.verify_integrity(&key), Ok(integrity));
        prop_assert_eq!(message.verify_fingerprint(), Ok(()));
        let read: Vec<_> = message.attributes().map(|attribute| attribute.parse(id).unwrap()).collect();
        prop_assert_eq!(read.len(), parts.len() + 2);
        for (part, read) in parts.iter().zip(&read) {
            prop_assert!(part.attribute() == *read, "{:?}", part);
        }

        let mut again = Vec::new();
        let mut builder = Builder::new(&mut again, class, method, id);
        for attribute in read {
            builder.add(attribute);
        }
        builder.finish().unwrap();
        prop_assert_eq!(again.as_slice(), datagram);
    }

    #[test]
    fn password_algorithms_are_read_in_order(list in vec((any::<u16>(), vec(any::<u8>(), 0..9)), 0..6)) {
        let algorithms: Vec<_> = list
            .iter()
            .map(|(algorithm, parameters)| PasswordAlgorithm { algorithm: *algorithm, parameters })
            .collect();
        let mut buf = Vec::new();
        let id = TransactionId::new([0; 12]);
        let mut builder = Builder::new(&mut buf, Class::Error, Method::ALLOCATE, id);
        builder.password_algorithms(&algorithms).finish().unwrap();
        let message = Message::parse(&buf).unwrap();
        prop_assert!(message.password_algorithms().unwrap().iter().eq(algorithms));
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(mut bytes in vec(any::<u8>(), 20..200)) {
        // A valid header, so that the attributes are reached.
        let length = (bytes.len() - 20) & !3;
        bytes.truncate(length + 20);
        let header = [0, 1, u8::try_from(length >> 8).unwrap(), u8::try_from(length & 255).unwrap(), 0x21, 0x12, 0xa4, 0x42];
        bytes.iter_mut().zip(header).for_each(|(byte, header)| *byte = header);
        if let Ok(message) = Message::parse(&bytes) {
            let id = message.transaction_id();
            let total: usize = message.all_attributes().map(|raw| 4 + raw.value.len().next_multiple_of(4)).sum();
            prop_assert_eq!(total, length);
            prop_assert!(message.attributes().filter(|raw| raw.parse(id).is_ok()).count() <= length / 4);
            prop_assert!(message.verify_integrity(&IntegrityKey::from_bytes(b"key")).is_err());
        }
    }
}
