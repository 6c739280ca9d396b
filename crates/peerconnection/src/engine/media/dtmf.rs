//! Tones of an audio sender (W3C §7).

use std::time::{Duration, Instant};

use oxirtc_rtp::payload::telephone;

use super::transceivers::MediaTransceiver;
use crate::{
    Error, ErrorKind, MediaKind, PeerConnectionState,
    engine::{Engine, ids::TransceiverId, task::Event},
};

impl Engine {
    /// W3C §7.2, `insertDTMF()`: tones to be played after each other, in the place of what was still to be played.
    ///
    /// # Errors
    ///
    /// `InvalidState` when no tones can be sent now, `InvalidCharacter` for what is no tone.
    pub fn insert_dtmf(
        &mut self,
        now: Instant,
        id: TransceiverId,
        tones: &str,
        duration: Duration,
        gap: Duration,
    ) -> Result<(), Error> {
        if !self.can_insert_dtmf(id) {
            let message = "no tones can be sent now";
            return Err(Error::new(ErrorKind::InvalidState, message));
        }
        // [7.2-02] [7.2-03]
        let tones = tones.to_ascii_uppercase();
        if let Some(wrong) = tones
            .chars()
            .find(|it| *it != ',' && telephone::Event::of_tone(*it).is_none())
        {
            let message = format!("{wrong:?} is no tone");
            return Err(Error::new(ErrorKind::InvalidCharacter, message));
        }
        if let Some(it) = self.media.get_mut(id) {
            let dtmf = &mut it.sender.dtmf;
            dtmf.buffer = tones.chars().collect();
            dtmf.duration = duration.clamp(SHORTEST_TONE, LONGEST);
            dtmf.gap = gap.clamp(SHORTEST_GAP, LONGEST);
            // [7.2-05]: without a task there is nothing to end.
            if !dtmf.buffer.is_empty() {
                dtmf.next.get_or_insert(now);
            }
        }
        self.play_tones(now);
        self.ascend(now);
        Ok(())
    }

    /// [7.3-01] `canInsertDTMF`.
    pub fn can_insert_dtmf(&self, id: TransceiverId) -> bool {
        let described = self.negotiation.negotiator.transceiver(id.0);
        let running = described.is_some_and(|it| !it.is_stopping());
        let connected = self.states.connection == PeerConnectionState::Connected;
        let can = |it: &MediaTransceiver| {
            let negotiated = it.sender.negotiated.as_ref();
            it.kind == MediaKind::Audio
                && it.sender.track.is_some()
                && it.sender.sends
                && it.sender.encodings.first().is_none_or(|it| it.active)
                && negotiated.is_some_and(|it| !it.codecs.events.is_empty())
        };
        running && connected && !self.closed && self.media.get(id).is_some_and(can)
    }

    /// `toneBuffer`: what is still to be played.
    pub fn tone_buffer(&self, id: TransceiverId) -> String {
        let it = self.media.get(id);
        it.map_or_else(String::new, |it| it.sender.dtmf.buffer.iter().collect())
    }

    /// [7.2-06] The playout tasks that are due.
    pub(in crate::engine) fn play_tones(&mut self, now: Instant) {
        let due = |it: &MediaTransceiver| it.sender.dtmf.next.is_some_and(|at| at <= now);
        let ids: Vec<_> = self
            .media
            .iter()
            .filter(|it| due(it))
            .map(|it| it.id)
            .collect();
        for id in ids {
            let can = self.can_insert_dtmf(id);
            let Some(it) = self.media.get_mut(id) else {
                continue;
            };
            let (on, section) = (it.on, it.section());
            let dtmf = &mut it.sender.dtmf;
            dtmf.next = None;
            if !can {
                continue;
            }
            let tone = dtmf.buffer.pop_front();
            let lasts = match tone {
                Some(',') => Some(PAUSE),
                Some(_) => Some(dtmf.duration + dtmf.gap),
                None => None,
            };
            dtmf.next = lasts.map(|lasts| now + lasts);
            let duration = dtmf.duration;
            if let Some(code) = tone.and_then(telephone::Event::of_tone)
                && let Some((transport, _)) = on.and_then(|on| self.transports.lend(on))
                && let Some(path) = &mut transport.media
            {
                path.rtp.play_event(now, section, code, duration);
            }
            let tone = tone.map_or_else(String::new, String::from);
            self.tasks.push_one(Event::ToneChange(id, tone));
        }
    }

    /// When the next tone begins.
    pub(in crate::engine) fn next_tone(&self) -> Option<Instant> {
        let next = self.media.iter().filter_map(|it| it.sender.dtmf.next);
        next.min()
    }
}

/// [7.2-04]
const SHORTEST_TONE: Duration = Duration::from_millis(40);
const SHORTEST_GAP: Duration = Duration::from_millis(30);
const LONGEST: Duration = Duration::from_millis(6000);
const PAUSE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use oxirtc_netsim::{epoch, ms};

    use crate::{
        MediaKind,
        engine::{Settings, TransceiverInit, engine},
    };

    /// Of several senders the one whose tone begins first is due first.
    #[test]
    fn the_first_tone_is_due_first() {
        let mut engine = engine(1, Settings::default());
        assert_eq!(engine.next_tone(), None);
        for after in [7, 5, 9] {
            let init = TransceiverInit::default();
            let id = engine.add_transceiver(MediaKind::Audio, None, init);
            let it = engine.media.get_mut(id.unwrap()).unwrap();
            it.sender.dtmf.next = Some(epoch() + ms(after));
        }
        assert_eq!(engine.next_tone(), Some(epoch() + ms(5)));
    }
}
