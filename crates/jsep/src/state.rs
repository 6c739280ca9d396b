//! What a description changes as a whole.

use std::{iter, sync::Arc};

use oxirtc_sdp::Session;

use crate::{
    Config, Credentials, Error, SdpType, SignalingState, TransportId,
    agreement::{Agreement, Next, Plan},
    outline::Outline,
    signaling::Side,
    validate,
};

/// What a description changes: it is copied, changed, and replaced as a whole, or not at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) signaling: SignalingState,
    pub(crate) current_local: Option<Arc<Applied>>,
    pub(crate) pending_local: Option<Arc<Applied>>,
    pub(crate) current_remote: Option<Arc<Applied>>,
    pub(crate) pending_remote: Option<Arc<Applied>>,
    pub(crate) agreement: Agreement,
    /// The agreement of the last stable state while an exchange is open: where a rollback goes.
    stable: Option<Arc<Agreement>>,
    pub(crate) next: Next,
}

/// A description that was read, and is applied or is to be.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) kind: SdpType,
    pub(crate) session: Session,
    pub(crate) outline: Outline,
    /// What sections of ours were written for.
    pub(crate) plan: Vec<Plan>,
}

impl Applied {
    /// # Errors
    ///
    /// [`Error::SdpSyntax`] when the text breaks the grammar, [`Error::InvalidAccess`] when its sections
    /// contradict each other.
    pub(crate) fn read(kind: SdpType, sdp: &str) -> Result<Self, Error> {
        let session = Session::parse(sdp)?;
        let outline = Outline::new(&session, kind)?;
        Ok(Self {
            kind,
            session,
            outline,
            plan: Vec::new(),
        })
    }
}

impl State {
    /// The remote description: the pending one, else the current one.
    pub(crate) fn remote(&self) -> Option<&Arc<Applied>> {
        let pending = self.pending_remote.as_ref();
        pending.or(self.current_remote.as_ref())
    }

    /// The descriptions of one side that are in force.
    pub(crate) fn applied(&self, side: Side) -> impl Iterator<Item = &Applied> {
        let (current, pending) = match side {
            Side::Local => (&self.current_local, &self.pending_local),
            Side::Remote => (&self.current_remote, &self.pending_remote),
        };
        let both = [current, pending].into_iter();
        both.filter_map(|it| it.as_deref())
    }

    /// The agreement that an open exchange is to change, else the one in force.
    pub(crate) fn stable(&self) -> &Agreement {
        self.stable.as_deref().unwrap_or(&self.agreement)
    }

    /// All agreements that may come into force.
    pub(crate) fn agreements_mut(&mut self) -> impl Iterator<Item = &mut Agreement> {
        let stable = self.stable.as_mut().map(Arc::make_mut);
        iter::once(&mut self.agreement).chain(stable)
    }

    /// The transport of the bundle group that both ends have agreed on.
    // RFC 9143 §7.5: what is new joins it under its address
    pub(crate) fn bundle(&self) -> Option<TransportId> {
        let remote = &self.current_remote.as_ref()?.outline;
        let bundled = |index: &usize| remote.entry(*index).is_some_and(|it| it.bundle.is_some());
        let stable = self.stable();
        let mut sections = (0..stable.sections.len()).filter(bundled);
        sections.find_map(|index| stable.carrier(index))
    }

    /// Back to the last stable state.
    pub(crate) fn roll_back(&mut self) {
        self.pending_local = None;
        self.pending_remote = None;
        if let Some(stable) = self.stable.take() {
            self.agreement.roll_back(Arc::unwrap_or_clone(stable));
        }
        self.signaling = SignalingState::Stable;
    }

    /// Puts a description into its slot and applies it, if it can be accepted.
    pub(crate) fn take(
        &mut self,
        side: Side,
        applied: Applied,
        config: &Config,
    ) -> Result<(), Error> {
        let applied = Arc::new(applied);
        if side == Side::Remote {
            validate::remote(&applied.outline, applied.kind)?;
        }
        if applied.kind == SdpType::Offer {
            self.offer(side, &applied, config)?;
        } else {
            self.answer(side, &applied)?;
        }
        match (side, applied.kind) {
            (Side::Local, SdpType::Answer) => {
                self.current_remote = self.pending_remote.take();
                self.current_local = Some(applied);
                self.pending_local = None;
            }
            (Side::Remote, SdpType::Answer) => {
                self.current_local = self.pending_local.take();
                self.current_remote = Some(applied);
                self.pending_remote = None;
            }
            (Side::Local, _) => self.pending_local = Some(applied),
            (Side::Remote, _) => self.pending_remote = Some(applied),
        }
        Ok(())
    }

    fn offer(&mut self, side: Side, offer: &Applied, config: &Config) -> Result<(), Error> {
        let outline = &offer.outline;
        validate::continues(outline, &self.agreement.sections)?;
        let now = || Arc::new(self.agreement.clone());
        let stable = self.stable.clone().unwrap_or_else(now);
        let described = (outline, offer.plan.as_slice());
        self.agreement
            .propose(side, described, (&stable, config), &mut self.next);
        self.stable = Some(stable);
        Ok(())
    }

    fn answer(&mut self, side: Side, answer: &Applied) -> Result<(), Error> {
        let offer = match side {
            Side::Local => &self.pending_remote,
            Side::Remote => &self.pending_local,
        };
        let offer = offer.as_ref();
        let offer = offer.ok_or(Error::InvalidState("there is no offer to answer"))?;
        validate::answers(&answer.outline, &offer.outline)?;
        let outlines = (&answer.outline, &offer.outline);
        let stable = self.stable.as_deref();
        self.agreement
            .conclude((side, answer.kind), outlines, stable);
        if answer.kind == SdpType::Answer {
            self.stable = None;
        }
        Ok(())
    }

    /// Our ufrags and passwords that stand in the current and the pending local description.
    pub(crate) fn local_credentials(&self) -> Vec<Credentials> {
        let mut all = Vec::new();
        for applied in self.applied(Side::Local) {
            for (index, entry) in applied.outline.entries.iter().enumerate() {
                if let Some(credentials) = applied.outline.credentials(index)
                    && !entry.rejected
                    && !all.contains(&credentials)
                {
                    all.push(credentials);
                }
            }
        }
        all
    }
}
