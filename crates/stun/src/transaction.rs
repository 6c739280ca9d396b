//! The client's side of a request and its response (RFC 8489 §6.2.1, §6.2.2).

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::{
    Error,
    header::{Class, Method, TransactionId},
    message::Message,
};

/// Sends a request until its response comes or its time is over.
///
/// The first transmission is due at once. The request is kept as it was built, so every transmission has the same bytes. Whoever owns
/// the transaction drops it when a response that [`matches`](Self::matches) was accepted.
pub struct Transaction {
    request: Vec<u8>,
    id: TransactionId,
    method: Method,
    schedule: Schedule,
    /// How many transmissions have come due.
    requests: u32,
    transmissions: u32,
    is_due: bool,
    first_sent: Option<Instant>,
    timer: Option<Instant>,
    is_violated: bool,
    event: Option<Event>,
}

/// How a transaction ended without a response. Nothing comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// No response came.
    TimedOut,
    /// Responses came, but none was authentic (RFC 8489 §9.1.4, §9.2.5).
    IntegrityViolated,
}

/// When to send a request again and when to give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    rto: Duration,
    max_requests: u32,
    last_wait: u32,
    is_reliable: bool,
}

impl Schedule {
    /// For UDP and DTLS over UDP: the request is sent 7 times (Rc), each time after twice the wait, and the last wait is 16 times the
    /// RTO (Rm). With 500 ms that is 39.5 s in all. RFC 8489 §6.2.1 wants at least 500 ms as first RTO; ICE has its own rule.
    pub fn unreliable(rto: Duration) -> Self {
        Self {
            rto: rto.min(MAX_WAIT),
            max_requests: 7,
            last_wait: 16,
            is_reliable: false,
        }
    }

    /// For TCP and TLS: the request is sent once and given up after 39.5 s (RFC 8489 §6.2.2).
    pub fn reliable() -> Self {
        Self {
            max_requests: 1,
            last_wait: 1,
            rto: TI,
            is_reliable: true,
        }
    }

    /// Sets Rc, how often the request is sent at most, 7 by default. Fewer give up earlier; zero counts as one. A reliable transport
    /// sends once whatever is set.
    #[must_use]
    pub fn with_max_requests(self, max_requests: u32) -> Self {
        if self.is_reliable {
            self
        } else {
            Self {
                max_requests: max_requests.clamp(1, 32),
                ..self
            }
        }
    }

    /// Sets Rm, the wait behind the last transmission in units of the RTO, 16 by default. It has no effect on a reliable transport.
    #[must_use]
    pub fn with_last_wait(self, last_wait: u32) -> Self {
        if self.is_reliable {
            self
        } else {
            Self { last_wait, ..self }
        }
    }

    /// The wait behind transmission number `request`, which counts from 1.
    fn wait(&self, request: u32) -> Duration {
        let factor = if request < self.max_requests {
            1_u32
                .checked_shl(request.saturating_sub(1))
                .unwrap_or(u32::MAX)
        } else {
            self.last_wait
        };
        self.rto.saturating_mul(factor).min(MAX_WAIT)
    }
}

impl Transaction {
    /// Starts a transaction with a request that [`Builder`](crate::Builder) has finished.
    ///
    /// # Errors
    /// What [`Message::parse`] finds, or [`Error::NotRequest`].
    pub fn new(request: Vec<u8>, schedule: Schedule, now: Instant) -> Result<Self, Error> {
        let message = Message::parse(&request)?;
        if message.class() != Class::Request {
            return Err(Error::NotRequest);
        }
        let (id, method) = (message.transaction_id(), message.method());
        Ok(Self {
            request,
            id,
            method,
            schedule,
            requests: 1,
            transmissions: 0,
            is_due: true,
            first_sent: None,
            timer: Some(now + schedule.wait(1)),
            is_violated: false,
            event: None,
        })
    }

    /// The id of its request.
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// The bytes of its request.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// How often the request was transmitted.
    pub const fn transmissions(&self) -> u32 {
        self.transmissions
    }

    /// True if the message is a response with this transaction's id and method. Whether it is authentic and came from where the
    /// request went is for the caller to check (RFC 8489 §9.1.4, RFC 8445 §7.2.5.2.1).
    pub fn matches(&self, message: &Message<'_>) -> bool {
        message.class().is_response()
            && message.method() == self.method
            && message.transaction_id() == self.id
    }

    /// The round trip that a response received now has measured. `None` if the request went out more than once: nobody can tell
    /// which of them was answered (RFC 6298 §3, Karn's algorithm).
    pub fn round_trip(&self, now: Instant) -> Option<Duration> {
        let sent = self.first_sent.filter(|_| self.transmissions == 1)?;
        Some(now.saturating_duration_since(sent))
    }

    /// A response that matches was discarded as its integrity is missing or wrong. On an unreliable transport the transaction goes on
    /// and only its end differs; on a reliable one it ends now (RFC 8489 §9.1.4).
    pub fn handle_unauthenticated(&mut self) {
        self.is_violated = true;
        if self.schedule.is_reliable && self.timer.is_some() {
            self.end();
        }
    }

    /// Sends no more, but still waits for a response as long as it would have (RFC 8445 §7.3.1.4, a cancelled check).
    pub fn stop_retransmission(&mut self) {
        self.is_due = false;
        let Some(timer) = self.timer else { return };
        let later = self.requests.saturating_add(1)..=self.schedule.max_requests;
        let rest = later.map(|request| self.schedule.wait(request)).sum();
        self.timer = timer.checked_add(rest).or(self.timer);
        self.requests = self.requests.max(self.schedule.max_requests);
    }

    /// What time has brought: another transmission or the end.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.timer.is_none_or(|timer| now < timer) {
            return;
        }
        if self.requests >= self.schedule.max_requests {
            return self.end();
        }
        self.requests += 1;
        self.is_due = true;
        // A late call sends once, not once for each wait that passed.
        self.timer = Some(now + self.schedule.wait(self.requests));
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do; `None` when the transaction is over.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.timer
    }

    /// Appends the request if a transmission is due and fits into `room` bytes.
    pub fn poll_transmit(&mut self, now: Instant, room: usize, buf: &mut Vec<u8>) -> bool {
        if !self.is_due || self.request.len() > room {
            return false;
        }
        self.is_due = false;
        self.transmissions += 1;
        self.first_sent.get_or_insert(now);
        buf.extend_from_slice(&self.request);
        true
    }

    /// How the transaction ended, once.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.event.take()
    }

    fn end(&mut self) {
        self.timer = None;
        self.is_due = false;
        self.event = Some(if self.is_violated {
            Event::IntegrityViolated
        } else {
            Event::TimedOut
        });
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("method", &self.method)
            .field("transmissions", &self.transmissions)
            .field("timer", &self.timer)
            .finish_non_exhaustive()
    }
}

/// RFC 8489 §6.2.2: the wait over a reliable transport.
const TI: Duration = Duration::from_millis(39_500);
/// No single wait is longer, whatever is configured.
const MAX_WAIT: Duration = Duration::from_secs(3600);
