//! Certificates of either side.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;

use super::pass::Pass;
use crate::stats::{CertificateStats, StatsType};

impl Pass {
    /// A chain, that of its owner first: the id of the first. A certificate that several transports have is one object.
    pub(super) fn certificates<'a>(
        &mut self,
        chain: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> Option<String> {
        let mut issuer: Option<String> = None;
        for der in chain.rev() {
            let fingerprint = fingerprint(der);
            let base = self.stats(StatsType::Certificate, &fingerprint);
            let id = base.id.clone();
            let (algorithm, text) = ("sha-256".to_owned(), STANDARD.encode(der));
            let mut certificate = CertificateStats::new(base, fingerprint, algorithm, text);
            // A chain of the peer's may lead back into itself.
            certificate.issuer_certificate_id = issuer.filter(|issuer| *issuer != id);
            self.report.insert(certificate);
            issuer = Some(id);
        }
        issuer
    }
}

/// RFC 8122 §5: upper case, with colons.
fn fingerprint(der: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, der);
    let digit = |value: u8| char::from_digit(value.into(), 16).map(|it| it.to_ascii_uppercase());
    let mut text = String::with_capacity(3 * digest.as_ref().len());
    for byte in digest.as_ref() {
        if !text.is_empty() {
            text.push(':');
        }
        text.extend([byte >> 4, byte & 15].into_iter().filter_map(digit));
    }
    text
}
