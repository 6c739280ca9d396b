//! What a connection is made with: W3C's configuration, and settings of our own.

mod credential;
mod media;
mod networks;
mod server;

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    sync::Arc,
    time::SystemTime,
};

use oxirtc_jsep::Credentials;
use serde::{Deserialize, Serialize};

use crate::{
    Certificate, DtlsGroup, DtlsVersion, Error, ErrorKind, Interface, KeyLog, SrtpProfile,
    dtls::Chosen, key_log::KeyLogger,
};
pub(crate) use credential::Secret;
pub use credential::{IceCredential, OAuthCredential};
pub(crate) use media::MediaLimits;
pub use networks::IpHandling;
use networks::{Cost, Filter, Networks};
pub use server::IceServer;
pub(crate) use server::{Server, Service};

/// `RTCConfiguration` (W3C §4.2.1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[doc(alias = "RTCConfiguration")]
pub struct Configuration {
    /// STUN and TURN servers: `stun:`, `turn:` over UDP or TCP, `turns:`. At most 32 entries count, and of their
    /// URLs the first 16. What is set later counts from the next ICE restart on.
    pub ice_servers: Vec<IceServer>,
    /// Which candidates may be used.
    pub ice_transport_policy: IceTransportPolicy,
    /// Which sections get transports of their own before bundling is agreed on.
    pub bundle_policy: BundlePolicy,
    /// RTP and RTCP share a port.
    pub rtcp_mux_policy: RtcpMuxPolicy,
    /// The first is used. Empty: one with an ECDSA P-256 key is generated.
    #[serde(skip)]
    pub certificates: Vec<Certificate>,
    /// For how many transports candidates are gathered before a local description asks for them, eight at most; each takes sockets
    /// on all addresses, and allocations of the servers. A bundled connection uses one.
    pub ice_candidate_pool_size: u8,
}

/// `RTCIceTransportPolicy` (W3C §4.2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[doc(alias = "RTCIceTransportPolicy")]
pub enum IceTransportPolicy {
    /// Relayed candidates only: the peer does not learn our addresses.
    Relay,
    /// All.
    #[default]
    All,
}

/// `RTCBundlePolicy` (W3C §4.2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(alias = "RTCBundlePolicy")]
pub enum BundlePolicy {
    /// A transport for each kind of media.
    #[default]
    Balanced,
    /// A transport for each section.
    MaxCompat,
    /// One transport.
    MaxBundle,
}

/// `RTCRtcpMuxPolicy` (W3C §4.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[doc(alias = "RTCRtcpMuxPolicy")]
pub enum RtcpMuxPolicy {
    /// A peer that wants two ports is refused.
    #[default]
    Require,
    /// Of W3C's draft of 2019: a peer may have another port for RTCP. It is not supported, and answered with
    /// [`ErrorKind::NotSupported`].
    Negotiate,
}

/// How data shares the path with others (RFC 8831 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CongestionControl {
    /// RFC 9260 §7.2: half of what is on its way is left after a loss.
    NewReno,
    /// RFC 9438: 0.7 of it is left, and comes back within seconds whatever the round trip.
    #[default]
    Cubic,
    /// draft-ietf-ccwg-bbr: what is on its way follows what the path delivers and how short it is. Many times as fast as the
    /// others where losses are random, as by radio; in a short queue it takes more than others beside it.
    Bbr,
}

/// When video that is sent is protected by parity (FEC): ULPFEC within RED, or FlexFEC, as was agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parity {
    /// Never, and ULPFEC and its RED are not negotiated either.
    Never,
    /// As long as the peer reports losses of 2 % or more which would take long to be sent again.
    #[default]
    WhenLost,
    /// Always: a packet for each ten, and for the rest of each frame.
    Always,
}

