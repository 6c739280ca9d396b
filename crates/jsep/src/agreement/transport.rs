//! One transport: what both ends say of ICE and DTLS on it.

use oxirtc_sdp::Setup;

use crate::{
    Change, Credentials, DtlsRole, Fingerprint, IceRole, TransportId, outline::Outline,
    signaling::Side,
};

/// One ICE agent and the DTLS association on it.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    pub(crate) id: TransportId,
    pub(crate) role: IceRole,
    pub(crate) local: Option<Credentials>,
    pub(crate) remote: Option<RemoteIce>,
    pub(crate) dtls: Option<Dtls>,
    /// The section that names it, since the last answer.
    pub(crate) tag: Option<usize>,
    /// What the last answer has said of our role, taken by its word.
    pub(crate) said: Option<DtlsRole>,
    /// How often the section that named it was rejected.
    pub(crate) moves: u32,
}

/// The peer's half of ICE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteIce {
    pub(crate) credentials: Credentials,
    pub(crate) lite: bool,
    /// It sends candidates after its description (RFC 8840 §4.1.3).
    pub(crate) trickle: bool,
    /// It reads numbers of nominations.
    pub(crate) renomination: bool,
    /// Our own ufrag that they go with: a restart of ours names the peer's credentials anew.
    pub(crate) local_ufrag: String,
}

/// The parameters of a DTLS association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dtls {
    pub(crate) role: DtlsRole,
    pub(crate) fingerprints: Vec<Fingerprint>,
    pub(crate) tls_id: Option<String>,
    /// Counts the associations of the transport.
    pub(crate) number: u32,
}

impl Transport {
    pub(crate) fn new(id: TransportId, role: IceRole) -> Self {
        Self {
            id,
            role,
            local: None,
            remote: None,
            dtls: None,
            tag: None,
            said: None,
            moves: 0,
        }
    }

    /// An offer of ours: the section that names it may be rejected.
    pub(crate) fn offer_tag(&mut self, offer: &Outline) {
        let rejected = self.tag.and_then(|it| offer.entry(it));
        if rejected.is_some_and(|it| it.rejected) {
            self.moves += 1;
            self.said = None;
        }
    }

    /// The section `key` names it from this answer on.
    pub(crate) fn set_tag(&mut self, key: usize, answer: &Outline) {
        let rejected = |it: usize| answer.entry(it).is_none_or(|entry| entry.rejected);
        let moved = self.tag.is_some_and(|tag| tag != key && rejected(tag));
        self.moves += u32::from(moved);
        self.tag = Some(key);
    }

    /// Sets what both descriptions say of it in the section `key`. `side` has answered.
    pub(crate) fn configure(
        &mut self,
        key: usize,
        side: Side,
        (local, remote): (&Outline, &Outline),
    ) {
        self.local = local.credentials(key);
        let local_ufrag = self.local.as_ref().map(|it| it.ufrag.clone());
        let local_ufrag = local_ufrag.unwrap_or_default();
        let before = self.remote.take();
        self.remote = remote.credentials(key).map(|credentials| {
            // what was said with the credentials counts as long as they do
            let same =
                |it: &RemoteIce| it.credentials == credentials && it.local_ufrag == local_ufrag;
            let told = before.filter(same);
            let told = told.map(|it| (it.trickle, it.renomination));
            let (trickle, renomination) =
                told.unwrap_or_else(|| (remote.can_trickle(), remote.renominates(key)));
            RemoteIce {
                lite: remote.is_lite(),
                trickle,
                renomination,
                credentials,
                local_ufrag,
            }
        });
        let (answer, offer) = match side {
            Side::Local => (local, remote),
            Side::Remote => (remote, local),
        };
        let answerer = answerer_role(answer.setup(key), offer.setup(key));
        let role = match (side, answerer) {
            (Side::Local, role) => role,
            (Side::Remote, DtlsRole::Client) => DtlsRole::Server,
            (Side::Remote, DtlsRole::Server) => DtlsRole::Client,
        };
        self.said = Some(role);
        let mut dtls = Dtls {
            role,
            fingerprints: remote.fingerprints(key).to_vec(),
            tls_id: remote.tls_id(key).map(str::to_owned),
            number: 0,
        };
        if let Some(before) = &self.dtls {
            // RFC 8842 §5.3 has an answerer repeat its role. Firefox answers each offer with `active`,
            // also where it is the server, and keeps its association.
            let turned = Dtls {
                role: before.role,
                ..dtls.clone()
            };
            if side == Side::Remote && !is_new_association(before, &turned) {
                dtls = turned;
            }
            dtls.number = before.number + u32::from(is_new_association(before, &dtls));
        }
        self.dtls = Some(dtls);
    }

    pub(crate) fn changes_since(
        &self,
        old: Option<&Self>,
        restored: bool,
        changes: &mut Vec<Change>,
    ) {
        let transport = self.id;
        let local = |restored| {
            Some(Change::LocalIce {
                transport,
                credentials: self.local.clone()?,
                restored,
            })
        };
        let renewed = old.and_then(|it| it.local.as_ref()) != self.local.as_ref();
        changes.extend(local(restored).filter(|_| renewed));
        let before = old.and_then(|it| it.remote.as_ref());
        if let Some(remote) = &self.remote
            && before != Some(remote)
        {
            changes.push(Change::RemoteIce {
                transport,
                credentials: remote.credentials.clone(),
                lite: remote.lite,
                trickle: remote.trickle,
                renomination: remote.renomination,
            });
            // The peer restarts alone, as another fork or another server behind it does: our half of the
            // new generation is the one that we have.
            let alone = before.is_some_and(|it| it.local_ufrag == remote.local_ufrag);
            changes.extend(local(restored).filter(|_| alone));
        }
        let before = old.and_then(|it| it.dtls.as_ref());
        let Some(dtls) = &self.dtls else {
            return;
        };
        let (role, fingerprints) = (dtls.role, dtls.fingerprints.clone());
        if before.is_none_or(|it| it.number != dtls.number) {
            changes.push(Change::Dtls {
                transport,
                role,
                fingerprints,
            });
        } else if old.is_some_and(|it| it.moves < self.moves) {
            changes.push(Change::TagMoved {
                transport,
                role: self.said,
                fingerprints,
            });
        }
    }
}

fn answerer_role(answer: Option<Setup>, offer: Option<Setup>) -> DtlsRole {
    match (answer, offer) {
        // RFC 5763 §5: an answer that says nothing is active, unless the offer has taken that
        (Some(Setup::Passive), _) | (None, Some(Setup::Active)) => DtlsRole::Server,
        _ => DtlsRole::Client,
    }
}

// RFC 8842 §4: other fingerprints, other roles, or another tls-id
fn is_new_association(old: &Dtls, new: &Dtls) -> bool {
    let sorted = |dtls: &Dtls| {
        let mut list = dtls.fingerprints.clone();
        list.sort();
        list.dedup();
        list
    };
    let renamed = old.tls_id.is_some() && new.tls_id.is_some() && old.tls_id != new.tls_id;
    old.role != new.role || renamed || sorted(old) != sorted(new)
}
