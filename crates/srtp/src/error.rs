//! What a wrong call is answered with.

/// A call that could not be carried out. What the peer does wrong is never an `Error`: it is counted.
///
/// Whatever `protect_rtp` and `protect_rtcp` answer, the buffer is then as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The keying material is not as long as the profile needs.
    #[error("{profile} needs {wanted} bytes of keying material, not {given}")]
    MaterialLength {
        /// The profile.
        profile: &'static str,
        /// How many bytes it needs.
        wanted: usize,
        /// How many there were.
        given: usize,
    },
    /// What is to be protected has no whole RTP or RTCP header of version 2.
    #[error("not a packet of RTP or RTCP")]
    NotAPacket,
    /// A packet with this SSRC and index was protected before, or may have been: it lies behind the window. A second
    /// one would give away the keystream, and under GCM the authentication key (RFC 7714 §8.4).
    #[error("SSRC {ssrc:#010x} has used the index {index} before")]
    IndexUsed {
        /// The SSRC.
        ssrc: u32,
        /// The packet index: roll-over counter and sequence number.
        index: u64,
    },
    /// The key has protected as many packets as it may (RFC 3711 §9.2): new keys have to be agreed on.
    #[error("the key has protected as many packets as it may")]
    KeyExhausted,
    /// The packet's two-byte header extensions carry "appbits", which Cryptex has no place for (RFC 9335 §5).
    #[error("Cryptex has no place for the appbits of the header extension")]
    Appbits,
}
