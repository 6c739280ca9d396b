//! What can be chosen about a session.

use std::time::Duration;

use crate::payload::MOST_FRAME;

/// Settings of a [`Session`](crate::Session).
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) cname: String,
    pub(crate) largest: usize,
    pub(crate) streams: usize,
    pub(crate) history: Duration,
    pub(crate) history_packets: usize,
    pub(crate) reorder: usize,
    pub(crate) missing: usize,
    pub(crate) report: Duration,
    pub(crate) patience: Duration,
    pub(crate) frame: usize,
    pub(crate) buffered: usize,
}

impl Config {
    /// The defaults, with the canonical name that all our streams share (RFC 7022: random, the same for one
    /// connection).
    pub fn new(cname: &str) -> Self {
        Self {
            cname: cname.to_owned(),
            largest: 1232,
            streams: 256,
            history: Duration::from_secs(1),
            history_packets: 1024,
            reorder: 512,
            missing: 1000,
            report: Duration::from_secs(1),
            patience: Duration::from_secs(1),
            frame: MOST_FRAME,
            buffered: 64 << 20,
        }
    }

    /// The largest packet to write, before SRTP, in bytes; default 1232. What is larger is dropped and counted.
    #[must_use]
    pub fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }

    /// How many SSRCs of the peer are followed; default 256.
    #[must_use]
    pub fn streams(mut self, most: usize) -> Self {
        self.streams = most;
        self
    }

    /// How long what was sent can be sent again; default 1 s.
    #[must_use]
    pub fn history(mut self, history: Duration) -> Self {
        self.history = history;
        self
    }

    /// How many packets of a stream can be sent again: 1 to 32,768, as their numbers tell no more apart; default 1024.
    #[must_use]
    pub fn history_packets(mut self, packets: usize) -> Self {
        self.history_packets = packets.clamp(1, 1 << 15);
        self
    }

    /// How many packets of a stream wait for one that is missing; default 512.
    #[must_use]
    pub fn reorder(mut self, packets: usize) -> Self {
        self.reorder = packets.max(1);
        self
    }

    /// How many missing packets of a stream are asked for; default 1000. A gap beyond it is given up.
    #[must_use]
    pub fn missing(mut self, packets: usize) -> Self {
        self.missing = packets;
        self
    }

    /// How often reports are sent, on average: 100 ms to an hour, default 1 s. Each time is drawn between half and one and a half of it
    /// (RFC 3550 §6.3.1).
    #[must_use]
    pub fn report(mut self, interval: Duration) -> Self {
        self.report = interval.clamp(Duration::from_millis(100), HOUR);
        self
    }

    /// How long a frame waits for a packet that is missing, at most; default 1 s: three round trips of 300 ms.
    #[must_use]
    pub fn patience(mut self, most: Duration) -> Self {
        self.patience = most;
        self
    }

    /// The longest frame that is made of packets, in bytes; default 4 MiB. A longer one is dropped and counted, and a key frame asked
    /// for.
    #[must_use]
    pub fn frame(mut self, bytes: usize) -> Self {
        self.frame = bytes;
        self
    }

    /// How many bytes the frames of all streams of the peer take together, whole or not, until they are read: payload, and what each
    /// packet takes beside it; default 64 MiB. It is looked at whenever a sixteenth of it has come. Beyond it the stream that holds most loses what it holds, and a key frame is asked for.
    #[must_use]
    pub fn buffered(mut self, bytes: usize) -> Self {
        self.buffered = bytes;
        self
    }
}

/// No time that is set is longer.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
