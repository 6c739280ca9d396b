//! Room in the send buffer.

use std::time::Instant;

use bytes::Bytes;

use crate::{Association, Error, SendOptions, StreamId};

/// Room in the send buffer for one message of a stream: what [`Association::room`] has found. Nothing is kept for whoever drops it.
#[derive(Debug)]
pub struct Room<'a> {
    association: &'a mut Association,
    stream: StreamId,
    len: usize,
    buffered: usize,
    counts: bool,
}

impl Room<'_> {
    /// Bytes of the stream that have no place in a packet yet, as [`Association::buffered_amount`] says it.
    #[inline]
    pub fn buffered_amount(&self) -> usize {
        self.buffered
    }

    /// The message is none of the application's bytes: it is no part of the buffered amount of its stream, and of what makes that low.
    #[inline]
    #[must_use]
    pub fn uncounted(self) -> Self {
        Self {
            counts: false,
            ..self
        }
    }

    /// Takes the message that the room was asked for. Its payload is kept as it is and copied once, into packets.
    ///
    /// # Errors
    /// [`Error::EmptyMessage`], and [`Error::MessageTooLarge`] if it is longer than what was asked for; it is not taken then.
    #[inline]
    pub fn send(
        self,
        now: Instant,
        ppid: u32,
        payload: Bytes,
        options: SendOptions,
    ) -> Result<(), Error> {
        let (size, limit) = (payload.len(), self.len);
        if size == 0 {
            return Err(Error::EmptyMessage);
        }
        if size > limit {
            return Err(Error::MessageTooLarge { size, limit });
        }
        let association = self.association;
        let partial = association.peer.forward_tsn;
        let mut message = options.queued(now, ppid, payload, partial);
        message.counts = self.counts;
        association.reset.over.remove(self.stream);
        association.tx.queue.push(self.stream, message);
        association.stats.messages_sent += 1;
        Ok(())
    }
}

impl Association {
    /// Takes a message for a stream. It may be called before the association is established. The payload is kept as it
    /// is and copied once, into packets. What the peer accepts at most is not said in SCTP: unless
    /// [`set_max_outgoing_message_size`](Self::set_max_outgoing_message_size) was called a longer message is taken, and a peer of this
    /// crate ends the association for it.
    ///
    /// # Errors
    /// What [`room`](Self::room) answers; the message is not taken then. Where the send buffer is full,
    /// [`announce_room`](Self::announce_room) is not needed any more.
    pub fn send(
        &mut self,
        now: Instant,
        stream: StreamId,
        ppid: u32,
        payload: Bytes,
        options: SendOptions,
    ) -> Result<(), Error> {
        match self.room(stream, payload.len()) {
            Ok(room) => room.send(now, ppid, payload, options),
            Err(error) => {
                if error == Error::BufferFull {
                    self.announce_room();
                }
                Err(error)
            }
        }
    }

    /// Room for a message of at most `len` bytes on a stream.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::InvalidStream`], [`Error::StreamResetting`], [`Error::EmptyMessage`],
    /// [`Error::MessageTooLarge`] and [`Error::BufferFull`], if there is none.
    #[inline]
    pub fn room(&mut self, stream: StreamId, len: usize) -> Result<Room<'_>, Error> {
        if self.ended.is_some() || self.life.closing.is_some() {
            return Err(Error::Closed);
        }
        let limit = self.peer.outbound;
        if stream >= limit {
            return Err(Error::InvalidStream { stream, limit });
        }
        let (resetting, buffered) = self.tx.queue.waiting_on(stream);
        if resetting {
            return Err(Error::StreamResetting { stream });
        }
        if len == 0 {
            return Err(Error::EmptyMessage);
        }
        let limit = self.life.max_outgoing;
        if len > limit {
            return Err(Error::MessageTooLarge { size: len, limit });
        }
        let held = self.tx.queue.held();
        if held > 0 && held + len > self.config.send_buffer {
            return Err(Error::BufferFull);
        }
        Ok(Room {
            association: self,
            stream,
            len,
            buffered,
            counts: true,
        })
    }

    /// Asks for [`Event::Writable`](crate::Event::Writable) when the send buffer is half empty: for one whom [`room`](Self::room) has
    /// told that it is full. `send` asks for it by itself.
    pub fn announce_room(&mut self) {
        self.life.blocked = true;
    }
}