/// What W3C leaves to the implementation. The default is right for most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(crate) loopback: bool,
    pub(crate) link_local: bool,
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    pub(crate) hide_addresses: bool,
    pub(crate) ice_lite: bool,
    pub(crate) ice_renomination: bool,
    pub(crate) networks: Networks,
    pub(crate) ice_tcp: bool,
    pub(crate) max_message_size: u32,
    pub(crate) max_outgoing_message_size: u64,
    pub(crate) max_channels: u16,
    pub(crate) receive_window: u32,
    pub(crate) congestion_control: CongestionControl,
    pub(crate) interleaving: bool,
    pub(crate) zero_checksum: bool,
    pub(crate) snap: bool,
    pub(crate) send_buffer: usize,
    pub(crate) max_burst: usize,
    pub(crate) max_segments: usize,
    pub(crate) dscp: bool,
    pub(crate) tls_roots: Vec<Vec<u8>>,
    pub(crate) key_log: Option<KeyLogger>,
    pub(crate) dtls: Chosen,
    pub(crate) parity: Parity,
    pub(crate) flexfec: bool,
    pub(crate) cryptex: bool,
    pub(crate) encrypted_levels: bool,
    pub(crate) media: MediaLimits,
}

impl Configuration {
    /// `getDefaultIceServers()`, of W3C's draft of 2019: the servers that this library knows by itself, which are none. A list that is
    /// to be used has to be set.
    pub fn default_ice_servers() -> Vec<IceServer> {
        Vec::new()
    }

    /// W3C §4.4.1.5, "set the configuration": may this one take the place of `old`?
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidModification`], [`ErrorKind::Syntax`], [`ErrorKind::InvalidAccess`], as
    /// §4.4.1.5 has them.
    pub(crate) fn check(&self, old: Option<&Self>, described: bool) -> Result<(), Error> {
        if let Some(old) = old {
            self.check_change(old, described)?;
        }
        // [4.2.7-02]
        if self.rtcp_mux_policy == RtcpMuxPolicy::Negotiate {
            let message = "RTP and RTCP always share a port";
            return Err(Error::new(ErrorKind::NotSupported, message));
        }
        // [4.2.1-05]: entries past the limit are ignored.
        self.ice_servers
            .iter()
            .take(MAX_SERVERS)
            .try_for_each(server::check)
    }

    /// The servers that its URLs name.
    pub(crate) fn servers(&self) -> Vec<Server> {
        let servers = self.ice_servers.iter().take(MAX_SERVERS);
        servers.flat_map(server::parse).collect()
    }

    fn check_change(&self, old: &Self, described: bool) -> Result<(), Error> {
        let fixed = |message: &str| Err(Error::new(ErrorKind::InvalidModification, message));
        if self.certificates != old.certificates {
            return fixed("the certificates of a connection cannot change");
        }
        if self.bundle_policy != old.bundle_policy {
            return fixed("the bundle policy of a connection cannot change");
        }
        if self.rtcp_mux_policy != old.rtcp_mux_policy {
            return fixed("the RTCP policy of a connection cannot change");
        }
        if described && self.ice_candidate_pool_size != old.ice_candidate_pool_size {
            return fixed("the pool size cannot change after a local description was set");
        }
        Ok(())
    }

    /// [4.4.1.1-03]
    pub(crate) fn check_certificates(&self, now: SystemTime) -> Result<(), Error> {
        let expired = |it: &Certificate| it.expires() < now;
        if self.certificates.iter().any(expired) {
            return Err(Error::new(
                ErrorKind::InvalidAccess,
                "a certificate has expired",
            ));
        }
        Ok(())
    }
}

impl Settings {
    /// Gather loopback addresses, too. They are gathered anyway when nothing else exists. Default:
    /// false, as a peer on another machine would only waste checks on them.
    #[must_use]
    pub fn loopback(mut self, on: bool) -> Self {
        self.loopback = on;
        self
    }

    /// Gather link-local addresses, too. They are gathered anyway when nothing else exists. Default:
    /// false.
    #[must_use]
    pub fn link_local(mut self, on: bool) -> Self {
        self.link_local = on;
        self
    }

    /// Use IPv4. Default: true.
    #[must_use]
    pub fn ipv4(mut self, on: bool) -> Self {
        self.ipv4 = on;
        self
    }

    /// Use IPv6. Default: true.
    #[must_use]
    pub fn ipv6(mut self, on: bool) -> Self {
        self.ipv6 = on;
        self
    }

    /// Tell the peer random names instead of the addresses of this machine, as browsers do
    /// (draft-ietf-mmusic-mdns-ice-candidates). They are answered for by multicast DNS, so that peers of the same link find us; of
    /// others the peer learns the address that a server or its own checks show. An address that cannot be given a name is not used.
    /// Default: false.
    #[must_use]
    pub fn hide_addresses(mut self, on: bool) -> Self {
        self.hide_addresses = on;
        self
    }

    /// Be a lite ICE agent (RFC 8445 §2.5): for a server that every peer reaches at its own addresses. It asks no server, checks only what a
    /// peer has checked, and the peer decides; a thousand connections cost it next to no checks. Two lite agents do not connect.
    /// Default: false.
    #[must_use]
    pub fn ice_lite(mut self, on: bool) -> Self {
        self.ice_lite = on;
        self
    }

    /// Tell the peer that it may nominate another pair later, and do so where it says the same (draft-thatcher-ice-renomination): when
    /// payload has moved, both ends are on one pair again. Default: true.
    #[must_use]
    pub fn ice_renomination(mut self, on: bool) -> Self {
        self.ice_renomination = on;
        self
    }

    /// Open streams to the peer, and accept them, where datagrams do not get through (RFC 6544). It takes a TCP port beside each UDP
    /// port, and one at each address of a shared one. Default: false.
    #[must_use]
    pub fn ice_tcp(mut self, on: bool) -> Self {
        self.ice_tcp = on;
        self
    }

    /// Use only those addresses of this machine for which this holds, by their interface or themselves; it is asked again when they
    /// change. It may be called from any thread, and is not to take long. Default: all.
    ///
    /// ```
    /// # use oxirtc_peerconnection::engine::Settings;
    /// let settings = Settings::default().interfaces(|it| !it.name.starts_with("docker"));
    /// ```
    #[must_use]
    pub fn interfaces(mut self, used: impl Fn(&Interface) -> bool + Send + Sync + 'static) -> Self {
        self.networks.filter = Some(Filter(Arc::new(used)));
        self
    }

