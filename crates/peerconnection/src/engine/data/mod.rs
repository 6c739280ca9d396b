//! Data: the SCTP association of a connection and the channels on it.
//!
//! Association, session and application hand things to each other in one place, [`Data::settle`]:
//! verbs and facts only mark what there is to do.

mod another;
mod association;
mod backlog;
mod carrying;
mod channels;
mod ending;
mod inbound;
mod local;
mod outbound;
mod over;
mod sctp;
mod steps;
mod unclaimed;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use oxirtc_datachannel as datachannel;

pub use sctp::SctpView;

use self::{
    backlog::Backlog,
    carrying::Carrying,
    ending::Ending,
    local::Local,
    sctp::{Leaving, Sctp},
};
use super::{
    convert,
    ids::{ChannelId, TransportId},
    marks,
    task::Tasks,
};
use crate::{CongestionControl, DataChannelInit, Error, Settings, label::Label};

/// The channels of a connection, and what carries them.
pub(super) struct Data {
    session: datachannel::Session,
    /// W3C's `sctp`, from the first offer that describes one.
    sctp: Option<Sctp>,
    /// The associations before it, each until its last packet is out.
    leaving: VecDeque<Leaving>,
    channels: BTreeMap<ChannelId, Local>,
    backlog: Backlog,
    /// The most important channel that the association has carried, where packets are marked by it.
    priority: Option<datachannel::Priority>,
    /// What the association is made of that our descriptions speak of, until one has begun.
    snap: Option<[u8; 32]>,
    /// The seed of an association that may take the place of this one, while the peer may begin anew.
    another: Option<[u8; 32]>,
    /// What is left to be done about an association that is over, or that was restarted.
    ending: Option<Ending>,
    /// What is left to be done about an association that another has taken the place of.
    carrying: Option<Carrying>,
    limits: Limits,
    /// What the log calls the connection.
    label: Label,
    messages_dropped: u64,
}

/// What the settings say about data, in bytes.
struct Limits {
    max_message_size: u32,
    max_outgoing_message_size: u64,
    receive_window: u32,
    congestion_control: CongestionControl,
    interleaving: bool,
    zero_checksum: bool,
    send_buffer: usize,
    dscp: bool,
}

impl Data {
    pub(super) fn new(settings: &Settings, label: Label) -> Self {
        let limits = Limits {
            max_message_size: settings.announced_message_size(),
            max_outgoing_message_size: settings.max_outgoing_message_size,
            receive_window: settings.receive_window,
            congestion_control: settings.congestion_control,
            interleaving: settings.interleaving,
            zero_checksum: settings.zero_checksum,
            send_buffer: settings.send_buffer,
            dscp: settings.dscp,
        };
        let config = datachannel::Config::new()
            .max_message_size(limits.max_message_size as usize)
            .max_remote_channels(settings.max_channels.into())
            .label(&label.to_string());
        Self {
            session: datachannel::Session::new(config),
            sctp: None,
            leaving: VecDeque::new(),
            channels: BTreeMap::new(),
            backlog: Backlog::default(),
            priority: None,
            snap: None,
            another: None,
            ending: None,
            carrying: None,
            limits,
            label,
            messages_dropped: 0,
        }
    }

    /// Brings association, session and application together, until none has anything for another. What one packet brings for very
    /// many streams takes several calls, of which the next is due at once.
    pub(super) fn settle(&mut self, now: Instant, tasks: &mut Tasks) {
        self.backlog.more = None;
        for _ in 0..STEP {
            let passes = self.pass_down(now);
            // What a channel is comes before what was sent on it.
            self.tell_all(None, tasks);
            if passes {
                continue;
            }
            if self.is_under_way() {
                self.take_steps(tasks);
                if self.is_under_way() {
                    break;
                }
                continue;
            }
            // What came after a reset of all streams waits until it is known which it reset.
            let waits = self.backlog.all.is_some() || self.backlog.is_long();
            let event = if waits { None } else { self.poll_association() };
            if let Some(event) = event {
                self.handle_event(now, event, tasks);
            } else if !self.is_connected() {
                return;
            } else if let Some(stream) = self.backlog.next_stream(tasks) {
                self.pull(now, stream, tasks);
            } else if !self.finish_reset()
                && !self.list_resets()
                && !self.backlog.unclaimed.drop_some()
            {
                return;
            }
        }
        self.backlog.more = Some(now);
    }

    // ---- verbs

