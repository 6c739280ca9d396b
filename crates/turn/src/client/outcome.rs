//! What follows from a response, or from none.

use std::{net::IpAddr, time::Instant};

use oxirtc_stun::{AddressFamily, ErrorCode, Message, RoundTrip};

use super::{Client, State};
use crate::{
    Event, Failure, Families, Leg,
    address::canonical,
    allocation::Allocation,
    auth::{Auth, Verdict},
    request::{Pending, Purpose},
};

impl Client {
    pub(super) fn handle_response(&mut self, now: Instant, at: usize, response: &Message<'_>) {
        let Some(pending) = self.pending.get_mut(at) else {
            return;
        };
        let how = (pending.signed, pending.purpose == Purpose::Allocate);
        let verdict = self.auth.judge(&self.config.credentials, response, how);
        if verdict == Verdict::Ignored {
            // RFC 8489 §9.2.5: as if it had never been received.
            pending.transaction.handle_unauthenticated();
            // §9.1.4: over a stream nothing else will come.
            if pending.transaction.poll_event().is_some() {
                let Pending { purpose, .. } = self.pending.swap_remove(at);
                self.unanswered(now, purpose);
            }
            return;
        }
        if let Some(measured) = pending.transaction.round_trip(now) {
            self.round_trip.sample(measured, now);
        }
        let Pending { purpose, .. } = self.pending.swap_remove(at);
        match verdict {
            Verdict::Granted => self.granted(now, purpose, response),
            Verdict::Retry(signed) => self.ask(now, purpose, Some(signed)),
            Verdict::Redirect if purpose == Purpose::Allocate => self.redirected(now, response),
            Verdict::Redirect => {
                let code = ErrorCode::TRY_ALTERNATE.code;
                self.refused(
                    now,
                    purpose,
                    code,
                    "another server has no allocation of ours",
                );
            }
            Verdict::Refused(code, reason) => self.refused(now, purpose, code, &reason),
            Verdict::Ignored => {}
        }
    }

    fn granted(&mut self, now: Instant, purpose: Purpose, response: &Message<'_>) {
        match purpose {
            Purpose::Allocate => self.allocated(now, response),
            Purpose::Refresh => match (&mut self.allocation, response.lifetime()) {
                (Some(allocation), Some(lifetime)) => allocation.renew(now, lifetime),
                // RFC 8656 §8.2 wants a lifetime: without one nothing was granted.
                _ => self.postpone(now),
            },
            Purpose::Close => self.end(Event::Closed),
            Purpose::Permit(ips) => {
                let news = self.permissions.grant(now, &ips);
                self.events.extend(news.into_iter().map(Event::Permitted));
            }
            Purpose::Bind { number, peer } => {
                if self.channels.bind(now, number) {
                    self.events.push_back(Event::ChannelBound(peer));
                }
            }
        }
    }

    fn allocated(&mut self, now: Instant, response: &Message<'_>) {
        if self.state == State::Closing {
            self.ask(now, Purpose::Close, None);
            return;
        }
        let allocation = match Allocation::read(now, &self.config, response) {
            Ok(allocation) => allocation,
            Err(reason) => {
                self.end(Event::Failed(Failure::new(UNUSABLE, reason)));
                return;
            }
        };
        self.state = State::Allocated;
        self.allocation = Some(allocation);
        self.events.push_back(Event::Allocated(allocation.relayed));
        let missing = [
            (AddressFamily::Ipv4, allocation.relayed.ipv4),
            (AddressFamily::Ipv6, allocation.relayed.ipv6),
        ];
        for (family, address) in missing {
            if self.config.families == Families::Both && address.is_none() {
                let refused = response.address_error_code();
                let code = refused
                    .filter(|(of, _)| *of == family)
                    .map(|(_, error)| error.code);
                self.events.push_back(Event::FamilyRefused(family, code));
            }
        }
    }

    fn redirected(&mut self, now: Instant, response: &Message<'_>) {
        let server = response.alternate_server().map(canonical);
        let Some(server) = server.filter(|it| self.trail.follow(*it, &self.config)) else {
            let code = ErrorCode::TRY_ALTERNATE.code;
            let reason = "the server names another one that is not to be asked";
            self.end(Event::Failed(Failure::new(code, reason)));
            return;
        };
        if self.state == State::Closing {
            self.end(Event::Closed);
            return;
        }
        log::debug!("{}the server names another one", self.config.label);
        self.server = server;
        self.auth = Auth::default();
        self.round_trip = RoundTrip::new();
        self.events.push_back(Event::Redirected {
            server,
            domain: response.alternate_domain().map(str::to_owned),
        });
        match self.config.leg {
            Leg::Datagrams => self.ask(now, Purpose::Allocate, None),
            Leg::Stream => self.state = State::Redirected,
        }
    }

    pub(super) fn refused(&mut self, now: Instant, purpose: Purpose, code: u16, reason: &str) {
        let is_gone = code == ErrorCode::ALLOCATION_MISMATCH.code;
        match purpose {
            Purpose::Allocate if self.state == State::Closing => self.end(Event::Closed),
            Purpose::Allocate => self.end(Event::Failed(Failure::new(code, reason))),
            Purpose::Close => self.end(Event::Closed),
            _ if is_gone => self.end(Event::Lost),
            // What it has, the client keeps until its end; it may be asked for again until then.
            Purpose::Refresh => self.postpone(now),
            Purpose::Permit(ips) if ips.len() > 1 => {
                // One of them may have spoilt the others: each is asked for alone.
                for ip in ips {
                    self.ask(now, Purpose::Permit(vec![ip]), None);
                }
            }
            Purpose::Permit(ips) => self.forbid(now, &ips, Some(code)),
            Purpose::Bind { number, .. } => self.channels.refuse(now, number),
        }
    }

    pub(super) fn unanswered(&mut self, now: Instant, purpose: Purpose) {
        match purpose {
            Purpose::Allocate if self.state == State::Closing => self.end(Event::Closed),
            Purpose::Allocate => {
                let failure = Failure::new(NOT_REACHED, "the server does not answer");
                self.end(Event::Failed(failure));
            }
            Purpose::Refresh => self.postpone(now),
            Purpose::Close => self.end(Event::Closed),
            Purpose::Permit(ips) => self.forbid(now, &ips, None),
            Purpose::Bind { number, .. } => self.channels.refuse(now, number),
        }
    }

    /// The next attempt to refresh is half-way to the end.
    fn postpone(&mut self, now: Instant) {
        if let Some(allocation) = &mut self.allocation {
            allocation.refresh = now + allocation.expires.saturating_duration_since(now) / 2;
        }
    }

    fn forbid(&mut self, now: Instant, ips: &[IpAddr], code: Option<u16>) {
        let gone = self.permissions.refuse(now, ips).into_iter();
        let refused = gone.map(|ip| Event::PermissionRefused(ip, code));
        self.events.extend(refused);
    }

    pub(super) fn end(&mut self, event: Event) {
        self.pending.clear();
        self.state = State::Over;
        self.allocation = None;
        self.events.push_back(event);
    }
}

/// W3C §4.8.3: no server was reached.
const NOT_REACHED: u16 = 701;
/// What the server gives is of no use.
const UNUSABLE: u16 = 508;
