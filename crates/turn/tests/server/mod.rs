//! A small STUN and TURN server in simulated time, for the tests of all who are its clients.
#![allow(dead_code, reason = "each test uses its part")]
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use oxirtc_stun::{
    AddressFamily, Attribute, AttributeType, Builder, Class, ErrorCode, Integrity, IntegrityKey,
    Message, Method, PasswordAlgorithm, SecurityFeatures,
};

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// One allocation.
pub(crate) struct Allocation {
    pub(crate) relayed: Vec<SocketAddr>,
    pub(crate) expires: Instant,
    pub(crate) permissions: BTreeMap<IpAddr, Instant>,
    pub(crate) channels: BTreeMap<u16, (SocketAddr, Instant)>,
}

/// The server. What it does wrong is set by the test.
pub(crate) struct Server {
    pub(crate) password: String,
    pub(crate) mac_key: Option<Vec<u8>>,
    pub(crate) sha256: bool,
    /// What it offers, the most preferred first: what has no key of its own here is one that nobody knows.
    pub(crate) offers: Vec<PasswordAlgorithm<'static>>,
    /// The nonce says that algorithms are offered, and they are not.
    pub(crate) stripped: bool,
    pub(crate) anonymous: bool,
    pub(crate) nonce_life: Duration,
    pub(crate) always_stale: bool,
    pub(crate) same_nonce: bool,
    pub(crate) lifetime: u32,
    pub(crate) knows_both: bool,
    pub(crate) refuses_ipv6: bool,
    /// It has no address of IPv6, also when that alone is asked for.
    pub(crate) lacks_ipv6: bool,
    pub(crate) relay: [IpAddr; 2],
    pub(crate) refuse: Option<(Method, u16)>,
    pub(crate) forbidden: Option<IpAddr>,
    pub(crate) redirect: Vec<SocketAddr>,
    /// The name of the other server (RFC 8489 §14.16).
    pub(crate) domain: Option<String>,
    pub(crate) silent: bool,
    pub(crate) forges: bool,
    /// Its answers have no integrity.
    pub(crate) bare: bool,
    /// It wants no credentials.
    pub(crate) open: bool,
    /// How many addresses it gives whatever was asked for.
    pub(crate) gives: Option<usize>,
    pub(crate) allocations: BTreeMap<SocketAddr, Allocation>,
    /// Methods of the requests that came, and whether they had integrity.
    pub(crate) requests: Vec<(Method, bool)>,
    pub(crate) usernames: Vec<Option<String>>,
    pub(crate) nonce: u64,
    pub(crate) nonce_born: Option<Instant>,
    pub(crate) next_port: u16,
    /// What it sees clients at, where a NAT is between.
    pub(crate) sees: BTreeMap<IpAddr, IpAddr>,
}

