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

#[cfg(test)]
mod tests {
    use oxirtc_netsim::{epoch, ms, secs};

    use super::*;
    use crate::{Codec, EncodedFrame, engine::Cutter};

    /// A key frame of several packets that says this size.
    fn picture(size: (u16, u16)) -> EncodedFrame {
        let mut payload = vec![7; 3000];
        payload[..6].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a]);
        payload[6..8].copy_from_slice(&size.0.to_le_bytes());
        payload[8..10].copy_from_slice(&size.1.to_le_bytes());
        EncodedFrame::new(Codec::Vp8, payload)
    }

    /// Pictures are counted of the first lane, once each; they are as large as the largest of its layers, each way.
    #[test]
    fn pictures_are_counted_and_measured() {
        let (mut cutter, mut given) = (Cutter::new(), Given::default());
        let steps = [
            (0, (640, 180), (640, 180), 1),
            (1, (320, 360), (640, 360), 1),
            (0, (160, 90), (160, 90), 2),
            (1, (320, 45), (320, 90), 2),
        ];
        for (lane, size, largest, frames) in steps {
            let batch = cutter.cut_frame(epoch(), lane, &picture(size)).unwrap();
            assert!(batch.len() > 1);
            given.note(epoch(), &batch);
            assert_eq!(given.size, Some(largest));
            assert_eq!(given.frames, frames);
        }
        assert_eq!(given.recent.rate(epoch()), Some(2));
        assert_eq!((given.level, given.lasted), (None, Duration::ZERO));
    }

    /// W3C's `totalAudioEnergy`: squares of the level, by the seconds that it lasts. What has no level lasts as long.
    #[test]
    fn audio_has_its_energy() {
        let (mut cutter, mut given) = (Cutter::new(), Given::default());
        for (at, level) in [Some(20), Some(0), None].into_iter().enumerate() {
            // SILK of one frame of 60 ms (RFC 6716 §3.1).
            let mut frame = EncodedFrame::new(Codec::Opus, vec![0x18; 40]);
            frame.audio_level = level;
            let now = epoch() + ms(60) * at as u32;
            let batch = cutter.cut_frame(now, 0, &frame).unwrap();
            given.note(now, &batch);
        }
        assert_eq!(given.lasted, ms(180));
        assert_eq!(given.level, Some(1.0));
        // -20 dB is a tenth.
        let energy = (0.01 + 1.0) * 0.06;
        assert!((given.energy - energy).abs() < 1e-9, "{}", given.energy);
        assert_eq!((given.frames, given.size), (0, None));
        assert_eq!(given.recent.rate(epoch() + secs(1)), None);
    }
}