    /// How much of this machine's addresses is used and told: the modes of RFC 8828 §5.2. Default:
    /// [`IpHandling::EnumerateAll`], as a program that somebody has installed acts for them, and no page that they happen to visit.
    #[must_use]
    pub fn ip_handling(mut self, mode: IpHandling) -> Self {
        self.networks.ip_handling = mode;
        self
    }

    /// What sending costs from an address, in the place of what is found out: 0 for a cable, 10 for wireless, 900 for mobile networks
    /// (Linux; elsewhere 0). Of pairs that work the cheaper one is used; the peer is told (`network-cost`, as libwebrtc does). It may
    /// be called from any thread, and is not to take long.
    #[must_use]
    pub fn network_cost(
        mut self,
        cost: impl Fn(&Interface) -> u16 + Send + Sync + 'static,
    ) -> Self {
        self.networks.cost = Some(Cost(Arc::new(cost)));
        self
    }

    /// The username fragment and the password of the first generation of the first transport, in the place of random ones: for protocols
    /// whose peers know them before there is a description, as those that reach [`Endpoint::incoming`](crate::Endpoint::incoming). A
    /// restart makes random ones. The fragment has 4 to 256 letters, digits, `+` and `/`, the password 22 to 256, of which nobody is to
    /// guess 128 bits (RFC 8839 §5.4); other ones are a `Syntax` error when the connection is made.
    #[must_use]
    pub fn ice_credentials(mut self, username_fragment: &str, password: &str) -> Self {
        self.networks.credentials = Some(Credentials {
            ufrag: username_fragment.to_owned(),
            password: password.to_owned(),
        });
        self
    }

    /// Tell the peer of addresses that come later, in another network, as well. Gathering then never ends, nor is its end told, so an
    /// application that waits for it waits for ever. Without it, such an address is used, and the peer learns it from checks
    /// (W3C §5.6.3 lets no candidate come after the end). Default: false.
    #[must_use]
    pub fn ice_continual(mut self, on: bool) -> Self {
        self.networks.continual = on;
        self
    }

    /// Bind sockets of a connection to ports of this range, those for streams of peers too, so that a firewall may let just these in.
    /// Where none of them is free, an address has no candidate. A shared port is not concerned, nor are streams that are opened to
    /// others. Default: any port.
    #[must_use]
    pub fn ports(mut self, range: RangeInclusive<u16>) -> Self {
        self.networks.ports = Some(range);
        self
    }

