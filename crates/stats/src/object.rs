//! One object of a report.

use serde::{Deserialize, Serialize};

use crate::{
    AudioPlayoutStats, AudioSourceStats, CertificateStats, CodecStats, DataChannelStats,
    IceCandidatePairStats, IceCandidateStats, InboundRtpStreamStats, OutboundRtpStreamStats,
    PeerConnectionStats, RemoteInboundRtpStreamStats, RemoteOutboundRtpStreamStats, Stats,
    StatsType, TransportStats, VideoSourceStats,
};

/// An object of a report: a dictionary with its type. In JSON it is one flat object, as in browsers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StatsObject {
    /// A codec of a transport (`codec`).
    Codec(CodecStats),
    /// A stream that is received, as this side counts it (`inbound-rtp`).
    InboundRtp(Box<InboundRtpStreamStats>),
    /// A stream that is sent, as this side counts it (`outbound-rtp`).
    OutboundRtp(Box<OutboundRtpStreamStats>),
    /// A stream that is sent, as the peer reports it (`remote-inbound-rtp`).
    RemoteInboundRtp(RemoteInboundRtpStreamStats),
    /// A stream that is received, as the peer reports it (`remote-outbound-rtp`).
    RemoteOutboundRtp(RemoteOutboundRtpStreamStats),
    /// What a sender sends, before it is encoded (`media-source`).
    MediaSource(MediaSource),
    /// What plays received audio (`media-playout`).
    MediaPlayout(AudioPlayoutStats),
    /// The connection: how many channels it has had (`peer-connection`).
    PeerConnection(PeerConnectionStats),
    /// A data channel (`data-channel`).
    DataChannel(DataChannelStats),
    /// A transport: ICE with DTLS (`transport`).
    Transport(Box<TransportStats>),
    /// Two addresses that were tried together (`candidate-pair`).
    CandidatePair(Box<IceCandidatePairStats>),
    /// An address of this side (`local-candidate`).
    LocalCandidate(IceCandidateStats),
    /// An address of the peer (`remote-candidate`).
    RemoteCandidate(IceCandidateStats),
    /// A certificate of either side (`certificate`).
    Certificate(CertificateStats),
}

/// The two shapes of `media-source`. Which of them it is, is W3C's `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MediaSource {
    /// Sound (`audio`).
    Audio(AudioSourceStats),
    /// Pictures (`video`).
    Video(VideoSourceStats),
}

impl StatsObject {
    /// Its type.
    pub fn kind(&self) -> StatsType {
        match self {
            Self::Codec(_) => StatsType::Codec,
            Self::InboundRtp(_) => StatsType::InboundRtp,
            Self::OutboundRtp(_) => StatsType::OutboundRtp,
            Self::RemoteInboundRtp(_) => StatsType::RemoteInboundRtp,
            Self::RemoteOutboundRtp(_) => StatsType::RemoteOutboundRtp,
            Self::MediaSource(_) => StatsType::MediaSource,
            Self::MediaPlayout(_) => StatsType::MediaPlayout,
            Self::PeerConnection(_) => StatsType::PeerConnection,
            Self::DataChannel(_) => StatsType::DataChannel,
            Self::Transport(_) => StatsType::Transport,
            Self::CandidatePair(_) => StatsType::CandidatePair,
            Self::LocalCandidate(_) => StatsType::LocalCandidate,
            Self::RemoteCandidate(_) => StatsType::RemoteCandidate,
            Self::Certificate(_) => StatsType::Certificate,
        }
    }

