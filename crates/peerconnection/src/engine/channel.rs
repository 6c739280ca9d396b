//! A data channel, as W3C shows it, and W3C's verbs about channels (§6.1, §6.2).

use std::time::Instant;

use oxirtc_datachannel as datachannel;

use super::{Engine, convert, data::Data, ids::ChannelId};
use crate::{DataChannelInit, DataChannelState, Error, Message, Priority, SendError};

/// A data channel (W3C §6.2), as it is at this moment.
#[derive(Clone, Copy)]
pub struct ChannelView<'a> {
    id: ChannelId,
    channel: &'a datachannel::Channel,
    data: &'a Data,
}

impl Engine {
    /// W3C §6.1, `createDataChannel`. The first one makes negotiation needed.
    ///
    /// # Errors
    ///
    /// `InvalidState` when closed, `Type` for arguments out of range, `Operation` when there is no
    /// id.
    pub fn create_data_channel(
        &mut self,
        now: Instant,
        label: &str,
        init: &DataChannelInit,
    ) -> Result<ChannelId, Error> {
        self.check_open()?;
        // The id may be one that is about to be free.
        self.data.finish_carrying(&mut self.tasks);
        let id = self.data.open(label, init)?;
        self.data.settle(now, &mut self.tasks);
        self.negotiation.negotiator.add_data_channel();
        self.update_negotiation_needed();
        Ok(id)
    }

    /// W3C §6.2, `send()`. The bytes of a message are shared, not copied; a string's are copied once.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] when as much is buffered as the settings allow. Otherwise `InvalidState`
    /// when the channel is not open, `Type` when the message is longer than the peer takes, `Operation` when the association takes
    /// none, as the peer is about to end it.
    pub fn send(
        &mut self,
        now: Instant,
        channel: ChannelId,
        message: &Message,
    ) -> Result<(), SendError> {
        self.data.bring_over(channel, &mut self.tasks);
        self.data.send(now, channel, message)
    }

    /// The next message of a channel. What is not read stays in the receive window, so that a slow
    /// reader slows its peer. Messages that came before the peer closed can be read after it. After `None` a task tells when there is
    /// one: what is no message is passed over a little at a time, and may stand before it.
    pub fn read(&mut self, now: Instant, channel: ChannelId) -> Option<Message> {
        self.data.read(now, channel, &mut self.tasks)
    }

    /// W3C §6.2, `close()` of a channel: what was sent is still delivered.
    pub fn close_channel(&mut self, now: Instant, channel: ChannelId) {
        self.tasks.take_back_open(channel);
        self.data.bring_over(channel, &mut self.tasks);
        self.data.close_channel(channel);
        self.data.settle(now, &mut self.tasks);
    }

    /// Nobody will read from this channel any more, nor ask about it once it is closed.
    pub fn forget_channel(&mut self, now: Instant, channel: ChannelId) {
        self.look_at_stats(now);
        self.data.forget_channel(channel);
        self.data.settle(now, &mut self.tasks);
        self.look_at_stats(now);
    }

    /// Sets at how many bytes `bufferedamountlow` is told (`bufferedAmountLowThreshold`). That alone causes no event.
    pub fn set_buffered_amount_low_threshold(&mut self, channel: ChannelId, threshold: u64) {
        self.data.set_threshold(channel, threshold);
    }

    /// A channel; closed ones until they are forgotten.
    pub fn channel(&self, channel: ChannelId) -> Option<ChannelView<'_>> {
        ChannelView::new(&self.data, channel)
    }
}

impl<'a> ChannelView<'a> {
    fn new(data: &'a Data, id: ChannelId) -> Option<Self> {
        let channel = data.channel(id)?;
        Some(Self { id, channel, data })
    }

    /// The name that its creator gave it (`label`). Several channels may have the same.
    pub fn label(self) -> &'a str {
        self.channel.label()
    }

    /// The protocol that the application speaks on it (`protocol`); empty without one.
    pub fn protocol(self) -> &'a str {
        self.channel.protocol()
    }

    /// Whether messages arrive in the order in which they were sent (`ordered`).
    pub fn ordered(self) -> bool {
        self.channel.ordered()
    }

    /// `maxPacketLifeTime`, in milliseconds.
    pub fn max_packet_life_time(self) -> Option<u16> {
        convert::max_packet_life_time(self.channel.reliability())
    }

    /// How often a message is sent again before it is given up (`maxRetransmits`); `None` is no limit.
    pub fn max_retransmits(self) -> Option<u16> {
        convert::max_retransmits(self.channel.reliability())
    }

    /// Whether both applications have made the channel themselves, under one id (`negotiated`), and not one of them for both.
    pub fn negotiated(self) -> bool {
        self.channel.is_negotiated()
    }

    /// How important its messages are beside those of other channels (`priority` of webrtc-priority).
    pub fn priority(self) -> Priority {
        convert::priority(self.channel.priority())
    }

    /// `id`: the SCTP stream; `None` until it is known.
    pub fn id(self) -> Option<u16> {
        self.channel.stream()
    }

    /// Whether it connects, is open, closes or is closed (`readyState`).
    pub fn ready_state(self) -> DataChannelState {
        convert::channel_state(self.channel.state())
    }

    /// `bufferedAmount`: bytes that are not on their way yet.
    pub fn buffered_amount(self) -> u64 {
        self.data.buffered_amount(self.id)
    }

    /// At how many bytes `bufferedamountlow` is told (`bufferedAmountLowThreshold`).
    pub fn buffered_amount_low_threshold(self) -> u64 {
        self.data.threshold(self.id)
    }

    /// Bytes that the peer has not acknowledged.
    pub fn unacknowledged(self) -> u64 {
        self.data.unacknowledged(self.id)
    }

    /// It ended before the peer had acknowledged everything.
    pub fn has_lost(self) -> bool {
        self.data.has_lost(self.id)
    }

    /// Messages that were sent on it.
    pub fn messages_sent(self) -> u64 {
        self.channel.stats().messages_sent
    }

    /// Bytes of the messages that were sent.
    pub fn bytes_sent(self) -> u64 {
        self.channel.stats().bytes_sent
    }

    /// Messages that came on it and were taken from the association: those that were read, and those
    /// that came before the peer closed it.
    pub fn messages_received(self) -> u64 {
        self.channel.stats().messages_received
    }

    /// Bytes of these.
    pub fn bytes_received(self) -> u64 {
        self.channel.stats().bytes_received
    }
}

impl std::fmt::Debug for ChannelView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChannelView")
            .field("label", &self.label())
            .field("id", &self.id())
            .field("ready_state", &self.ready_state())
            .finish_non_exhaustive()
    }
}
