//! What the application supplies for statistics.

use super::transceivers::{MediaTransceiver, no_transceiver};
use crate::{
    Error,
    engine::{Engine, ids::TransceiverId},
    stats::{DecoderStats, EncoderStats, PlayoutStats, SourceStats},
};

impl Engine {
    /// The ids of the tracks of a transceiver, for statistics. Without them the tracks have the caller's number for a sender's, and
    /// the transceiver's for a receiver's.
    pub fn name_tracks(
        &mut self,
        id: TransceiverId,
        sender: Option<String>,
        receiver: Option<String>,
    ) {
        if let Some(it) = self.media.get_mut(id) {
            (it.sender.report.track, it.receiver.report.track) = (sender, receiver);
        }
    }

    /// What the encoder of an encoding tells, for statistics. It stands until the next call.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is not in the connection any more, `Type` when there is no such encoding.
    pub fn set_encoder_stats(
        &mut self,
        id: TransceiverId,
        encoding: usize,
        stats: EncoderStats,
    ) -> Result<(), Error> {
        let it = self.reported(id)?;
        let most = it.sender.encodings.len();
        put(&mut it.sender.report.encoders, encoding, most, stats)
    }

    /// What the decoder of a lane tells, for statistics; without simulcast that is lane 0. It stands until the next call.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is not in the connection any more, `Type` when there is no such lane.
    pub fn set_decoder_stats(
        &mut self,
        id: TransceiverId,
        lane: u8,
        stats: DecoderStats,
    ) -> Result<(), Error> {
        let it = self.reported(id)?;
        let negotiated = it.receiver.negotiated.as_deref();
        let most = negotiated.map_or(1, |it| it.rids.len().max(it.announced.len()).max(1));
        put(&mut it.receiver.report.decoders, lane.into(), most, stats)
    }

    /// What a sender's source tells, for statistics. It stands until the next call, or until the sender has another track.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is not in the connection any more.
    pub fn set_source_stats(&mut self, id: TransceiverId, stats: SourceStats) -> Result<(), Error> {
        self.reported(id)?.sender.report.source = Some(stats);
        Ok(())
    }

    /// What plays the audio of a receiver tells, for statistics: from now on there is a `media-playout`.
    ///
    /// # Errors
    ///
    /// `InvalidState` when the transceiver is not in the connection any more.
    pub fn set_playout_stats(
        &mut self,
        id: TransceiverId,
        stats: PlayoutStats,
    ) -> Result<(), Error> {
        self.reported(id)?.receiver.report.playout = Some(stats);
        Ok(())
    }

    fn reported(&mut self, id: TransceiverId) -> Result<&mut MediaTransceiver, Error> {
        self.media.get_mut(id).ok_or_else(no_transceiver)
    }
}

/// Puts a value at its place, of which there are so many.
fn put<T: Clone + Default>(
    list: &mut Vec<T>,
    place: usize,
    most: usize,
    value: T,
) -> Result<(), Error> {
    if place >= most {
        let message = "there is no such stream";
        return Err(Error::new(crate::ErrorKind::Type, message));
    }
    if list.len() <= place {
        list.resize(place + 1, T::default());
    }
    if let Some(at) = list.get_mut(place) {
        *at = value;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use oxirtc_jsep as jsep;

    use super::*;
    use crate::{
        ErrorKind, MediaKind, RtpEncodingParameters,
        engine::{Settings, TransceiverInit, engine, negotiate},
    };

    /// A decoder may tell of each lane that the peer has, by its rid or by its announcement, and of the first always; an encoder of each encoding.
    #[test]
    fn each_stream_has_its_place() {
        let [mut near, mut far] = [1, 2].map(|seed| engine(seed, Settings::default()));
        let init = TransceiverInit {
            encodings: ["a", "b"].map(RtpEncodingParameters::named).into(),
            ..TransceiverInit::default()
        };
        let here = near.add_transceiver(MediaKind::Video, None, init).unwrap();
        let alone = near.add_transceiver(MediaKind::Video, None, TransceiverInit::default());
        let alone = alone.unwrap();
        negotiate(&mut near, &mut far, true);
        let there = far.transceivers().next().unwrap().id();
        let places = |put: &mut dyn FnMut(usize) -> Result<(), Error>| {
            let places = (0..5).take_while(|at| put(*at).is_ok()).count();
            assert_eq!(put(places).unwrap_err().kind(), ErrorKind::Type);
            places
        };
        let encoders = |it: &mut Engine, id| {
            places(&mut |at| it.set_encoder_stats(id, at, EncoderStats::default()))
        };
        assert_eq!(encoders(&mut near, here), 2);
        assert_eq!(encoders(&mut near, alone), 1);
        let decoders = |it: &mut Engine, id| {
            places(&mut |at| it.set_decoder_stats(id, at as u8, DecoderStats::default()))
        };
        assert_eq!(decoders(&mut near, alone), 1);
        assert_eq!(decoders(&mut far, there), 2);
        let it = far.media.get_mut(there).unwrap();
        let negotiated = it.receiver.negotiated.as_mut().unwrap();
        negotiated.rids.clear();
        negotiated.announced = [1, 2, 3]
            .map(|ssrc| jsep::Announced {
                ssrc,
                rtx: None,
                fec: None,
            })
            .into();
        assert_eq!(decoders(&mut far, there), 3);
    }

    /// The names of the tracks are those of the sender's and of the receiver's.
    #[test]
    fn each_track_has_its_name() {
        let mut engine = engine(1, Settings::default());
        let id = engine.add_transceiver(MediaKind::Video, None, TransceiverInit::default());
        let id = id.unwrap();
        let [sent, received] = ["sent", "received"].map(|it| Some(it.to_owned()));
        engine.name_tracks(id, sent.clone(), received.clone());
        let it = engine.media.get(id).unwrap();
        assert_eq!(it.sender.report.track, sent);
        assert_eq!(it.receiver.report.track, received);
    }
}
