//! Sending user messages.

use super::{Outgoing, Session};
use crate::channel::{Channel, ChannelId, State};
use crate::error::Error;
use crate::payload::{Payload, encode};

/// An open channel that a message is to be sent on: what [`Session::sending`] has found.
#[derive(Debug)]
pub struct Sending<'a> {
    channel: &'a mut Channel,
    stream: u16,
}

impl Sending<'_> {
    /// The stream that it will be sent on, of which the association is to be asked for room.
    #[inline]
    pub fn stream(&self) -> u16 {
        self.stream
    }

    /// The message, encoded for the association, which has room for it. It is counted as sent.
    #[inline]
    pub fn send(self, payload: Payload) -> Outgoing {
        let channel = self.channel;
        channel.stats.messages_sent += 1;
        channel.stats.bytes_sent += payload.len() as u64;
        let (ppid, payload) = encode(payload);
        Outgoing {
            stream: self.stream,
            ppid,
            payload,
            // RFC 8832 §6: an unordered message could arrive before the OPEN.
            ordered: channel.agreed.ordered || !channel.acknowledged,
            reliability: channel.agreed.reliability,
        }
    }
}

impl Session {
    /// A channel that a message may be sent on.
    ///
    /// # Errors
    /// [`Error::NotOpen`] or [`Error::UnknownChannel`].
    #[inline]
    pub fn sending(&mut self, id: ChannelId) -> Result<Sending<'_>, Error> {
        if self.is_ending(id) {
            return Err(Error::NotOpen);
        }
        let channel = self.channels.get_mut(&id).ok_or(Error::UnknownChannel)?;
        let (State::Open, Some(stream)) = (channel.state, channel.stream) else {
            return Err(Error::NotOpen);
        };
        Ok(Sending { channel, stream })
    }

    /// A user message, encoded for the association, which is to take it: it must have room for it. It is counted as sent.
    ///
    /// # Errors
    /// As [`sending`](Self::sending) has them.
    pub fn send(&mut self, id: ChannelId, payload: Payload) -> Result<Outgoing, Error> {
        self.sending(id).map(|channel| channel.send(payload))
    }
}
