//! Messages of DNS, as far as addresses behind names need them.

use std::net::IpAddr;

use simple_dns::{
    CLASS, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE,
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
pub(crate) fn answer(name: &str, address: IpAddr, ttl: u32) -> Option<Vec<u8>> {
    let mut packet = Packet::new_reply(0);
    // RFC 6762 §10.2: nobody else has this name.
    let record = record(name, address, ttl)?.with_cache_flush(true);
    packet.answers.push(record);
    finish(packet)
}

/// The same for a resolver of the old kind, which knows it by its id and its question (RFC 6762 §6.7).
pub(crate) fn legacy_answer(id: u16, asked: &Asked, address: IpAddr) -> Option<Vec<u8>> {
    let mut packet = Packet::new_reply(id);
    let name = Name::new(&asked.name).ok()?;
    let question = Question::new(name, asked.kind, QCLASS::CLASS(CLASS::IN), false);
    packet.questions.push(question);
    packet
        .answers
        .push(record(&asked.name, address, LEGACY_TTL)?);
    finish(packet)
}

fn finish(mut packet: Packet<'_>) -> Option<Vec<u8>> {
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    packet.build_bytes_vec_compressed().ok()
}

fn record(name: &str, address: IpAddr, ttl: u32) -> Option<ResourceRecord<'_>> {
    let data = match address {
        IpAddr::V4(ip) => RData::A(A { address: ip.into() }),
        IpAddr::V6(ip) => RData::AAAA(AAAA { address: ip.into() }),
    };
    Some(ResourceRecord::new(
        Name::new(name).ok()?,
        CLASS::IN,
        ttl,
        data,
    ))
}

/// What was asked or answered.
pub(crate) enum Content {
    Questions { id: u16, asked: Vec<Asked> },
    Addresses(Vec<(String, IpAddr)>),
}

/// A question.
pub(crate) struct Asked {
    pub(crate) name: String,
    kind: QTYPE,
    /// The answer may go to who asked alone.
    pub(crate) unicast: bool,
}

impl Asked {
    /// Whether it asks for addresses of this family.
    pub(crate) fn is_for(&self, address: IpAddr) -> bool {
        let kind = match address {
            IpAddr::V4(_) => TYPE::A,
            IpAddr::V6(_) => TYPE::AAAA,
        };
        matches!(self.kind, QTYPE::ANY) || self.kind == QTYPE::TYPE(kind)
    }
}

/// Reads a message; `None` for what is none of our business.
pub(crate) fn read(bytes: &[u8]) -> Option<Content> {
    let packet = Packet::parse(bytes).ok()?;
    // RFC 6762 §18.3, §18.11: these are passed over in silence.
    if packet.opcode() != OPCODE::StandardQuery || packet.rcode() != RCODE::NoError {
        return None;
    }
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
    let asked = packet.questions.iter().take(MAX_RECORDS);
    let asked = asked.map(|question| Asked {
        name: question.qname.to_string(),
        kind: question.qtype,
        unicast: question.unicast_response,
    });
    Some(Content::Questions {
        id: packet.id(),
        asked: asked.collect(),
    })
}

/// RFC 6762 §6.7: what a resolver of the old kind may keep it for, in seconds.
const LEGACY_TTL: u32 = 10;
/// Of one message, no more is looked at.
const MAX_RECORDS: usize = 64;
