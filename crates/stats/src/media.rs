//! What media comes from and what plays it.

use crate::{Stats, dictionary::dictionary};

dictionary! {
    /// `RTCMediaSourceStats` (`media-source`): a track that is sent, before it is encoded. Its `kind` is the variant of
    /// [`MediaSource`](crate::MediaSource).
    #[doc(alias = "RTCMediaSourceStats")]
    MediaSourceStats {
        stats: Stats,
        /// The id of the track.
        track_identifier: String,
    } optional {
    }
}

dictionary! {
    /// `RTCAudioSourceStats` (`media-source`): audio that is sent.
    #[doc(alias = "RTCAudioSourceStats")]
    AudioSourceStats {
        source: MediaSourceStats,
    } optional {
        /// From 0 to 1, which is 0 dBov.
        audio_level: f64,
        /// Squares of the level, by their time in seconds.
        total_audio_energy: f64,
        /// Seconds of audio.
        total_samples_duration: f64,
        /// How much the echo is weaker than what was played, in decibels.
        echo_return_loss: f64,
        /// How much of the rest the canceller takes away, in decibels.
        echo_return_loss_enhancement: f64,
    }
}

dictionary! {
    /// `RTCVideoSourceStats` (`media-source`): video that is sent.
    #[doc(alias = "RTCVideoSourceStats")]
    VideoSourceStats {
        source: MediaSourceStats,
    } optional {
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

dictionary! {
    /// `RTCAudioPlayoutStats` (`media-playout`): what plays received audio.
    #[doc(alias = "RTCAudioPlayoutStats")]
    AudioPlayoutStats {
        stats: Stats,
        /// Always `audio`.
        kind: String,
    } optional {
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
