//! Down to the association: messages, announcements, resets.

use std::time::Instant;

use oxirtc_datachannel as datachannel;
use oxirtc_sctp as sctp;

use super::Data;
use crate::{
    Error, ErrorDetail, ErrorKind, Message, SendError,
    engine::{convert, ids::ChannelId},
};

impl Data {
    /// W3C §6.2, `send()`.
    pub(in crate::engine) fn send(
        &mut self,
        now: Instant,
        id: ChannelId,
        message: &Message,
    ) -> Result<(), SendError> {
        let channel = self.session.sending(id.0).map_err(not_open)?;
        let sctp = self.sctp.as_mut();
        let carried =
            sctp.and_then(|it| Some((it.association.as_deref_mut()?, it.max_message_size)));
        let (association, limit) = carried.ok_or_else(|| not_open(datachannel::Error::NotOpen))?;
        let length = message.len();
        if limit.is_some_and(|limit| length as u64 > limit) {
            let message = "the message is longer than the peer takes";
            return Err(SendError::Refused(Error::new(ErrorKind::Type, message)));
        }
        // RFC 8831 §6.6: an empty message has one byte.
        let room = match association.room(channel.stream(), length.max(1)) {
            Ok(room) => room,
            Err(sctp::Error::BufferFull) => {
                association.announce_room();
                return Err(SendError::Full);
            }
            Err(error) => return Err(not_taken(error)),
        };
        if room.buffered_amount() >= self.limits.send_buffer {
            return Err(SendError::Full);
        }
        let room = if length == 0 { room.uncounted() } else { room };
        let outgoing = channel.send(convert::payload(message));
        pass(now, room, outgoing).map_err(not_taken)
    }

    /// The next announcement, acknowledgement or reset, before anything that follows it. False when there is none, or no room.
    pub(super) fn pass_down(&mut self, now: Instant) -> bool {
        let sctp = self.sctp.as_mut();
        let Some(association) = sctp.and_then(|it| it.association.as_deref_mut()) else {
            return false;
        };
        if let Some((stream, length)) = self.session.peek_send() {
            match association.room(stream, length) {
                Err(sctp::Error::BufferFull) => {
                    association.announce_room();
                    return false;
                }
                // [6.2-23]
                Err(sctp::Error::MessageTooLarge { .. }) => self.session.refuse_send(),
                // When the association is closing, its end will close the channel.
                room => {
                    let outgoing = self.session.poll_send();
                    let pass = |room: sctp::Room<'_>| {
                        outgoing.map_or(Ok(()), |it| pass(now, room.uncounted(), it))
                    };
                    if let Err(error) = room.and_then(pass) {
                        log::debug!("{}: an announcement was not taken: {error}", self.label);
                    }
                }
            }
            return true;
        }
        let Some(stream) = self.session.poll_reset() else {
            return false;
        };
        if association.reset_streams(now, &[stream]).is_err() {
            // A peer without RFC 6525 cannot reset: our side is done as far as it can be.
            self.session.handle_outgoing_reset(stream);
        }
        true
    }
}

#[inline]
fn pass(
    now: Instant,
    room: sctp::Room<'_>,
    outgoing: datachannel::Outgoing,
) -> Result<(), sctp::Error> {
    let options = sctp::SendOptions {
        ordered: outgoing.ordered,
        reliability: convert::reliability(outgoing.reliability),
    };
    room.send(now, outgoing.ppid, outgoing.payload, options)
}

/// A call on a channel that cannot take it.
fn not_open(error: datachannel::Error) -> SendError {
    SendError::Refused(convert::channel_error(error))
}

/// [6.2-08]
fn not_taken(error: sctp::Error) -> SendError {
    let detail = ErrorDetail::SctpFailure { cause_code: None };
    let message = "the association did not take the message";
    SendError::Refused(Error::with_detail(detail, message).with_source(error))
}