    /// W3C §6.1, `createDataChannel`.
    pub(super) fn open(&mut self, label: &str, init: &DataChannelInit) -> Result<ChannelId, Error> {
        let parameters = convert::parameters(label, init)?;
        let inner = self.session.open(parameters);
        let id = ChannelId(inner.map_err(convert::channel_error)?);
        let stream = self.channel(id).and_then(datachannel::Channel::stream);
        if let Some(all) = &mut self.backlog.all {
            all.newer.extend(stream);
        }
        self.channels.insert(id, Local::default());
        self.weigh_channel(id);
        Ok(id)
    }

    pub(super) fn close_channel(&mut self, id: ChannelId) {
        let state = self.channel(id).map(datachannel::Channel::state);
        if let Some(datachannel::State::Connecting | datachannel::State::Open) = state {
            self.let_go(id);
            self.session.close(id.0);
            // Its unread rest would keep it from ending, where the peer has closed it before.
            if let Some(stream) = self.living_stream(id)
                && self.backlog.unfinished.contains(&stream)
            {
                self.backlog.look_at(stream);
            }
        }
    }

    /// Nobody will read from the channel, or ask about it when it is closed.
    pub(super) fn forget_channel(&mut self, id: ChannelId) {
        self.let_go(id);
        if let Some(local) = self.channels.get_mut(&id) {
            local.discards = true;
        }
        let stream = self.living_stream(id);
        self.session.forget(id.0);
        if self.channel(id).is_none() {
            self.channels.remove(&id);
        }
        if let Some(stream) = stream {
            self.backlog.look_at(stream);
        }
    }

    // ---- what W3C shows

    /// A channel; a closed one until it is forgotten.
    pub(super) fn channel(&self, id: ChannelId) -> Option<&datachannel::Channel> {
        self.session.channel(id.0)
    }

    /// All channels that are not forgotten.
    pub(super) fn all_channels(&self) -> impl Iterator<Item = (ChannelId, &datachannel::Channel)> {
        let known = self.channels.keys();
        known.filter_map(|id| Some((*id, self.channel(*id)?)))
    }

    /// The stream of a channel that is not closed: that of a closed one may be another's.
    fn living_stream(&self, id: ChannelId) -> Option<u16> {
        let is_another = self.is_restarting() && self.session.is_ending(id.0);
        self.stream_in_use(id).filter(|_| !is_another)
    }

    /// The same, also when the association was restarted and the channel is still to be told.
    fn stream_in_use(&self, id: ChannelId) -> Option<u16> {
        let channel = self.channel(id)?;
        let living = channel.state() != datachannel::State::Closed;
        channel.stream().filter(|_| living)
    }

    /// How its packets are marked (RFC 8837 §5): all alike, by the most important channel.
    pub(super) fn dscp(&self) -> u8 {
        let priority = self.priority.map(convert::priority);
        priority.map(marks::of_data).unwrap_or_default()
    }

    /// The same, on the transport that carries it.
    pub(super) fn dscp_on(&self, on: TransportId) -> Option<u8> {
        let is_on = |it: &Sctp| it.on == on;
        self.sctp.as_ref().is_some_and(is_on).then(|| self.dscp())
    }

    /// The association may carry the most important of the channels that there are.
    fn weigh_channels(&mut self) {
        if !self.limits.dscp {
            return;
        }
        let channels = self.session.channels();
        let channels = channels.filter_map(|id| self.session.channel(id));
        let priority = channels.map(datachannel::Channel::priority).max();
        self.weigh(priority);
    }

    /// A channel has come, which may be the most important one.
    fn weigh_channel(&mut self, id: ChannelId) {
        let priority = self.channel(id).map(datachannel::Channel::priority);
        self.weigh(priority);
    }

    fn weigh(&mut self, priority: Option<datachannel::Priority>) {
        if !self.limits.dscp {
            return;
        }
        let before = self.dscp();
        // It never falls, as each change costs the association what it knows of the path.
        self.priority = self.priority.max(priority);
        let is_new = self.dscp() != before;
        // RFC 8837 §5: under another mark packets stand in another queue.
        if let Some(association) = self.live().filter(|_| is_new) {
            association.reset_congestion_control();
        }
    }

    fn by_stream(&self, stream: u16) -> Option<ChannelId> {
        self.session.by_stream(stream).map(ChannelId)
    }

    pub(super) fn stats(&self) -> datachannel::Stats {
        self.session.stats()
    }

    /// Messages for no channel, or that nobody will read.
    pub(super) fn messages_dropped(&self) -> u64 {
        self.messages_dropped
    }
}

/// How many things are brought from one to another in a step.
const STEP: usize = 32;

#[cfg(test)]
mod tests;
