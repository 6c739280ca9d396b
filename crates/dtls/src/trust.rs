use crate::{Fingerprint, Peer, fingerprint};

/// The one thing that says who the peer is: its certificate against the fingerprints that came by the
/// signalling, or what the owner thinks of it. Nothing leaves the crate before there is a [`Trusted`].
#[derive(Default)]
pub(crate) struct Trust {
    peer: Peer,
    expected: Option<Vec<Fingerprint>>,
    /// What the owner said.
    accepted: Option<bool>,
    chain: Vec<Vec<u8>>,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The certificate, or what judges it, is not here yet.
    #[default]
    Open,
    Verified(Trusted),
    Mismatch,
}

/// The peer's certificate is the right one. Made by [`Trust::check_leaf`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trusted(());

impl Trust {
    pub(crate) fn new(peer: Peer) -> Self {
        let mut trust = Self {
            peer,
            ..Self::default()
        };
        trust.decide();
        trust
    }

    pub(crate) fn set_expected(&mut self, fingerprints: &[Fingerprint]) -> Verdict {
        self.expected = Some(fingerprints.to_vec());
        self.decide()
    }

    /// The owner's word counts where he judges, and for what he has seen.
    pub(crate) fn set_accepted(&mut self, accepted: bool) -> Verdict {
        if self.peer == Peer::Owner && !self.chain.is_empty() {
            self.accepted = Some(accepted);
        }
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

    /// Whether the owner has something to judge.
    pub(crate) fn asks_owner(&self) -> bool {
        self.peer == Peer::Owner && !self.chain.is_empty() && self.accepted.is_none()
    }

    /// Judges a certificate, as far as that is possible yet.
    pub(crate) fn check_leaf(&self, leaf: &[u8]) -> Verdict {
        let fits = match self.peer {
            Peer::Fingerprints => {
                let fits = |expected: &Vec<_>| fingerprint::matches(expected, leaf);
                self.expected.as_ref().map(fits)
            }
            Peer::Owner => self.accepted,
            Peer::Nobody => Some(true),
        };
        match fits {
            Some(true) => Verdict::Verified(Trusted(())),
            Some(false) => Verdict::Mismatch,
            None => Verdict::Open,
        }
    }

    fn decide(&mut self) -> Verdict {
        self.verdict = match self.chain.first() {
            Some(leaf) => self.check_leaf(leaf),
            // Who is not asked shows nothing.
            None if self.peer == Peer::Nobody => self.check_leaf(&[]),
            None => Verdict::Open,
        };
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(verdict: Verdict) -> bool {
        matches!(verdict, Verdict::Verified(_))
    }

    /// The owner can neither judge what he has not seen nor where others judge.
    #[test]
    fn the_owners_word_counts_where_he_judges() {
        let mut owner = Trust::new(Peer::Owner);
        assert_eq!(owner.set_accepted(true), Verdict::Open);
        owner.set_chain(vec![vec![5]]);
        assert_eq!(owner.chain(), [[5]]);
        assert!(owner.trusted().is_none() && owner.asks_owner());
        assert_eq!(owner.set_expected(&[]), Verdict::Open);
        assert_eq!(owner.set_accepted(false), Verdict::Mismatch);
        assert!(verified(owner.set_accepted(true)) && !owner.asks_owner());

        let mut announced = Trust::new(Peer::Fingerprints);
        announced.set_chain(vec![vec![1]]);
        assert_eq!(announced.set_accepted(true), Verdict::Open);
        assert!(!announced.asks_owner());
        assert_eq!(announced.set_expected(&[]), Verdict::Mismatch);
        assert!(Trust::new(Peer::Fingerprints).trusted().is_none());
        assert!(Trust::new(Peer::Nobody).trusted().is_some());
    }
}