    /// What it has in common with all others.
    pub fn stats(&self) -> &Stats {
        match self {
            Self::Codec(it) => &it.stats,
            Self::InboundRtp(it) => &it.received.stream.stats,
            Self::OutboundRtp(it) => &it.sent.stream.stats,
            Self::RemoteInboundRtp(it) => &it.received.stream.stats,
            Self::RemoteOutboundRtp(it) => &it.sent.stream.stats,
            Self::MediaSource(MediaSource::Audio(it)) => &it.source.stats,
            Self::MediaSource(MediaSource::Video(it)) => &it.source.stats,
            Self::MediaPlayout(it) => &it.stats,
            Self::PeerConnection(it) => &it.stats,
            Self::DataChannel(it) => &it.stats,
            Self::Transport(it) => &it.stats,
            Self::CandidatePair(it) => &it.stats,
            Self::LocalCandidate(it) | Self::RemoteCandidate(it) => &it.stats,
            Self::Certificate(it) => &it.stats,
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.stats().id
    }

    /// The ids of the objects that it refers to.
    pub fn references(&self) -> Vec<&str> {
        let named: Vec<Option<&String>> = match self {
            Self::Codec(it) => vec![Some(&it.transport_id)],
            Self::InboundRtp(it) => {
                let stream = &it.received.stream;
                let own = [&it.remote_id, &it.playout_id];
                refer(
                    [&stream.transport_id, &stream.codec_id]
                        .into_iter()
                        .chain(own),
                )
            }
            Self::OutboundRtp(it) => {
                let stream = &it.sent.stream;
                let own = [&it.remote_id, &it.media_source_id];
                refer(
                    [&stream.transport_id, &stream.codec_id]
                        .into_iter()
                        .chain(own),
                )
            }
            Self::RemoteInboundRtp(it) => {
                let stream = &it.received.stream;
                refer([&stream.transport_id, &stream.codec_id, &it.local_id])
            }
            Self::RemoteOutboundRtp(it) => {
                let stream = &it.sent.stream;
                refer([&stream.transport_id, &stream.codec_id, &it.local_id])
            }
            Self::Transport(it) => refer([
                &it.selected_candidate_pair_id,
                &it.local_certificate_id,
                &it.remote_certificate_id,
            ]),
            Self::CandidatePair(it) => vec![
                Some(&it.transport_id),
                Some(&it.local_candidate_id),
                Some(&it.remote_candidate_id),
            ],
            Self::LocalCandidate(it) | Self::RemoteCandidate(it) => vec![Some(&it.transport_id)],
            Self::Certificate(it) => refer([&it.issuer_certificate_id]),
            Self::MediaSource(_)
            | Self::MediaPlayout(_)
            | Self::PeerConnection(_)
            | Self::DataChannel(_) => Vec::new(),
        };
        named.into_iter().flatten().map(String::as_str).collect()
    }
}

fn refer<'a>(ids: impl IntoIterator<Item = &'a Option<String>>) -> Vec<Option<&'a String>> {
    ids.into_iter().map(Option::as_ref).collect()
}

/// A dictionary becomes the object of its type.
macro_rules! object_of {
    ($($dictionary:ident => $make:expr,)*) => {
        $(impl From<$dictionary> for StatsObject {
            fn from(it: $dictionary) -> Self {
                $make(it)
            }
        })*
    };
}

object_of! {
    CodecStats => Self::Codec,
    InboundRtpStreamStats => |it| Self::InboundRtp(Box::new(it)),
    OutboundRtpStreamStats => |it| Self::OutboundRtp(Box::new(it)),
    RemoteInboundRtpStreamStats => Self::RemoteInboundRtp,
    RemoteOutboundRtpStreamStats => Self::RemoteOutboundRtp,
    AudioSourceStats => |it| Self::MediaSource(MediaSource::Audio(it)),
    VideoSourceStats => |it| Self::MediaSource(MediaSource::Video(it)),
    AudioPlayoutStats => Self::MediaPlayout,
    PeerConnectionStats => Self::PeerConnection,
    DataChannelStats => Self::DataChannel,
    TransportStats => |it| Self::Transport(Box::new(it)),
    IceCandidatePairStats => |it| Self::CandidatePair(Box::new(it)),
    CertificateStats => Self::Certificate,
}
