//! The state of the transport, out of what is true of all generations together.

use crate::State;

/// What the state depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// The pair that payload goes on, if there is one.
    pub(crate) in_use: Option<InUse>,
    /// A check may still find a pair.
    pub(crate) pending: bool,
    /// A generation that is to replace another one has no pair yet, or is not answered yet.
    pub(crate) restarting: bool,
    /// Nothing can come any more.
    pub(crate) hopeless: bool,
    /// There were pairs.
    pub(crate) tried: bool,
    /// Something is known of the peer.
    pub(crate) known: bool,
}

/// What the state depends on where payload may flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InUse {
    /// No check of it has been unanswered for five seconds.
    pub(crate) fresh: bool,
    /// It is nominated, both sides have told all candidates, and nothing better is being checked.
    pub(crate) complete: bool,
}

/// The rules of `RTCIceTransportState` (W3C §5.6.4).
pub(crate) fn derive(facts: &Facts) -> State {
    match facts.in_use {
        Some(it) if it.fresh && it.complete && !facts.restarting => State::Completed,
        Some(it) if it.fresh => State::Connected,
        Some(_) if facts.restarting => State::Checking,
        Some(_) => State::Disconnected,
        None if facts.pending => State::Checking,
        None if facts.hopeless => State::Failed,
        None if facts.restarting => State::Checking,
        None if facts.tried => State::Disconnected,
        None if facts.known => State::Checking,
        None => State::New,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cases: &[(Facts, State)]) {
        for (facts, state) in cases {
            assert_eq!(derive(facts), *state, "{facts:?}");
        }
    }

    fn facts(
        pending: bool,
        restarting: bool,
        hopeless: bool,
        (tried, known): (bool, bool),
    ) -> Facts {
        Facts {
            in_use: None,
            pending,
            restarting,
            hopeless,
            tried,
            known,
        }
    }

    /// [5.6.4-03], [5.6.4-04]
    #[test]
    fn without_a_pair_it_depends_on_what_may_come() {
        check(&[
            (Facts::default(), State::New),
            (facts(false, false, false, (false, true)), State::Checking),
            (facts(true, false, true, (true, true)), State::Checking),
            (
                facts(false, false, false, (true, true)),
                State::Disconnected,
            ),
            (facts(false, true, false, (true, true)), State::Checking),
            (facts(false, true, true, (true, true)), State::Failed),
            (facts(false, false, true, (false, true)), State::Failed),
        ]);
    }

    /// [5.6.4-02], [5.6.4-07]
    #[test]
    fn with_a_pair_it_depends_on_the_pair() {
        let with = |fresh, complete, restarting| Facts {
            in_use: Some(InUse { fresh, complete }),
            ..facts(true, restarting, true, (true, true))
        };
        check(&[
            (with(true, false, false), State::Connected),
            (with(true, true, false), State::Completed),
            (with(true, true, true), State::Connected),
            (with(false, true, false), State::Disconnected),
            (with(false, true, true), State::Checking),
        ]);
    }
}
