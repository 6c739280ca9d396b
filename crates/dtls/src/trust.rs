use crate::{Fingerprint, fingerprint};

/// The one thing that says who the peer is: its certificate against the fingerprints that came by the
/// signalling. Nothing leaves the crate before [`Trust::is_verified`].
#[derive(Default)]
pub(crate) struct Trust {
    expected: Option<Vec<Fingerprint>>,
    chain: Vec<Vec<u8>>,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The certificate or the fingerprints are not here yet.
    #[default]
    Open,
    Verified,
    Mismatch,
}

impl Trust {
    pub(crate) fn set_expected(&mut self, fingerprints: &[Fingerprint]) -> Verdict {
        self.expected = Some(fingerprints.to_vec());
        self.judge()
    }

    pub(crate) fn set_chain(&mut self, chain: &[&[u8]]) -> Verdict {
        self.chain = chain.iter().map(|der| der.to_vec()).collect();
        self.judge()
    }

    pub(crate) fn is_verified(&self) -> bool {
        self.verdict == Verdict::Verified
    }

    pub(crate) fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    fn judge(&mut self) -> Verdict {
        self.verdict = match (&self.expected, self.chain.first()) {
            (Some(expected), Some(leaf)) if fingerprint::matches(expected, leaf) => {
                Verdict::Verified
            }
            (Some(_), Some(_)) => Verdict::Mismatch,
            _ => Verdict::Open,
        };
        self.verdict
    }
}
