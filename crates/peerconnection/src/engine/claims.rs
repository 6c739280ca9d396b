//! Which transport of a connection has a path: on a shared port two of them may have one, as that stands at both ends.

use std::collections::BTreeMap;

use super::ids::TransportId;
use crate::Path;

/// Who uses which path. It is as long as the lists of pairs of the transports.
#[derive(Default)]
pub(super) struct Claims {
    flows: BTreeMap<Path, Flow>,
    /// What transports are to be told.
    verdicts: Vec<(TransportId, Path, Verdict)>,
}

#[derive(Default)]
struct Flow {
    users: Vec<TransportId>,
    /// Those whose peer has answered there, the first of which has the path.
    claimants: Vec<TransportId>,
}

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The path is another transport's.
    Taken,
    /// It is this one's from now on.
    Granted,
}

impl Claims {
    /// A request of its peer has come there.
    pub(super) fn reserve(&mut self, id: TransportId, path: Path) {
        let users = &mut self.flows.entry(path).or_default().users;
        if !users.contains(&id) {
            users.push(id);
        }
    }

    /// Its peer has answered from there. Whether the connection has the path from now on, which it has had when another transport has
    /// it: payload names no transport, and stays with the first.
    pub(super) fn claim(&mut self, id: TransportId, path: Path) -> bool {
        self.reserve(id, path);
        let claimants = &mut self.flows.entry(path).or_default().claimants;
        if !claimants.contains(&id) {
            claimants.push(id);
        }
        let first = claimants.first() == Some(&id);
        if !first {
            self.verdicts.push((id, path, Verdict::Taken));
        }
        first
    }

    /// The transport has let go of the path. Whether the connection has, too.
    pub(super) fn release(&mut self, id: TransportId, path: Path) -> bool {
        let Some(flow) = self.flows.get_mut(&path) else {
            return true;
        };
        let had = flow.claimants.first() == Some(&id);
        flow.users.retain(|it| *it != id);
        flow.claimants.retain(|it| *it != id);
        let heir = flow.claimants.first().copied();
        if let Some(heir) = heir.filter(|_| had) {
            self.verdicts.push((heir, path, Verdict::Granted));
        }
        let free = heir.is_none() && (had || flow.users.is_empty());
        if flow.users.is_empty() {
            self.flows.remove(&path);
        }
        free
    }

    /// The transport is gone: the paths that the connection has let go of.
    pub(super) fn forget(&mut self, id: TransportId) -> Vec<Path> {
        let flows = self.flows.iter();
        let used = flows.filter(|(_, flow)| flow.users.contains(&id));
        let mut paths: Vec<Path> = used.map(|(path, _)| *path).collect();
        paths.retain(|path| self.release(id, *path));
        self.verdicts.retain(|(of, ..)| *of != id);
        paths
    }

    /// The transport that has this path, of those that claim it.
    pub(super) fn owner(&self, path: Path) -> Option<TransportId> {
        self.flows.get(&path)?.claimants.first().copied()
    }

    /// What transports are to be told.
    pub(super) fn take_verdicts(&mut self) -> Vec<(TransportId, Path, Verdict)> {
        std::mem::take(&mut self.verdicts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TransportId = TransportId(1);
    const B: TransportId = TransportId(2);

    fn path(port: u16) -> Path {
        let at = |port| ([127, 0, 0, 1], port).into();
        Path::udp(at(9), at(port))
    }

    /// The first has it until it lets go; the connection lets go of it with the last.
    #[test]
    fn a_path_is_one_transports() {
        let mut claims = Claims::default();
        claims.reserve(B, path(1));
        assert!(claims.claim(A, path(1)) && claims.claim(A, path(1)));
        assert!(claims.take_verdicts().is_empty());
        assert!(!claims.claim(B, path(1)));
        assert_eq!(claims.take_verdicts(), [(B, path(1), Verdict::Taken)]);
        assert_eq!(claims.owner(path(1)), Some(A));
        assert!(claims.claim(B, path(2)));
        assert!(!claims.release(A, path(1)), "the other one has it");
        assert_eq!(claims.take_verdicts(), [(B, path(1), Verdict::Granted)]);
        assert_eq!(claims.owner(path(1)), Some(B));
        assert!(claims.release(B, path(1)));
        assert_eq!(claims.owner(path(1)), None);
        assert_eq!(claims.flows.len(), 1);
    }

    /// Who was refused takes nothing along when it goes, and who is gone is granted nothing.
    #[test]
    fn who_is_gone_has_nothing() {
        let mut claims = Claims::default();
        claims.claim(A, path(1));
        claims.claim(B, path(1));
        claims.claim(B, path(2));
        claims.take_verdicts();
        assert_eq!(claims.forget(B), [path(2)]);
        assert_eq!(claims.owner(path(1)), Some(A));
        assert_eq!(claims.forget(A), [path(1)]);
        assert!(claims.take_verdicts().is_empty() && claims.flows.is_empty());
    }

    /// A reservation is given up with the last that had one, and with the path when who has it goes.
    #[test]
    fn reservations_are_shared() {
        let mut claims = Claims::default();
        claims.reserve(A, path(1));
        claims.reserve(B, path(1));
        assert!(!claims.release(A, path(1)));
        assert!(claims.release(B, path(1)));
        claims.reserve(A, path(1));
        claims.claim(B, path(1));
        assert!(!claims.release(A, path(1)), "it is used");
        assert!(claims.release(B, path(1)));
    }
}
