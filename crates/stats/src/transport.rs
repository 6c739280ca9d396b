//! `RTCTransportStats`, and what a transport consists of: candidates, pairs, certificates.

use crate::{
    CandidatePairState, DtlsRole, DtlsTransportState, IceCandidateType, IceRole,
    IceServerTransportProtocol, IceTcpCandidateType, IceTransportState, Stats,
    dictionary::dictionary,
};

dictionary! {
    /// `RTCTransportStats` (`transport`): an ICE transport and the DTLS transport on it.
    ///
    /// Packets and bytes are those of payload, which is everything but ICE itself; bytes are without headers of IP, UDP and TURN.
    #[doc(alias = "RTCTransportStats")]
    TransportStats {
        stats: Stats,
        /// `state` of the DTLS transport.
        dtls_state: DtlsTransportState,
    } optional {
        /// Packets sent.
        packets_sent: u64,
        /// Packets received.
        packets_received: u64,
        /// Bytes sent.
        bytes_sent: u64,
        /// Bytes received.
        bytes_received: u64,
        /// `role` of the ICE transport.
        ice_role: IceRole,
        /// The ufrag of the local parameters; absent before there are some.
        ice_local_username_fragment: String,
        /// `state` of the ICE transport.
        ice_state: IceTransportState,
        /// The pair in use.
        selected_candidate_pair_id: String,
        /// Our certificate; absent before DTLS has one.
        local_certificate_id: String,
        /// The peer's certificate; absent before it was verified.
        remote_certificate_id: String,
        /// The version of DTLS as it is on the wire, in four hex digits: `FEFD` is 1.2, `FEFC` is 1.3.
        tls_version: String,
        /// The cipher suite, by its name in the TLS registry.
        dtls_cipher: String,
        /// Who began the handshake.
        dtls_role: DtlsRole,
        /// The protection profile of SRTP, by its name in the registry.
        srtp_cipher: String,
        /// How often a pair was selected, the first time included.
        selected_candidate_pair_changes: u32,
        /// Feedback of RFC 8888 sent.
        ccfb_messages_sent: u32,
        /// Feedback of RFC 8888 received.
        ccfb_messages_received: u32,
    }
}

dictionary! {
    /// `RTCIceCandidateStats` (`local-candidate`, `remote-candidate`): a candidate.
    #[doc(alias = "RTCIceCandidateStats")]
    IceCandidateStats {
        stats: Stats,
        /// The transport that it belongs to.
        transport_id: String,
        /// How it was found.
        candidate_type: IceCandidateType,
        /// Its address or its name. `None`, and null in JSON, where the application may not see it: the peer's reflexive candidates
        /// that signalling did not bring.
        address: Option<String>,
    } optional {
        /// Its port.
        port: u16,
        /// `udp` or `tcp`.
        protocol: String,
        /// Its priority (RFC 8445 §5.1.2).
        priority: u32,
        /// The server that it came from.
        url: String,
        /// How the TURN server is reached: of local relayed candidates.
        relay_protocol: IceServerTransportProtocol,
        /// Its foundation.
        foundation: String,
        /// Its base, or the address that it is mapped from.
        related_address: String,
        /// The port of that.
        related_port: u16,
        /// The ufrag of its generation.
        username_fragment: String,
        /// Which end of a TCP candidate connects.
        tcp_type: IceTcpCandidateType,
    }
}

dictionary! {
    /// `RTCIceCandidatePairStats` (`candidate-pair`): a pair of the check list. Round trips are those of its checks, in seconds.
    #[doc(alias = "RTCIceCandidatePairStats")]
    IceCandidatePairStats {
        stats: Stats,
        /// The transport that it belongs to.
        transport_id: String,
        /// Our candidate.
        local_candidate_id: String,
        /// The peer's candidate.
        remote_candidate_id: String,
        /// Its state in the check list.
        state: CandidatePairState,
    } optional {
        /// It was nominated.
        nominated: bool,
        /// Packets of payload sent on it.
        packets_sent: u64,
        /// Packets of payload received on it.
        packets_received: u64,
        /// Their bytes, without headers of IP, UDP and TURN.
        bytes_sent: u64,
        /// Their bytes, likewise.
        bytes_received: u64,
        /// When the last of them was sent: milliseconds since 1970.
        last_packet_sent_timestamp: f64,
        /// When the last of them came.
        last_packet_received_timestamp: f64,
        /// The sum of all round trips.
        total_round_trip_time: f64,
        /// The last round trip; absent before there is one.
        current_round_trip_time: f64,
        /// Bits a second that congestion control gives, of the pair in use.
        available_outgoing_bitrate: f64,
        /// Bits a second that the peer may send.
        available_incoming_bitrate: f64,
        /// Checks received.
        requests_received: u64,
        /// Checks sent for the first time, those for consent not among them.
        requests_sent: u64,
        /// Answers received.
        responses_received: u64,
        /// Answers sent.
        responses_sent: u64,
        /// Checks for consent sent (RFC 7675).
        consent_requests_sent: u64,
        /// Packets that the socket did not take.
        packets_discarded_on_send: u32,
        /// Their bytes.
        bytes_discarded_on_send: u64,
    }
}

dictionary! {
    /// `RTCCertificateStats` (`certificate`): a certificate of either side.
    #[doc(alias = "RTCCertificateStats")]
    CertificateStats {
        stats: Stats,
        /// Hex with colons.
        fingerprint: String,
        /// The hash function: `sha-256`.
        fingerprint_algorithm: String,
        /// Its DER, in base64.
        base64_certificate: String,
    } optional {
        /// The next one in the chain.
        issuer_certificate_id: String,
    }
}
