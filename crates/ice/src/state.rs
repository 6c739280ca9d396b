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

    /// [5.6.4-02], [5.6.4-03], [5.6.4-04], [5.6.4-07]
    #[test]
    fn each_state_has_its_reason() {
        let none = Facts::default();
        let with = |fresh, complete| Facts {
            in_use: Some(InUse { fresh, complete }),
            ..none
        };
        for (facts, state) in [
            (none, State::New),
            (
                Facts {
                    known: true,
                    ..none
                },
                State::Checking,
            ),
            (
                Facts {
                    pending: true,
                    hopeless: true,
                    ..none
                },
                State::Checking,
            ),
            (
                Facts {
                    tried: true,
                    known: true,
                    ..none
                },
                State::Disconnected,
            ),
            (
                Facts {
                    tried: true,
                    restarting: true,
                    ..none
                },
                State::Checking,
            ),
            (
                Facts {
                    tried: true,
                    restarting: true,
                    hopeless: true,
                    ..none
                },
                State::Failed,
            ),
            (
                Facts {
                    hopeless: true,
                    ..none
                },
                State::Failed,
            ),
            (with(true, false), State::Connected),
            (with(true, true), State::Completed),
            (
                Facts {
                    restarting: true,
                    ..with(true, true)
                },
                State::Connected,
            ),
            (
                Facts {
                    hopeless: true,
                    ..with(false, true)
                },
                State::Disconnected,
            ),
            (
                Facts {
                    restarting: true,
                    ..with(false, true)
                },
                State::Checking,
            ),
        ] {
            assert_eq!(derive(&facts), state, "{facts:?}");
        }
    }
}
