//! What only an application can know: the values of its encoders, decoders and devices.

use std::collections::BTreeMap;

use crate::{
    AudioPlayoutStats, AudioSourceStats, InboundRtpStreamStats, OutboundRtpStreamStats,
    QualityLimitationReason, VideoSourceStats,
};

/// Values of an application, and the dictionary that they go into; those of one kind of media go into dictionaries of that kind only.
macro_rules! supplied {
    (
        $(#[$about:meta])*
        $name:ident for $Dictionary:ty {
            $( $(#[$member_about:meta])* $member:ident: $Member:ty, )*
        }
        $( only where $($step:ident).+ is $kind:literal {
            $( $(#[$special_about:meta])* $special:ident: $Special:ty, )*
        } )*
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $( $(#[$member_about])* pub $member: Option<$Member>, )*
            $( $( $(#[$special_about])* pub $special: Option<$Special>, )* )*
        }

        impl $name {
            /// Sets what there is, where the dictionary has it; what is `None` stays as it was counted.
            pub fn apply(&self, to: &mut $Dictionary) {
                $( set(&mut to.$member, &self.$member); )*
                $( if to.$($step).+.kind == $kind {
                    $( set(&mut to.$special, &self.$special); )*
                } )*
            }
        }
    };
}

fn set<T: Clone>(to: &mut Option<T>, told: &Option<T>) {
    if told.is_some() {
        to.clone_from(told);
    }
}

supplied! {
    /// What an encoder tells of one encoding: it goes into its [`OutboundRtpStreamStats`]. Of sound that is the bit rate alone.
    EncoderStats for OutboundRtpStreamStats {
        /// Bits a second that it is to make.
        target_bitrate: f64,
    }
    only where sent.stream is "video" {
        /// Frames encoded, where that is not each that was written.
        frames_encoded: u32,
        /// Key frames among them.
        key_frames_encoded: u32,
        /// The sum of the quantizers of frames encoded.
        qp_sum: u64,
        /// Seconds spent on encoding.
        total_encode_time: f64,
        /// Bytes that the frames encoded were to have.
        total_encoded_bytes_target: u64,
        /// Of the last frame, in pixels.
        frame_width: u32,
        /// Of the last frame, in pixels.
        frame_height: u32,
        /// Frames in the last second.
        frames_per_second: f64,
        /// The sum of the signal-to-noise ratios, by component.
        psnr_sum: BTreeMap<String, f64>,
        /// How many frames were measured for it.
        psnr_measurements: u64,
        /// Why less is sent than could be.
        quality_limitation_reason: QualityLimitationReason,
        /// How many seconds for each reason.
        quality_limitation_durations: BTreeMap<QualityLimitationReason, f64>,
        /// How often the size changed for it.
        quality_limitation_resolution_changes: u32,
        /// What it is called.
        encoder_implementation: String,
        /// It is thought to save power.
        power_efficient_encoder: bool,
        /// The scalability mode in use.
        scalability_mode: String,
    }
}

supplied! {
    /// What a decoder, and what shows or plays its frames, tell of one stream: it goes into its [`InboundRtpStreamStats`], the members of
    /// sound into one of sound, those of pictures into one of pictures.
    DecoderStats for InboundRtpStreamStats {
        /// From the first packet of a frame until it is decoded, in seconds, summed.
        total_processing_delay: f64,
    }
    only where received.stream is "audio" {
        /// Samples that were played, made up ones included.
        total_samples_received: u64,
        /// Seconds of the samples.
        total_samples_duration: f64,
        /// Samples that were made up.
        concealed_samples: u64,
        /// Those of them that were silence.
        silent_concealed_samples: u64,
        /// How often samples began to be made up.
        concealment_events: u64,
        /// Samples added to play more slowly.
        inserted_samples_for_deceleration: u64,
        /// Samples left out to play faster.
        removed_samples_for_acceleration: u64,
        /// From 0 to 1, which is 0 dBov.
        audio_level: f64,
        /// Squares of the level, by their seconds.
        total_audio_energy: f64,
    }
    only where received.stream is "video" {
        /// Frames decoded.
        frames_decoded: u32,
        /// Key frames among them.
        key_frames_decoded: u32,
        /// Frames that were shown.
        frames_rendered: u32,
        /// Frames that were dropped, where those that never came whole are not all.
        frames_dropped: u32,
        /// Of the last frame, in pixels.
        frame_width: u32,
        /// Of the last frame, in pixels.
        frame_height: u32,
        /// Frames in the last second.
        frames_per_second: f64,
        /// The sum of the quantizers of frames decoded.
        qp_sum: u64,
        /// Seconds spent on decoding.
        total_decode_time: f64,
        /// The sum of the times between frames shown, in seconds.
        total_inter_frame_delay: f64,
        /// The sum of the squares of these times.
        total_squared_inter_frame_delay: f64,
        /// How often nothing was shown for five seconds.
        pause_count: u32,
        /// The seconds of that.
        total_pauses_duration: f64,
        /// How often a frame stood for longer than the frames before it explain.
        freeze_count: u32,
        /// The seconds of that.
        total_freezes_duration: f64,
        /// What it is called.
        decoder_implementation: String,
        /// It is thought to save power.
        power_efficient_decoder: bool,
        /// The sum of how likely it is that frames were damaged.
        total_corruption_probability: f64,
        /// The sum of the squares of that.
        total_squared_corruption_probability: f64,
        /// How many frames were measured for it.
        corruption_measurements: u64,
    }
}

supplied! {
    /// What a microphone, and what cleans its sound, tell: it goes into [`AudioSourceStats`].
    MicrophoneStats for AudioSourceStats {
        /// From 0 to 1, which is 0 dBov.
        audio_level: f64,
        /// Squares of the level, by their seconds.
        total_audio_energy: f64,
        /// Seconds of audio.
        total_samples_duration: f64,
        /// How much the echo is weaker than what was played, in decibels.
        echo_return_loss: f64,
        /// How much of the rest the canceller takes away, in decibels.
        echo_return_loss_enhancement: f64,
    }
}

supplied! {
    /// What a camera tells, before anything is encoded: it goes into [`VideoSourceStats`].
    CameraStats for VideoSourceStats {
        /// Of the last frame, in pixels.
        width: u32,
        /// Of the last frame, in pixels.
        height: u32,
        /// Frames so far.
        frames: u32,
        /// Frames of the last second.
        frames_per_second: f64,
    }
}

supplied! {
    /// What plays received audio tells: it makes the [`AudioPlayoutStats`] of a receiver.
    PlayoutStats for AudioPlayoutStats {
        /// Seconds of audio that had to be made up since none came.
        synthesized_samples_duration: f64,
        /// How often that began.
        synthesized_samples_events: u32,
        /// Seconds of audio played.
        total_samples_duration: f64,
        /// Samples by the seconds that each waited to be heard.
        total_playout_delay: f64,
        /// Samples played.
        total_samples_count: u64,
    }
}

/// What a source tells, by what it gives.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceStats {
    /// Of sound.
    Microphone(MicrophoneStats),
    /// Of pictures.
    Camera(CameraStats),
}
