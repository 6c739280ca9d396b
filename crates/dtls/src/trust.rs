use crate::{Fingerprint, fingerprint};

/// The one thing that says who the peer is: its certificate against the fingerprints that came by the
/// signalling. Nothing leaves the crate before there is a [`Trusted`].
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
    Verified(Trusted),
    Mismatch,
}

/// The peer's certificate has an expected fingerprint. Made by [`Trust::check_leaf`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trusted(());

impl Trust {
    pub(crate) fn set_expected(&mut self, fingerprints: &[Fingerprint]) -> Verdict {
        self.expected = Some(fingerprints.to_vec());
        self.decide()
    }

    pub(crate) fn set_chain(&mut self, chain: Vec<Vec<u8>>) {
        self.chain = chain;
        self.decide();
    }

    /// The proof, once there is one.
    pub(crate) fn trusted(&self) -> Option<Trusted> {
        match self.verdict {
            Verdict::Verified(trusted) => Some(trusted),
            Verdict::Open | Verdict::Mismatch => None,
        }
    }

    pub(crate) fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Holds a certificate against what is expected, if that is known.
    pub(crate) fn check_leaf(&self, leaf: &[u8]) -> Verdict {
        match &self.expected {
            Some(expected) if fingerprint::matches(expected, leaf) => {
                Verdict::Verified(Trusted(()))
            }
            Some(_) => Verdict::Mismatch,
            None => Verdict::Open,
        }
    }

    fn decide(&mut self) -> Verdict {
        let leaf = self.chain.first();
        self.verdict = leaf.map_or(Verdict::Open, |leaf| self.check_leaf(leaf));
        self.verdict
    }
}
