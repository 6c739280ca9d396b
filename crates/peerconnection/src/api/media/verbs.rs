//! What W3C's §5.1 adds to a connection.

use super::{
    receiver::RtpReceiver,
    sender::RtpSender,
    stream::{MediaStream, ids},
    track::MediaStreamTrack,
    transceiver::{RtpTransceiver, RtpTransceiverInit, TrackOrKind},
};
use crate::{
    Error, ErrorKind, Event, PeerConnection, RtpTransceiverDirection, api::engine_lock::State,
    engine::TransceiverId,
};

impl PeerConnection {
    /// `addTrack()`: sends a track to the peer, which finds it in these streams. A sender that was never used is used again.
    /// Negotiation is needed then. A track may be given to any number of connections.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, `InvalidAccess` when a sender has the track already.
    pub fn add_track(
        &self,
        track: &MediaStreamTrack,
        streams: &[MediaStream],
    ) -> Result<RtpSender, Error> {
        let id = self.connection().with(|state| {
            let now = state.carrier.now();
            let (kind, number) = (track.kind(), track.number());
            let id = state.engine.add_track(kind, number, ids(streams))?;
            state.queues.media.send(id, Some(track), &state.inbox);
            state.carrier.flush(now, &mut state.engine);
            Ok::<_, Error>(id)
        })?;
        Ok(RtpSender::new(self.keep_open.clone(), id))
    }

    /// `removeTrack()`: the sender stays, and sends nothing. Negotiation is needed then.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, `InvalidAccess` for a sender of another connection.
    pub fn remove_track(&self, sender: &RtpSender) -> Result<(), Error> {
        self.connection().with(|state| {
            // [5.1-08]
            if state.engine.is_closed() {
                return Err(Error::closed());
            }
            if !sender.is_of(&self.keep_open) {
                let message = "the sender is of another connection";
                return Err(Error::new(ErrorKind::InvalidAccess, message));
            }
            let now = state.carrier.now();
            state.engine.remove_track(now, sender.id())?;
            let left = state.engine.transceiver(sender.id());
            if left.is_none_or(|it| it.track().is_none()) {
                state.queues.media.send(sender.id(), None, &state.inbox);
            }
            state.carrier.flush(now, &mut state.engine);
            Ok(())
        })
    }

    /// `addTransceiver()`: a sender and a receiver of their own, for a track or a kind of media. Negotiation is needed then.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed; `Type` for a direction and rids that cannot be; `InvalidAccess` for a payload type; `Operation` for a
    /// codec, a mode or a size that cannot be; `Range` for a value out of its range; `InvalidModification` for `ptime` beside
    /// `adaptive_ptime`.
    pub fn add_transceiver(
        &self,
        track_or_kind: impl Into<TrackOrKind>,
        init: RtpTransceiverInit,
    ) -> Result<RtpTransceiver, Error> {
        let wanted = track_or_kind.into();
        let kind = wanted.kind();
        let (id, track) = self.connection().with(|state| {
            let now = state.carrier.now();
            let number = wanted.track().map(MediaStreamTrack::number);
            let init = init.into_engine();
            let id = state.engine.add_transceiver(kind, number, init)?;
            let media = &mut state.queues.media;
            media.send(id, wanted.track(), &state.inbox);
            let view = state.engine.transceiver(id).ok_or_else(Error::closed)?;
            let track = media.received(view, &state.inbox);
            state.carrier.flush(now, &mut state.engine);
            Ok::<_, Error>((id, track))
        })?;
        Ok(RtpTransceiver::new(self.keep_open.clone(), id, track))
    }

    /// `getTransceivers()`: in the order in which they were added.
    pub fn transceivers(&self) -> Vec<RtpTransceiver> {
        let all = self.connection().with(|state| {
            let media = &mut state.queues.media;
            let all = state.engine.transceivers();
            let tracked = all.map(|it| (it.id(), media.received(it, &state.inbox)));
            tracked.collect::<Vec<_>>()
        });
        let made = |(id, track)| RtpTransceiver::new(self.keep_open.clone(), id, track);
        all.into_iter().map(made).collect()
    }

    /// `getSenders()`: those of transceivers that are not stopped.
    pub fn senders(&self) -> Vec<RtpSender> {
        self.running().map(|it| it.sender()).collect()
    }

    /// `getReceivers()`: those of transceivers that are not stopped.
    pub fn receivers(&self) -> Vec<RtpReceiver> {
        self.running().map(|it| it.receiver()).collect()
    }

    fn running(&self) -> impl Iterator<Item = RtpTransceiver> {
        let all = self.transceivers().into_iter();
        all.filter(|it| it.current_direction() != Some(RtpTransceiverDirection::Stopped))
    }

    /// The event of a track that the peer sends.
    pub(in crate::api) fn track_event(
        &self,
        id: TransceiverId,
        streams: &[String],
    ) -> Option<Event> {
        let (track, streams) = self.connection().with(|state| found(state, id, streams))?;
        let transceiver = RtpTransceiver::new(self.keep_open.clone(), id, track.clone());
        Some(Event::Track {
            receiver: transceiver.receiver(),
            track,
            streams,
            transceiver,
        })
    }
}

/// `None` when the transceiver is gone again.
fn found(
    state: &mut State,
    id: TransceiverId,
    streams: &[String],
) -> Option<(MediaStreamTrack, Vec<MediaStream>)> {
    let view = state.engine.transceiver(id)?;
    let media = &mut state.queues.media;
    let track = media.received(view, &state.inbox);
    let streams = streams.iter().map(|it| media.stream(it)).collect();
    Some((track, streams))
}