    /// Tell the peer this address in the place of `internal`, or of all addresses of its family that are neither loopback nor link-local:
    /// for servers behind a NAT that maps each address to one, and containers with a published port. Port 0 stands for the one that is
    /// bound. Datagrams still come and go at the address itself. It may be called several times. Default: nothing.
    #[must_use]
    pub fn external_address(mut self, internal: Option<IpAddr>, external: SocketAddr) -> Self {
        self.networks.externals.push((internal, external));
        self
    }

    /// The longest message that the peer may send, in bytes. The peer decides how many of them stand
    /// in memory, up to the receive window, which is at least one. 0 is any that SCTP here can take: 1 GiB.
    /// Default: 262,144, as browsers have it.
    #[must_use]
    pub fn max_message_size(mut self, bytes: u32) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// What a description of ours says: a peer that reads 0 there (RFC 8841 §6) might send more than
    /// can be taken.
    pub(crate) fn announced_message_size(&self) -> u32 {
        match self.max_message_size {
            0 => MAX_MESSAGE,
            bytes => bytes.min(MAX_MESSAGE),
        }
    }

    /// How many channels that the peer opens may be there at once; it is refused further ones. An idle
    /// one takes less than a kilobyte. Default: 1,024.
    #[must_use]
    pub fn max_channels(mut self, channels: u16) -> Self {
        self.max_channels = channels;
        self
    }

    /// The longest message that may be sent to a peer that would take it, in bytes; 0 is any.
    /// Default: 1 GiB.
    #[must_use]
    pub fn max_outgoing_message_size(mut self, bytes: u64) -> Self {
        self.max_outgoing_message_size = bytes;
        self
    }

    /// How many bytes the peer may have on its way and unread. More is faster over a long path and
    /// costs memory. Default: 4 MiB.
    #[must_use]
    pub fn receive_window(mut self, bytes: u32) -> Self {
        self.receive_window = bytes;
        self
    }

    /// How data shares the path with others. Default: [`CongestionControl::Cubic`].
    #[must_use]
    pub fn congestion_control(mut self, control: CongestionControl) -> Self {
        self.congestion_control = control;
        self
    }

    /// Whether long messages are cut so that others go between their pieces (RFC 8260), where the peer does the same: a transfer
    /// then never holds up a chat. Default: yes.
    #[must_use]
    pub fn interleaving(mut self, offer: bool) -> Self {
        self.interleaving = offer;
        self
    }

    /// Whether SCTP goes without checksums of its own (RFC 9653), as DTLS has better ones, where the peer does the same and
    /// speaks DTLS 1.3. Default: yes.
    #[must_use]
    pub fn zero_checksum(mut self, accept: bool) -> Self {
        self.zero_checksum = accept;
        self
    }

    /// Whether descriptions carry what opens the SCTP association (draft-hancke-tsvwg-snap): where the peer does the same, data
    /// flows as soon as DTLS is connected, up to two round trips sooner. Default: no, as it is a draft, and some peers repeat
    /// lines that they do not know.
    #[must_use]
    pub fn snap(mut self, offer: bool) -> Self {
        self.snap = offer;
        self
    }

