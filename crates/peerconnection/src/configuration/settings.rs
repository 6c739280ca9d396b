//! What W3C leaves to the implementation.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};

use oxirtc_jsep::Credentials;

use super::{
    media::MediaLimits,
    networks::{Cost, Filter, IpHandling, Networks},
};
use crate::{
    DtlsGroup, DtlsVersion, Interface, KeyLog, SrtpProfile, dtls::Chosen, key_log::KeyLogger,
};

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
    pub(crate) most_transports: usize,
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
    /// Groups that no [version](Self::dtls_versions) knows are refused by [`PeerConnection::with_settings`](crate::PeerConnection::with_settings)
    /// and its kin: X25519MLKEM768 alone is for DTLS 1.3.
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

    /// The longest frame of a remote track, in bytes: one that is longer is dropped, counted, and a key frame asked for. For what is
    /// written there is [`FrameWriter::set_largest_frame`](crate::media::FrameWriter::set_largest_frame). Default: 4 MiB.
    #[must_use]
    pub fn largest_frame(mut self, bytes: usize) -> Self {
        self.media.frame = bytes;
        self
    }

    /// How many transports the sections of an offer of the peer have together, at least 1; one that bundles them all, as browsers do, needs
    /// one. Sections that need a further one are rejected: each has an ICE agent, and sockets where no port is shared. Default: 64.
    #[must_use]
    pub fn most_transports(mut self, transports: usize) -> Self {
        self.most_transports = transports;
        self
    }

    /// How many SSRCs of the peer are followed on a transport, repair streams and the one that it reports by included. Packets of further ones are dropped and counted.
    /// Each costs some kilobytes. Default: 256.
    #[must_use]
    pub fn most_remote_streams(mut self, streams: usize) -> Self {
        self.media.streams = streams;
        self
    }

    /// How many packets of a remote stream wait for one that is missing before them. When more have come it is given up, and video goes
    /// on with a key frame that is asked for. More let a stream of many packets a second be repaired over a longer path. Default: 512.
    #[must_use]
    pub fn most_reordered_packets(mut self, packets: usize) -> Self {
        self.media.reorder = packets;
        self
    }

    /// How many missing packets of a remote stream are asked for by NACK at a time. A gap that is longer is given up. Default: 1,000.
    #[must_use]
    pub fn most_missing_packets(mut self, packets: usize) -> Self {
        self.media.missing = packets;
        self
    }

    /// How long, and how many packets of each stream of ours are kept to be sent again when the peer asks for them, whichever is less.
    /// What is kept of a forwarded track is shared by all its receivers. Default: 1 s, 1,024 packets.
    #[must_use]
    pub fn retransmission_history(mut self, time: Duration, packets: usize) -> Self {
        self.media.history = (time, packets);
        self
    }

    /// How many bytes the frames of all remote streams of a transport take together until they are read, whole or not. Beyond it the stream that
    /// holds most loses what it holds, and goes on with a key frame. Default: 64 MiB.
    #[must_use]
    pub fn most_buffered_frames(mut self, bytes: usize) -> Self {
        self.media.buffered = bytes;
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
            most_transports: 64,
        }
    }
}

/// The longest message that an association takes, in bytes.
const MAX_MESSAGE: u32 = 1 << 30;
/// The kernel takes a batch as one UDP datagram.
const MAX_BURST: usize = 65_487;
const MAX_SEGMENTS: usize = 64;
