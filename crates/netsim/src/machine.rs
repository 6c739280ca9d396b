//! What a machine is to the harness that drives two of them.

use std::time::Instant;

/// A sans-IO machine, in the words that the machines of all layers share.
///
/// Tests implement it for a struct of their own that holds the machine, what it has told, and what it has delivered.
pub trait Machine: Sized {
    /// Where a datagram goes: a pair of addresses, or `()` for a machine that sees none.
    type Route: Copy;

    /// The UDP port that the machine has in a capture. 9899 lets Wireshark read SCTP (RFC 6951 §5.1).
    const PORT: u16 = 5000;

    /// Whether datagrams that arrive together are handed over together, as a socket gives them, before the machine is asked what it
    /// has to say. Default: each by itself.
    const BATCHED: bool = false;

    /// Takes a datagram that came on this route, as this machine sees it.
    fn handle_datagram(&mut self, now: Instant, route: Self::Route, datagram: &mut [u8]);

    /// Lets time pass.
    fn handle_timeout(&mut self, now: Instant);

    /// When time is to pass next.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Appends one datagram of at most `room` bytes, or several of the size that is returned with their route. (The last
    /// one may be smaller.)
    fn poll_transmit(
        &mut self,
        now: Instant,
        room: usize,
        buf: &mut Vec<u8>,
    ) -> Option<(Self::Route, usize)>;

    /// Takes one event, request or whatever else is polled, and keeps or answers it; false when there is nothing.
    fn poll(&mut self, now: Instant) -> bool;

    /// A route of this machine as the other one sees it.
    fn mirrored(route: Self::Route) -> Self::Route;

    /// Tells the other machine what an application tells through signalling, which takes no time: descriptions, candidates.
    /// False when there is nothing to tell. Default: nothing ever.
    fn signal(&mut self, _now: Instant, _other: &mut Self) -> bool {
        false
    }

    /// Panics when a limit of this machine is passed. Called whenever the machine has nothing more to say. Default: no limit.
    fn check(&self) {}

    /// Gives an altered datagram a right checksum again, so that it is looked at. Default: it has none.
    fn repair(_datagram: &mut [u8]) {}

    /// How the machine stands, in a line, for the report of a test that failed. Default: nothing.
    fn describe(&self) -> String {
        String::new()
    }
}

/// One of two machines.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// The first.
    A,
    /// The second.
    B,
}

impl End {
    /// Both, the first one first.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// What belongs to this end, of what belongs to each.
    pub(crate) fn of<T>(self, [a, b]: &[T; 2]) -> &T {
        match self {
            Self::A => a,
            Self::B => b,
        }
    }

    /// As [`of`](Self::of), to be changed.
    pub(crate) fn of_mut<T>(self, [a, b]: &mut [T; 2]) -> &mut T {
        match self {
            Self::A => a,
            Self::B => b,
        }
    }
}
