//! Why media is sent no more.

/// Why a stream of a sender is sent no more, though its encoding is active.
///
/// The first three are the circuit breakers of RFC 8083: each stream has its own, and stops alone. It is tried again when its encoding is
/// set inactive and active again, or when DTLS has made new keys, and no sooner than 15 seconds after it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopCause {
    /// The peer has not reported on it for 15 seconds in which it was sent.
    Silence,
    /// By the peer's reports of 15 seconds nothing of it arrives.
    NothingArrives,
    /// By the peer's reports of 15 seconds so much is lost that TCP would send less than a tenth.
    Congestion,
    /// The keys of SRTP were used as often as they may be (RFC 3711 §9.2): nothing is sent by the transport until there are new ones.
    KeyExhausted,
}

impl From<oxirtc_rtp::CircuitBreak> for StopCause {
    fn from(of: oxirtc_rtp::CircuitBreak) -> Self {
        use oxirtc_rtp::CircuitBreak;
        match of {
            CircuitBreak::NothingArrives => Self::NothingArrives,
            CircuitBreak::Congestion => Self::Congestion,
            _ => Self::Silence,
        }
    }
}