/// What the server sends.
pub(crate) enum Out {
    Client(Vec<u8>),
    Peer(SocketAddr, Vec<u8>),
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            password: "secret".into(),
            mac_key: None,
            sha256: false,
            offers: vec![PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5],
            stripped: false,
            anonymous: false,
            nonce_life: secs(3600),
            always_stale: false,
            same_nonce: false,
            lifetime: 600,
            knows_both: true,
            refuses_ipv6: false,
            lacks_ipv6: false,
            relay: [ip("198.51.100.1"), ip("2001:db8::1")],
            refuse: None,
            forbidden: None,
            redirect: Vec::new(),
            domain: None,
            silent: false,
            forges: false,
            bare: false,
            open: false,
            gives: None,
            allocations: BTreeMap::new(),
            requests: Vec::new(),
            usernames: Vec::new(),
            nonce: 0,
            nonce_born: None,
            next_port: 49_152,
            sees: BTreeMap::new(),
        }
    }

    fn key(&self) -> IntegrityKey {
        if let Some(key) = &self.mac_key {
            return IntegrityKey::from_bytes(key);
        }
        let known = [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];
        let first = self.offers.iter().find(|it| known.contains(it));
        let algorithm = match first.filter(|_| self.sha256) {
            Some(first) => *first,
            None => PasswordAlgorithm::MD5,
        };
        IntegrityKey::long_term("alice", "example.org", &self.password, algorithm).unwrap()
    }

    fn nonce(&self) -> Vec<u8> {
        let features = SecurityFeatures {
            password_algorithms: self.sha256 || self.stripped,
            username_anonymity: self.anonymous,
        };
        format!("{}{}", features.cookie(), self.nonce).into_bytes()
    }

    /// The server is started anew: it knows nobody.
    pub(crate) fn restart(&mut self) {
        self.allocations.clear();
        self.nonce += 1000;
        self.nonce_born = None;
    }

    pub(crate) fn handle(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> Vec<Out> {
        if self.silent {
            return Vec::new();
        }
        if (64..=79).contains(&bytes[0]) {
            let number = u16::from_be_bytes([bytes[0], bytes[1]]);
            let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
            let allocation = self.allocations.get(&from);
            let channel = allocation.and_then(|it| it.channels.get(&number));
            let channel = channel.filter(|(_, until)| *until > now);
            return channel
                .map(|(peer, _)| Out::Peer(*peer, bytes[4..4 + length].to_vec()))
                .into_iter()
                .collect();
        }
        let message = Message::parse(bytes).unwrap();
        if message.class() == Class::Indication {
            assert_eq!(message.method(), Method::SEND);
            let (peer, data) = (message.xor_peer_address().unwrap(), message.data().unwrap());
            let permitted = self.is_permitted(now, from, peer.ip());
            return permitted
                .then(|| Out::Peer(peer, data.to_vec()))
                .into_iter()
                .collect();
        }
        if message.method() == Method::BINDING {
            return self.bind(from, &message).into_iter().collect();
        }
        message.verify_fingerprint().unwrap();
        let signed = message.contains(AttributeType::MESSAGE_INTEGRITY)
            || message.contains(AttributeType::MESSAGE_INTEGRITY_SHA256);
        self.requests.push((message.method(), signed));
        self.usernames.push(message.username().map(str::to_owned));
        let mut answer = Vec::new();
        match self.judge(now, from, &message) {
            Ok(()) => self.grant(now, from, &message, &mut answer),
            Err(code) => self.refuse(code, &message, &mut answer),
        }
        vec![Out::Client(answer)]
    }

    /// RFC 8489: tells where a request came from.
    fn bind(&mut self, from: SocketAddr, request: &Message<'_>) -> Option<Out> {
        if request.class() != Class::Request {
            return None;
        }
        self.requests.push((Method::BINDING, false));
        let mut answer = Vec::new();
        if let Some((_, code)) = self.refuse.filter(|(method, _)| *method == Method::BINDING) {
            let mut builder = Builder::response(&mut answer, Class::Error, request);
            builder.add(Attribute::ErrorCode(ErrorCode::new(code, "because")));
            builder.finish().unwrap();
        } else {
            let mapped = self.sees.get(&from.ip()).copied().unwrap_or(from.ip());
            let mut builder = Builder::response(&mut answer, Class::Success, request);
            builder.add(Attribute::XorMappedAddress((mapped, from.port()).into()));
            builder.finish().unwrap();
        }
        Some(Out::Client(answer))
    }

    fn is_permitted(&self, now: Instant, client: SocketAddr, peer: IpAddr) -> bool {
        let allocation = self.allocations.get(&client).filter(|it| it.expires > now);
        let until = allocation.and_then(|it| it.permissions.get(&peer));
        until.is_some_and(|until| *until > now)
    }

    fn judge(&mut self, now: Instant, from: SocketAddr, request: &Message<'_>) -> Result<(), u16> {
        if request.method() == Method::ALLOCATE && !self.redirect.is_empty() {
            return Err(300);
        }
        if self.open {
            return Ok(());
        }
        let Some(nonce) = request.nonce() else {
            self.nonce += u64::from(!self.same_nonce);
            self.nonce_born = Some(now);
            return Err(401);
        };
        let old = self
            .nonce_born
            .is_none_or(|born| born + self.nonce_life <= now);
        if old || nonce != self.nonce() || self.always_stale {
            if old || self.always_stale {
                self.nonce += u64::from(!self.same_nonce);
                self.nonce_born = Some(now);
            }
            return Err(438);
        }
        if self.sha256 {
            // RFC 8489 §9.2.4: the list as it was, and of it the one that the key is made with.
            let list = request.password_algorithms().map(|it| it.iter().collect());
            let chosen = request.password_algorithm();
            let known = [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];
            let first = self.offers.iter().find(|it| known.contains(it));
            if list.as_ref() != Some(&self.offers) || chosen.as_ref() != first {
                return Err(400);
            }
        }
        let integrity = request.verify_integrity(&self.key());
        let expected = if self.sha256 {
            Integrity::Sha256
        } else {
            Integrity::Sha1
        };
        if integrity != Ok(expected) {
            return Err(401);
        }
        if let Some((_, code)) = self
            .refuse
            .filter(|(method, _)| *method == request.method())
        {
            return Err(code);
        }
        let known = self
            .allocations
            .get(&from)
            .is_some_and(|it| it.expires > now);
        let six = request.requested_address_family() == Some(AddressFamily::Ipv6);
        match request.method() {
            Method::ALLOCATE if six && self.lacks_ipv6 => Err(440),
            Method::ALLOCATE if known => Err(437),
            Method::ALLOCATE => Ok(()),
            _ if !known => Err(437),
            _ => {
                let mut peers = request.xor_peer_addresses().flatten();
                let forbidden = peers.any(|peer| Some(peer.ip()) == self.forbidden);
                if forbidden { Err(403) } else { Ok(()) }
            }
        }
    }

    fn refuse(&self, code: u16, request: &Message<'_>, answer: &mut Vec<u8>) {
        let mut builder = Builder::response(answer, Class::Error, request);
        builder.add(Attribute::ErrorCode(ErrorCode::new(code, "because")));
        let nonce = self.nonce();
        match code {
            401 | 438 => {
                builder.add(Attribute::Realm("example.org"));
                builder.add(Attribute::Nonce(&nonce));
                if self.sha256 {
                    builder.password_algorithms(&self.offers);
                }
            }
            300 => {
                builder.add(Attribute::AlternateServer(self.redirect[0]));
                if let Some(domain) = &self.domain {
                    builder.add(Attribute::AlternateDomain(domain));
                }
                if request.method() != Method::ALLOCATE {
                    self.sign(&mut builder);
                }
            }
            _ => self.sign(&mut builder),
        }
        builder.fingerprint();
        builder.finish().unwrap();
    }

    fn sign(&self, builder: &mut Builder<'_>) {
        if self.bare {
            return;
        }
        let forged = IntegrityKey::from_bytes(b"nobody's");
        let key = if self.forges { forged } else { self.key() };
        if self.sha256 {
            builder.message_integrity_sha256(&key);
        } else {
            builder.message_integrity(&key);
        }
    }

    fn grant(
        &mut self,
        now: Instant,
        from: SocketAddr,
        request: &Message<'_>,
        answer: &mut Vec<u8>,
    ) {
        let lifetime = match request.lifetime() {
            // As coturn does, whatever its most is.
            None if request.method() == Method::REFRESH => 600,
            asked => asked.map_or(self.lifetime, |it| it.min(self.lifetime)),
        };
        let mut relayed = Vec::new();
        match request.method() {
            Method::ALLOCATE => relayed = self.allocate(now, from, request, lifetime),
            Method::REFRESH if lifetime == 0 => drop(self.allocations.remove(&from)),
            method => {
                let allocation = self.allocations.get_mut(&from).unwrap();
                if method == Method::REFRESH {
                    allocation.expires = now + secs(lifetime.into());
                }
                for peer in request.xor_peer_addresses().flatten() {
                    allocation.permissions.insert(peer.ip(), now + secs(300));
                    if let Some(number) = request.channel_number() {
                        let known = allocation.channels.get(&number);
                        assert!(known.is_none_or(|(other, _)| *other == peer));
                        allocation.channels.insert(number, (peer, now + secs(600)));
                    }
                }
            }
        }
        let mut builder = Builder::response(answer, Class::Success, request);
        for address in &relayed {
            builder.add(Attribute::XorRelayedAddress(*address));
        }
        if request.method() == Method::ALLOCATE {
            builder.add(Attribute::XorMappedAddress(from));
            if self.refuses_ipv6 {
                let code = ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED;
                builder.add(Attribute::AddressErrorCode(AddressFamily::Ipv6, code));
            }
        }
        if [Method::ALLOCATE, Method::REFRESH].contains(&request.method()) {
            builder.add(Attribute::Lifetime(lifetime));
        }
        self.sign(&mut builder);
        builder.fingerprint();
        builder.finish().unwrap();
    }

    fn allocate(
        &mut self,
        now: Instant,
        from: SocketAddr,
        request: &Message<'_>,
        lifetime: u32,
    ) -> Vec<SocketAddr> {
        assert_eq!(request.requested_transport(), Some(17));
        self.next_port += 1;
        let both =
            request.additional_address_family().is_some() && self.knows_both && !self.refuses_ipv6;
        let six = request.requested_address_family() == Some(AddressFamily::Ipv6);
        let families: &[usize] = match self.gives {
            Some(count) => &[0, 1][..count],
            None if both => &[0, 1],
            None => &[usize::from(six)],
        };
        let relayed = families
            .iter()
            .map(|it| SocketAddr::new(self.relay[*it], self.next_port));
        let allocation = Allocation {
            relayed: relayed.collect(),
            expires: now + secs(lifetime.into()),
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
        };
        let relayed = allocation.relayed.clone();
        self.allocations.insert(from, allocation);
        relayed
    }

    /// A peer sends to the allocation of this client.
    pub(crate) fn pass_on(
        &self,
        now: Instant,
        client: SocketAddr,
        peer: SocketAddr,
        data: &[u8],
    ) -> Option<Vec<u8>> {
        if !self.is_permitted(now, client, peer.ip()) {
            return None;
        }
        let allocation = self.allocations.get(&client)?;
        let mut channels = allocation.channels.iter();
        let bound = channels.find(|(_, (other, until))| *other == peer && *until > now);
        let mut bytes = Vec::new();
        if let Some((number, _)) = bound {
            bytes.extend(number.to_be_bytes());
            bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            bytes.extend(data);
        } else {
            let id = oxirtc_stun::TransactionId::new([5; 12]);
            let mut builder = Builder::new(&mut bytes, Class::Indication, Method::DATA, id);
            builder.add(Attribute::XorPeerAddress(peer));
            builder.add(Attribute::Data(data));
            builder.finish().unwrap();
        }
        Some(bytes)
    }
}
