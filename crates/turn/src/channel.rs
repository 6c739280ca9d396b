//! Channels: four bytes instead of an indication (RFC 8656 §12).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// The channels of an allocation.
pub(crate) struct Channels {
    list: Vec<Channel>,
    next: u16,
}

struct Channel {
    number: u16,
    peer: SocketAddr,
    /// When it is asked for; at once when it is new.
    next: Option<Instant>,
    /// What is sent may go by it.
    bound: bool,
    /// A request is under way.
    asked: bool,
}

impl Default for Channels {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            next: *NUMBERS.start(),
        }
    }
}

impl Channels {
    /// A channel for this peer; `None` when there are no numbers left: a number is not used for another
    /// peer, as RFC 8656 §12 wants minutes between the two.
    pub(crate) fn want(&mut self, peer: SocketAddr) -> Option<u16> {
        if let Some(known) = self.list.iter().find(|it| it.peer == peer) {
            return Some(known.number);
        }
        let number = self.next;
        if !NUMBERS.contains(&number) || self.list.len() >= MAX_CHANNELS {
            return None;
        }
        self.next += 1;
        self.list.push(Channel {
            number,
            peer,
            next: None,
            bound: false,
            asked: false,
        });
        Some(number)
    }

    /// The number to send to this peer with.
    pub(crate) fn bound(&self, peer: SocketAddr) -> Option<u16> {
        let bound = |it: &&Channel| it.peer == peer && it.bound;
        self.list.iter().find(bound).map(|it| it.number)
    }

    /// Whose data comes with this number. The server may send with it before its answer has come, and when it has refused to bind it again:
    /// it has bound it for ten minutes.
    pub(crate) fn peer(&self, number: u16) -> Option<SocketAddr> {
        self.list
            .iter()
            .find(|it| it.number == number)
            .map(|it| it.peer)
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(u16, SocketAddr)> {
        let due = |it: &&mut Channel| !it.asked && it.next.is_none_or(|at| at <= now);
        let channel = self.list.iter_mut().find(due)?;
        channel.asked = true;
        Some((channel.number, channel.peer))
    }

    /// The server has bound it; whether that is news.
    pub(crate) fn bind(&mut self, now: Instant, number: u16) -> bool {
        let Some(channel) = self.list.iter_mut().find(|it| it.number == number) else {
            return false;
        };
        (channel.asked, channel.next) = (false, Some(now + REFRESH));
        !std::mem::replace(&mut channel.bound, true)
    }

    /// The server has refused to bind it, or does not answer: nothing is sent by it, and it is asked for again later, under its number.
    pub(crate) fn refuse(&mut self, now: Instant, number: u16) {
        if let Some(channel) = self.list.iter_mut().find(|it| it.number == number) {
            (channel.asked, channel.next) = (false, Some(now + AGAIN));
            channel.bound = false;
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.list.iter().filter(|it| !it.asked);
        waiting.filter_map(|it| it.next).min()
    }
}

/// RFC 8656 §12: the numbers of channels.
const NUMBERS: std::ops::RangeInclusive<u16> = 0x4000..=0x4fff;
/// A binding lasts ten minutes.
const REFRESH: Duration = Duration::from_secs(480);
/// After so long what was refused is asked for again.
const AGAIN: Duration = Duration::from_secs(60);
const MAX_CHANNELS: usize = 128;