    /// How many bytes a channel holds that are not on their way yet; sending waits above it.
    /// Default: 1 MiB.
    #[must_use]
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = bytes.max(1);
        self
    }

    /// What [`send_buffer`](Self::send_buffer) was set to.
    pub fn send_buffer_size(&self) -> u64 {
        self.send_buffer as u64
    }

    /// How many bytes go to the kernel at once. Less spares a receiver with a small socket buffer.
    /// Default, and at most: 65,487.
    #[must_use]
    pub fn max_burst(mut self, bytes: usize) -> Self {
        self.max_burst = bytes.clamp(1, MAX_BURST);
        self
    }

    /// Mark datagrams in their IP header by the priority of what they carry (RFC 8837), for networks that heed it: a stream of media by
    /// `network_priority` or `priority` of its encoding, data by the most important of its channels, and checks as what they are for.
    /// What has the priority `low`, which is the default of everything, is not marked. On Linux; elsewhere, and on streams of TCP, nothing
    /// is marked. Default: false, as in browsers, since a path may drop what is marked and the application may have set priorities for
    /// their other meaning only.
    #[must_use]
    pub fn dscp(mut self, mark: bool) -> Self {
        self.dscp = mark;
        self
    }

    /// Whose certificates a `turns:` server may have: certificates of authorities in DER, which take the place of the public
    /// ones. For a relay of one's own. Default: those that Mozilla trusts. One that cannot be read is refused by
    /// [`PeerConnection::with_settings`](crate::PeerConnection::with_settings) and its kin.
    #[must_use]
    pub fn tls_roots(mut self, certificates: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.tls_roots = certificates.into_iter().collect();
        self
    }

    /// The versions of DTLS that are spoken, best first; none is the default: both, 1.3 first. A peer that speaks none of them is not
    /// connected with.
    #[must_use]
    pub fn dtls_versions(mut self, versions: &[DtlsVersion]) -> Self {
        self.dtls.versions = versions.to_vec();
        self
    }

    /// The groups of the key agreement, best first; none is the default: all four, X25519MLKEM768 first. It takes a quarter of the work
    /// of a connection that is set up; a server for which that counts, and whose secrets do not outlive a call, may begin with X25519.
    #[must_use]
    pub fn dtls_groups(mut self, groups: &[DtlsGroup]) -> Self {
        self.dtls.groups = groups.to_vec();
        self
    }

    /// The protection of media that is offered and taken, best first; none is the default: GCM with 128 bits and with 256, then counter
    /// mode with a tag of 80 bits. With a peer that has none of them there is no media.
    #[must_use]
    pub fn srtp_profiles(mut self, profiles: &[SrtpProfile]) -> Self {
        self.dtls.srtp_profiles = profiles.to_vec();
        self
    }

    /// Where the secrets of the transports go, so that a recording of their traffic can be read. Whoever has them can read and change
    /// everything: for looking for faults, never in production. Default: nowhere.
    #[must_use]
    pub fn key_log(mut self, log: Arc<dyn KeyLog>) -> Self {
        self.key_log = Some(KeyLogger(log));
        self
    }

    /// When video is protected by parity. Default: [`Parity::WhenLost`].
    #[must_use]
    pub fn parity(mut self, parity: Parity) -> Self {
        self.parity = parity;
        self
    }

    /// Whether `flexfec-03` is negotiated: parity in a stream of its own, which Chromium has in a trial. Default: no, as it is a draft
    /// that others have left behind.
    #[must_use]
    pub fn flexfec(mut self, on: bool) -> Self {
        self.flexfec = on;
        self
    }

    /// Whether header extensions and contributing sources of media are encrypted whole, where the peer takes it (RFC 9335, `a=cryptex`).
    /// Without it they are authenticated, and whoever sees the datagrams can read them. Default: no, as no browser takes it yet.
    #[must_use]
    pub fn cryptex(mut self, on: bool) -> Self {
        self.cryptex = on;
        self
    }

    /// Whether the header extensions that tell how loud somebody speaks are encrypted, where the peer takes it (RFC 6904): offers have
    /// them in both forms. Under Cryptex they are encrypted anyway. Default: no, as it costs each packet another pass, and most peers do not.
    #[must_use]
    pub fn encrypted_levels(mut self, on: bool) -> Self {
        self.encrypted_levels = on;
        self
    }

    /// How many datagrams go to the kernel at once. 1 where the system cannot split. Default, and at
    /// most: 64.
    #[must_use]
    pub fn max_segments(mut self, datagrams: usize) -> Self {
        self.max_segments = datagrams.clamp(1, MAX_SEGMENTS);
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            loopback: false,
            link_local: false,
            ipv4: true,
            ipv6: true,
            hide_addresses: false,
            ice_lite: false,
            ice_renomination: true,
            networks: Networks::default(),
            ice_tcp: false,
            max_message_size: 262_144,
            max_outgoing_message_size: 1 << 30,
            max_channels: 1024,
            receive_window: 4 << 20,
            congestion_control: CongestionControl::default(),
            interleaving: true,
            zero_checksum: true,
            snap: false,
            send_buffer: 1 << 20,
            max_burst: MAX_BURST,
            max_segments: MAX_SEGMENTS,
            dscp: false,
            tls_roots: Vec::new(),
            key_log: None,
            dtls: Chosen::default(),
            parity: Parity::default(),
            flexfec: false,
            cryptex: false,
            encrypted_levels: false,
            media: MediaLimits::default(),
        }
    }
}

