//! Permissions: who may send (RFC 8656 §9).

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// The addresses that are permitted, or are to be.
#[derive(Default)]
pub(crate) struct Permissions(Vec<Permission>);

struct Permission {
    ip: IpAddr,
    state: State,
}

/// How far a permission is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Wanted,
    /// A request is under way; until when it was granted before.
    Asked(Option<Instant>),
    Granted {
        /// It is asked for again from then on.
        again: Instant,
        /// The server keeps it so long.
        until: Instant,
    },
}

impl Permissions {
    /// Wants one; `false` when there are too many.
    pub(crate) fn want(&mut self, ip: IpAddr) -> bool {
        let known = self.0.iter().any(|it| it.ip == ip);
        if !known && self.0.len() < MAX_PERMISSIONS {
            let state = State::Wanted;
            self.0.push(Permission { ip, state });
            return true;
        }
        known
    }

    /// Whether this address may send and be sent to.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        let granted =
            |it: &&Permission| matches!(it.state, State::Granted { .. } | State::Asked(Some(_)));
        self.0
            .iter()
            .find(|it| it.ip == ip)
            .filter(granted)
            .is_some()
    }

    /// Those to ask for now, of one request.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<IpAddr> {
        let mut due = Vec::new();
        // What is granted is refreshed together: one request for all that is near its end.
        let any = self.0.iter().any(|it| it.is_due(now));
        for permission in self.0.iter_mut().filter(|_| any) {
            if due.len() == MAX_AT_ONCE {
                break;
            }
            permission.state = match permission.state {
                State::Wanted => State::Asked(None),
                State::Granted { again, until } if again <= now + TOGETHER => {
                    State::Asked(Some(until))
                }
                _ => continue,
            };
            due.push(permission.ip);
        }
        due
    }

    /// The server has permitted these; which of them are news.
    pub(crate) fn grant(&mut self, now: Instant, ips: &[IpAddr]) -> Vec<IpAddr> {
        let mut news = Vec::new();
        for permission in self.0.iter_mut().filter(|it| ips.contains(&it.ip)) {
            if permission.state == State::Asked(None) {
                news.push(permission.ip);
            }
            permission.state = State::Granted {
                again: now + REFRESH,
                until: now + LIFE,
            };
        }
        news
    }

    /// The server has refused these, or does not answer; which of them are not permitted any more. What it has granted lasts until its end,
    /// and is asked for again half-way.
    pub(crate) fn refuse(&mut self, now: Instant, ips: &[IpAddr]) -> Vec<IpAddr> {
        let mut gone = Vec::new();
        self.0.retain_mut(|permission| {
            let State::Asked(until) = permission.state else {
                return true;
            };
            if !ips.contains(&permission.ip) {
                return true;
            }
            let left = until.map(|until| until.saturating_duration_since(now));
            if let Some((until, left)) = until.zip(left.filter(|left| *left >= LEAST)) {
                let again = now + left / 2;
                permission.state = State::Granted { again, until };
                return true;
            }
            gone.push(permission.ip);
            false
        });
        gone
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let refresh = self.0.iter().filter_map(|it| match it.state {
            State::Granted { again, .. } => Some(again),
            _ => None,
        });
        refresh.min()
    }
}

impl Permission {
    fn is_due(&self, now: Instant) -> bool {
        match self.state {
            State::Wanted => true,
            State::Asked(_) => false,
            State::Granted { again, .. } => again <= now,
        }
    }
}

/// RFC 8656 §9: a permission lasts five minutes.
const LIFE: Duration = Duration::from_secs(300);
const REFRESH: Duration = Duration::from_secs(240);
/// What ends sooner is not asked for once more.
const LEAST: Duration = Duration::from_secs(1);
/// What ends this soon is refreshed along.
const TOGETHER: Duration = Duration::from_secs(20);
const MAX_PERMISSIONS: usize = 128;
/// As many IPv6 addresses as a datagram of 1,200 bytes holds beside long credentials.
const MAX_AT_ONCE: usize = 16;
