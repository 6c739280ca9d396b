//! Selection: on which of the valid pairs payload goes.

use std::time::{Duration, Instant};

use crate::{generation::Session, pair::PairId};

/// The pair of a session that payload is to go on, `None` without a usable one.
///
/// A pair that answers comes before one that does not, then the one that was nominated, then the one
/// that costs least and has the highest priority. Nomination is advice: what does not answer is left, in either role, as RFC 8445
/// §12.1 lets both sides send on any valid pair. Payload returns to the nominated pair when that answers
/// again and has been left for a while, so that a path that comes and goes does not take it along; and
/// so it does to a better pair than that one, where another was nominated for as long as it was away.
pub(crate) fn choose(session: &Session, now: Instant) -> Option<PairId> {
    let preferred = session.preferred(now);
    let usable = session.list.iter().filter(|pair| pair.is_usable(now));
    let best = usable.max_by_key(|pair| {
        let preferred = preferred == Some(pair.id);
        (!pair.is_suspect(now), preferred, pair.rank())
    })?;
    let current = session.usable(now).filter(|pair| !pair.is_suspect(now));
    let too_early = session.moved.is_some_and(|at| now < at + RETURN);
    match current {
        Some(current) if preferred == Some(best.id) && too_early => Some(current.id),
        _ => Some(best.id),
    }
}

/// When [`choose`] may decide otherwise without anything coming in.
pub(crate) fn reconsider(session: &Session, now: Instant) -> Option<Instant> {
    let usable = session.list.iter().filter(|pair| pair.is_usable(now));
    let suspicions = usable.filter_map(|pair| pair.suspicion());
    let back = session.moved.map(|at| at + RETURN);
    suspicions.chain(back).filter(|at| *at > now).min()
}

/// How long payload stays away from a pair that it has left.
const RETURN: Duration = Duration::from_secs(2);