const MAX_SERVERS: usize = 32;
/// The longest message that an association takes, in bytes.
const MAX_MESSAGE: u32 = 1 << 30;
/// The kernel takes a batch as one UDP datagram.
const MAX_BURST: usize = 65_487;
const MAX_SEGMENTS: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::KeyAlgorithm;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn certificate() -> Certificate {
        Certificate::generate_at(KeyAlgorithm::EcdsaP256, now(), None).unwrap()
    }

    /// [4.2.1-01] [4.2.1-02] [4.2.1-04] [4.2.4-01] [4.2.4-02]
    #[test]
    fn json_is_the_browsers() {
        let empty: Configuration = serde_json::from_str("{}").unwrap();
        assert_eq!(empty, Configuration::default());
        let text = r#"{"iceServers":[{"urls":"stun:a"},{"urls":["turn:b"],"username":"u",
            "credential":"c"}],"iceTransportPolicy":"relay","bundlePolicy":"max-bundle"}"#;
        let configuration: Configuration = serde_json::from_str(text).unwrap();
        assert_eq!(configuration.ice_servers[0], IceServer::new("stun:a"));
        assert_eq!(configuration.ice_servers[1].username.as_deref(), Some("u"));
        assert_eq!(
            configuration.ice_transport_policy,
            IceTransportPolicy::Relay
        );
        assert_eq!(configuration.bundle_policy, BundlePolicy::MaxBundle);
        for wrong in [
            r#"{"iceServers":[{}]}"#,
            r#"{"iceCandidatePoolSize":256}"#,
            r#"{"iceCandidatePoolSize":-1}"#,
            r#"{"rtcpMuxPolicy":"none"}"#,
            r#"{"bundlePolicy":"none"}"#,
        ] {
            assert!(
                serde_json::from_str::<Configuration>(wrong).is_err(),
                "{wrong}"
            );
        }
    }

    /// [4.4.1.7-01] [4.4.1.7-02] [4.4.1.7-03] [4.4.1.7-04] [4.2.6-05] [4.2.7-03]
    #[test]
    fn what_is_fixed_cannot_change() {
        let old = Configuration {
            certificates: vec![certificate()],
            ..Configuration::default()
        };
        let refused = |new: &Configuration, described| {
            let error = new.check(Some(&old), described).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidModification);
        };
        assert_eq!(old.check(Some(&old), true), Ok(()));
        refused(&Configuration::default(), false);
        refused(
            &Configuration {
                certificates: vec![certificate()],
                ..old.clone()
            },
            false,
        );
        refused(
            &Configuration {
                bundle_policy: BundlePolicy::MaxBundle,
                ..old.clone()
            },
            false,
        );
        refused(
            &Configuration {
                rtcp_mux_policy: RtcpMuxPolicy::Negotiate,
                ..old.clone()
            },
            false,
        );
        let pooled = Configuration {
            ice_candidate_pool_size: 1,
            ..old.clone()
        };
        refused(&pooled, true);
        assert_eq!(pooled.check(Some(&old), false), Ok(()));
    }

    /// [4.2.7-02] [4.4.2-61]
    #[test]
    fn what_the_draft_of_2019_allowed_is_answered() {
        let text = r#"{"rtcpMuxPolicy":"negotiate"}"#;
        let it: Configuration = serde_json::from_str(text).unwrap();
        assert_eq!(it.rtcp_mux_policy, RtcpMuxPolicy::Negotiate);
        let error = it.check(None, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotSupported);
        assert_eq!(Configuration::default_ice_servers(), []);
    }

    /// [4.4.1.1-03]
    #[test]
    fn an_expired_certificate_is_refused() {
        let it = Configuration {
            certificates: vec![certificate()],
            ..Configuration::default()
        };
        let end = now() + Duration::from_secs(30 * 24 * 3600);
        assert_eq!(it.check_certificates(end), Ok(()));
        // At once, and not a second later.
        let late = end + Duration::from_millis(1);
        let error = it.check_certificates(late).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAccess);
    }

    #[test]
    fn the_credential_is_not_printed() {
        let server = IceServer::with_credential("turn:a", "u", "secret");
        assert!(!format!("{server:?}").contains("secret"));
    }
}
