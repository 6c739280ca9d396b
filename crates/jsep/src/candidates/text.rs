//! Descriptions with the candidates that came after them.

use std::{collections::HashSet, net::IpAddr};

use oxirtc_sdp::{Address, Candidate, CandidateKind, Session, Transport};

use crate::outline::Entry;

/// A description being copied, section by section.
pub(super) struct Text<'a> {
    session: &'a Session,
    text: String,
}

impl<'a> Text<'a> {
    pub(super) fn new(session: &'a Session) -> Self {
        let mut text = Self {
            session,
            text: String::with_capacity(session.as_str().len() + 512),
        };
        let header = session.header();
        header
            .lines()
            .for_each(|line| text.line(line.kind, line.value));
        text
    }

    /// Copies a section and adds what it does not have yet: candidates, and the end of them. Where its own
    /// ones are given, their default address takes the place of its address.
    pub(super) fn section(
        &mut self,
        index: usize,
        entry: &Entry,
        own: Option<&[Candidate]>,
        (candidates, complete): (&[Candidate], bool),
    ) {
        let Some(media) = self.session.media_at(index) else {
            return;
        };
        let default = own.and_then(default);
        for line in media.lines() {
            match (line.kind, default) {
                // RFC 9429 §5.2.2: the address of the default candidate
                ('m', Some((_, port))) if media.port() != 0 => {
                    let formats = media.formats().collect::<Vec<_>>().join(" ");
                    let value = format!("{} {port} {} {formats}", media.media(), media.protocol());
                    self.line('m', &value);
                }
                ('c', Some((IpAddr::V4(address), _))) => {
                    self.line('c', &format!("IN IP4 {address}"));
                }
                ('c', Some((IpAddr::V6(address), _))) => {
                    self.line('c', &format!("IN IP6 {address}"));
                }
                _ => self.line(line.kind, line.value),
            }
        }
        let present: HashSet<_> = entry.candidates().iter().collect();
        for candidate in candidates.iter().filter(|it| !present.contains(it)) {
            // what a peer sent is never copied: it is written as it was understood
            self.line('a', &candidate.to_string());
        }
        if complete && !entry.has_ended() {
            self.line('a', "end-of-candidates");
        }
    }

    fn line(&mut self, kind: char, value: &str) {
        self.text.push(kind);
        self.text.push('=');
        self.text.push_str(value);
        self.text.push_str("\r\n");
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// The default candidate: the one most likely to be reached (RFC 8839 §4.2.1.2).
fn default(candidates: &[Candidate]) -> Option<(IpAddr, u16)> {
    let rank = |candidate: &Candidate, ip: &IpAddr| {
        let kind = match candidate.kind {
            CandidateKind::Relayed => 3,
            CandidateKind::ServerReflexive => 2,
            _ => 1,
        };
        (kind, ip.is_ipv4(), candidate.priority)
    };
    candidates
        .iter()
        .filter(|it| it.transport == Transport::Udp && it.component == 1)
        .filter_map(|it| match it.address {
            Address::Ip(ip) => Some((rank(it, &ip), (ip, it.port))),
            // RFC 8839 §4.2.1.2 wants an address, and a name hides one
            Address::Name(_) | Address::Other(_) => None,
        })
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, address)| address)
}
