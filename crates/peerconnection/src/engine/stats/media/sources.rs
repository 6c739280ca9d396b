//! What media comes from, and what plays it.

use super::super::pass::Pass;
use crate::{
    MediaKind,
    engine::media::MediaTransceiver,
    stats::{
        AudioPlayoutStats, AudioSourceStats, MediaSourceStats, SourceStats, StatsType,
        VideoSourceStats,
    },
};

impl Pass {
    /// The source of a sender that has a track, which several senders may share: its id.
    pub(super) fn source(&mut self, it: &MediaTransceiver) -> Option<String> {
        let track = it.sender.track?;
        let report = &it.sender.report;
        let named = report.track.clone();
        let name = named.unwrap_or_else(|| track.0.to_string());
        // [8.4-03] What a sender counts of a track begins anew when it has that track again, and is not what another sender counts.
        let key = format!("{} {}", it.section().0, report.tracks);
        let base = self.stats(StatsType::MediaSource, &key);
        let id = base.id.clone();
        let source = MediaSourceStats::new(base, name);
        let given = &report.given;
        match it.kind {
            MediaKind::Audio => {
                let mut audio = AudioSourceStats::new(source);
                audio.audio_level = given.level;
                audio.total_audio_energy = Some(given.energy);
                audio.total_samples_duration = Some(given.lasted.as_secs_f64());
                if let Some(SourceStats::Microphone(it)) = &report.source {
                    it.apply(&mut audio);
                }
                self.report.insert(audio);
            }
            MediaKind::Video => {
                let mut video = VideoSourceStats::new(source);
                video.width = given.size.map(|it| it.0.into());
                video.height = given.size.map(|it| it.1.into());
                video.frames = Some(given.frames);
                video.frames_per_second = self.rate(&given.recent);
                if let Some(SourceStats::Camera(it)) = &report.source {
                    it.apply(&mut video);
                }
                self.report.insert(video);
            }
        }
        Some(id)
    }

    /// What plays the audio of a receiver, if the application has told of it: its id.
    pub(super) fn playout(&mut self, it: &MediaTransceiver) -> Option<String> {
        let told = it.receiver.report.playout.as_ref()?;
        let key = it.section().0.to_string();
        let base = self.stats(StatsType::MediaPlayout, &key);
        let id = base.id.clone();
        let mut playout = AudioPlayoutStats::new(base, it.kind.to_string());
        told.apply(&mut playout);
        self.report.insert(playout);
        Some(id)
    }
}
