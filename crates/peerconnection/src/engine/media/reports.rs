//! What statistics are told of media that RTP does not know: what sources give, and what the application says.

use std::time::{Duration, Instant};

use oxirtc_rtp::Recent;

use super::batch::MediaBatch;
use crate::stats::{DecoderStats, EncoderStats, PlayoutStats, SourceStats};

/// What a sender's track has given.
#[derive(Debug, Default)]
pub(in crate::engine) struct Given {
    /// Frames of video, of the first lane.
    pub(in crate::engine) frames: u32,
    /// When those of the last second came.
    pub(in crate::engine) recent: Recent,
    /// The largest of the lanes, of their last key frames.
    pub(in crate::engine) size: Option<(u16, u16)>,
    /// The level of the last audio, from 0 to 1.
    pub(in crate::engine) level: Option<f64>,
    /// Squares of the level, by the seconds.
    pub(in crate::engine) energy: f64,
    /// How much audio there was.
    pub(in crate::engine) lasted: Duration,
}

/// What the application says of a sender.
#[derive(Debug, Default)]
pub(in crate::engine) struct SenderReport {
    /// The id of its track.
    pub(in crate::engine) track: Option<String>,
    /// How many tracks it has had.
    pub(in crate::engine) tracks: u32,
    pub(in crate::engine) given: Given,
    pub(in crate::engine) source: Option<SourceStats>,
    /// Of the encodings, at their places.
    pub(in crate::engine) encoders: Vec<EncoderStats>,
}

/// What the application says of a receiver.
#[derive(Debug, Default)]
pub(in crate::engine) struct ReceiverReport {
    /// The id of its track.
    pub(in crate::engine) track: Option<String>,
    /// Of the lanes, at their places.
    pub(in crate::engine) decoders: Vec<DecoderStats>,
    pub(in crate::engine) playout: Option<PlayoutStats>,
}

impl Given {
    /// Counts what a source gives.
    pub(super) fn note(&mut self, now: Instant, batch: &MediaBatch) {
        for packet in &batch.inner().packets {
            if let Some((_, plays)) = packet.codec.plays(&packet.payload) {
                self.lasted += plays;
                if let Some(level) = packet.values.level {
                    let level = level.linear();
                    self.level = Some(level);
                    self.energy += level * level * plays.as_secs_f64();
                }
            } else if !packet.codec.is_audio() {
                if let Some((width, height)) = packet.facts.size {
                    let (other_width, other_height) = match batch.lane() {
                        0 => (0, 0),
                        _ => self.size.unwrap_or_default(),
                    };
                    self.size = Some((width.max(other_width), height.max(other_height)));
                }
                if packet.marker && batch.lane() == 0 {
                    self.frames = self.frames.wrapping_add(1);
                    self.recent.note(now);
                }
            }
        }
    }
}
