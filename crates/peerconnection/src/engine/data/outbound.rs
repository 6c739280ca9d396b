//! Down to the association: messages, announcements, resets.

use std::time::Instant;

use oxirtc_datachannel as datachannel;
use oxirtc_sctp as sctp;

use super::{
    super::{channel::ChannelId, convert},
    Data, no_such_channel,
};
use crate::{DataChannelState, Error, ErrorDetail, ErrorKind, Message, SendError};

impl Data {
    /// W3C §6.2, `send()`.
    pub(in super::super) fn send(
        &mut self,
        now: Instant,
        id: ChannelId,
        message: &Message,
    ) -> Result<(), SendError> {
        let channel = self
            .channels
            .get_mut(&id)
            .ok_or_else(|| refused(no_such_channel()))?;
        let sctp = self.transport.as_mut();
        let association = sctp.and_then(|it| Some((it.association.as_mut()?, it.max_message_size)));
        let (DataChannelState::Open, Some(inner), Some(stream), Some((association, limit))) =
            (channel.state, channel.inner, channel.stream, association)
        else {
            let message = "the channel is not open";
            return Err(refused(Error::new(ErrorKind::InvalidState, message)));
        };
        let length = message.len();
        if limit.is_some_and(|limit| length as u64 > limit) {
            let message = "the message is longer than the peer takes";
            return Err(refused(Error::new(ErrorKind::Type, message)));
        }
        if association.buffered_amount(stream) >= self.limits.send_buffer {
            return Err(SendError::Full);
        }
        let payload = convert::payload(message);
        let outgoing = self
            .session
            .send(inner, payload)
            .map_err(convert::channel_error);
        let outgoing = outgoing.map_err(refused)?;
        match pass(now, association, outgoing) {
            Ok(()) => {
                channel.counts.messages_sent += 1;
                channel.counts.bytes_sent += length as u64;
                Ok(())
            }
            Err((error, _)) => {
                self.session.take_back(inner, length);
                Err(match error {
                    sctp::Error::BufferFull => SendError::Full,
                    error => refused(not_taken(error)),
                })
            }
        }
    }

    /// Announcements, acknowledgements and resets, before anything that follows them.
    pub(in super::super) fn pass_down(&mut self, now: Instant) {
        let Some(association) = self
            .transport
            .as_mut()
            .and_then(|it| it.association.as_mut())
        else {
            return;
        };
        while let Some(outgoing) = self.held.take().or_else(|| self.session.poll_send()) {
            match pass(now, association, outgoing) {
                Ok(()) => {}
                Err((sctp::Error::BufferFull, outgoing)) => {
                    self.held = Some(outgoing);
                    return;
                }
                // The association is closing: its end will close the channel.
                Err((error, _)) => log::debug!("an announcement was not taken: {error}"),
            }
        }
        while let Some(stream) = self.session.poll_reset() {
            if association.reset_streams(now, &[stream]).is_err() {
                // A peer without RFC 6525 cannot reset: our side is done as far as it can be.
                self.session.handle_outgoing_reset(stream);
            }
        }
    }
}

fn pass(
    now: Instant,
    association: &mut sctp::Association,
    outgoing: datachannel::Outgoing,
) -> Result<(), (sctp::Error, datachannel::Outgoing)> {
    let options = sctp::SendOptions {
        ordered: outgoing.ordered,
        reliability: convert::reliability(outgoing.reliability),
    };
    let payload = outgoing.payload.clone();
    association
        .send(now, outgoing.stream, outgoing.ppid, payload, options)
        .map_err(|error| (error, outgoing))
}

fn refused(error: Error) -> SendError {
    SendError::Refused(error)
}

/// [6.2-08]
fn not_taken(error: sctp::Error) -> Error {
    let detail = ErrorDetail::SctpFailure { cause_code: None };
    Error::with_detail(detail, "the association did not take the message").with_source(error)
}
