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
