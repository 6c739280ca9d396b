//! What the agents of one connection share: the role, its tie-breaker, and the pace of checks.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::{Config, Role};

/// The checklist set of a connection (RFC 8445 §2, §6.1.1): one role, one tie-breaker and one pacing
/// timer for all of its transports.
///
/// The owner of the agents keeps one and lends it to each call of an agent that may check, answer or
/// time out. When [`epoch`](Self::epoch) has changed after a call, a role conflict was found: all agents
/// are then to be given [`Agent::handle_timeout`](crate::Agent::handle_timeout), which recomputes their
/// priorities.
pub struct ChecklistSet {
    role: Role,
    tie_breaker: u64,
    pacing: Duration,
    next_check: Option<Instant>,
    epoch: u32,
    random: ChaCha20Rng,
    members: Vec<Member>,
    joined: u64,
    /// The member that used the token last.
    last: usize,
}

/// An agent of the set.
struct Member {
    id: MemberId,
    /// When it has something to check.
    ready: Option<Instant>,
}

/// Names an agent within its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberId(u64);

impl ChecklistSet {
    /// A set with the role of a controlled one. `seed` makes its tie-breakers: it must come from a secure
    /// generator and be used once. Pacing and the first tie-breaker are those of `config`.
    pub fn new(config: &Config, seed: [u8; 32]) -> Self {
        let mut random = ChaCha20Rng::from_seed(seed);
        let tie_breaker = config.tie_breaker.unwrap_or_else(|| random.next_u64());
        Self {
            role: Role::Controlled,
            tie_breaker,
            pacing: config.pacing,
            next_check: None,
            epoch: 0,
            random,
            members: Vec::new(),
            joined: 0,
            last: 0,
        }
    }

    /// The role of all agents of the connection.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Takes a role: the side that offered first controls, unless the other one is lite.
    pub fn set_role(&mut self, role: Role) {
        if self.role != role {
            self.role = role;
            self.epoch = self.epoch.wrapping_add(1);
        }
    }

    /// How often the role has changed.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(crate) fn is_controlling(&self) -> bool {
        self.role == Role::Controlling
    }

    pub(crate) fn tie_breaker(&self) -> u64 {
        self.tie_breaker
    }

    pub(crate) fn pacing(&self) -> Duration {
        self.pacing
    }

    /// Takes the other role. Who was told so by an answer draws a new tie-breaker.
    pub(crate) fn turn_role(&mut self, told: bool) {
        self.set_role(match self.role {
            Role::Controlling => Role::Controlled,
            Role::Controlled => Role::Controlling,
        });
        if told {
            // RFC 8445 §7.2.5.1
            self.tie_breaker = self.random.next_u64();
        }
    }

    pub(crate) fn join(&mut self) -> MemberId {
        let id = MemberId(self.joined);
        self.joined += 1;
        self.members.push(Member { id, ready: None });
        id
    }

    pub(crate) fn leave(&mut self, id: MemberId) {
        self.members.retain(|member| member.id != id);
    }

    /// Notes when this agent has something to check.
    pub(crate) fn set_ready(&mut self, id: MemberId, ready: Option<Instant>) {
        if let Some(member) = self.members.iter_mut().find(|member| member.id == id) {
            member.ready = ready;
        }
    }

    /// The first moment at which a check may go out.
    pub(crate) fn token(&self, now: Instant) -> Instant {
        self.next_check.map_or(now, |at| at.max(now))
    }

    /// Whether the token of Ta is there and this agent's turn has come: turns go round over the agents
    /// that have something to check.
    pub(crate) fn may_take(&self, now: Instant, id: MemberId) -> bool {
        if self.next_check.is_some_and(|at| now < at) {
            return false;
        }
        let count = self.members.len();
        let order = (1..=count).map(|step| (self.last + step) % count.max(1));
        let mut waiting = order
            .filter_map(|at| self.members.get(at))
            .filter(|member| member.id == id || member.ready.is_some_and(|ready| ready <= now));
        waiting.next().is_some_and(|first| first.id == id)
    }

    /// Uses the token.
    pub(crate) fn take(&mut self, now: Instant, id: MemberId) {
        self.next_check = Some(now + self.pacing);
        if let Some(at) = self.members.iter().position(|member| member.id == id) {
            self.last = at;
        }
    }
}

impl std::fmt::Debug for ChecklistSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChecklistSet")
            .field("role", &self.role)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> ChecklistSet {
        ChecklistSet::new(&Config::default(), [1; 32])
    }

    /// RFC 8445 §6.1.4.2: one check in Ta over all check lists, in turn.
    #[test]
    fn turns_go_round() {
        let now = oxirtc_netsim::epoch();
        let mut set = set();
        let [one, two, three] = [(); 3].map(|()| set.join());
        set.set_ready(one, Some(now));
        set.set_ready(three, Some(now));
        assert!(
            !set.may_take(now, one),
            "the first turn is not the first member's"
        );
        assert!(set.may_take(now, two), "who has something now may say so");
        assert!(set.may_take(now, three) && !set.may_take(now, one));
        set.take(now, three);
        assert!(!set.may_take(now, one), "one in Ta");
        let later = now + set.pacing();
        assert!(set.may_take(later, one) && !set.may_take(later, three));
        set.leave(one);
        assert!(set.may_take(later, three));
    }

    #[test]
    fn a_conflict_turns_the_role_once() {
        let mut set = set();
        let tie_breaker = set.tie_breaker();
        set.turn_role(false);
        assert_eq!((set.role(), set.epoch()), (Role::Controlling, 1));
        assert_eq!(set.tie_breaker(), tie_breaker);
        set.turn_role(true);
        assert_eq!((set.role(), set.epoch()), (Role::Controlled, 2));
        assert_ne!(set.tie_breaker(), tie_breaker);
        set.set_role(Role::Controlled);
        assert_eq!(set.epoch(), 2);
    }
}
