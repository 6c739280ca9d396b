//! Messages of DNS, as far as addresses behind names need them.

use std::net::IpAddr;

use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE,
    rdata::{A, AAAA, RData},
};

/// The questions for the addresses of a name.
pub(crate) fn question(name: &str) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(0);
    for kind in [TYPE::A, TYPE::AAAA] {
        let (kind, class) = (QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN));
        // RFC 6762 §15.1: an answer to port 5353 alone may reach another program of this machine.
        let question = Question::new(Name::new(name).ok()?, kind, class, false);
        packet.questions.push(question);
    }
    packet.build_bytes_vec_compressed().ok()
}

/// An answer: this name has this address for so many seconds.
pub(crate) fn answer(id: u16, name: &str, address: IpAddr, ttl: u32) -> Option<Vec<u8>> {
    let mut packet = Packet::new_reply(id);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    let data = match address {
        IpAddr::V4(ip) => RData::A(A { address: ip.into() }),
        IpAddr::V6(ip) => RData::AAAA(AAAA { address: ip.into() }),
    };
    let record = ResourceRecord::new(Name::new(name).ok()?, CLASS::IN, ttl, data);
    // RFC 6762 §10.2: nobody else has this name.
    packet.answers.push(record.with_cache_flush(true));
    packet.build_bytes_vec_compressed().ok()
}

/// What was asked or answered.
pub(crate) enum Content {
    Questions { id: u16, asked: Vec<Asked> },
    Addresses(Vec<(String, IpAddr)>),
}

/// A question.
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    /// The answer may go to who asked alone.
    pub(crate) unicast: bool,
}

/// Reads a message; `None` for what is none of our business.
pub(crate) fn read(bytes: &[u8]) -> Option<Content> {
    let packet = Packet::parse(bytes).ok()?;
    if packet.has_flags(PacketFlag::RESPONSE) {
        let records = packet.answers.iter().chain(&packet.additional_records);
        let living = records.filter(|record| record.class == CLASS::IN && record.ttl > 0);
        let addresses = living.filter_map(|record| {
            let address = match &record.rdata {
                RData::A(a) => IpAddr::V4(a.address.into()),
                RData::AAAA(aaaa) => IpAddr::V6(aaaa.address.into()),
                _ => return None,
            };
            Some((record.name.to_string(), address))
        });
        return Some(Content::Addresses(addresses.take(MAX_RECORDS).collect()));
    }
    let asked = packet.questions.iter().take(MAX_RECORDS).map(|question| {
        let is = |kind: TYPE| {
            matches!(question.qtype, QTYPE::ANY) || question.qtype == QTYPE::TYPE(kind)
        };
        Asked {
            name: question.qname.to_string(),
            ipv4: is(TYPE::A),
            ipv6: is(TYPE::AAAA),
            unicast: question.unicast_response,
        }
    });
    Some(Content::Questions {
        id: packet.id(),
        asked: asked.collect(),
    })
}

/// Of one message, no more is looked at.
const MAX_RECORDS: usize = 64;
