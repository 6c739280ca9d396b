//! The connection and its channels.

use super::pass::{Pass, low};
use crate::{
    engine::{convert, data::Data, ids::ChannelId},
    stats::{DataChannelStats, Ids, PeerConnectionStats, StatsType},
};

pub(super) fn id(ids: &Ids, channel: ChannelId) -> String {
    ids.id(StatsType::DataChannel, key(channel).as_bytes())
}

fn key(channel: ChannelId) -> String {
    format!("{:?}", channel.0)
}

impl Pass {
    pub(super) fn connection(&mut self, data: &Data) {
        let counts = data.stats();
        let base = self.stats(StatsType::PeerConnection, "");
        let mut connection = PeerConnectionStats::new(base);
        connection.data_channels_opened = Some(low(counts.opened));
        connection.data_channels_closed = Some(low(counts.closed));
        self.report.insert(connection);
    }

    pub(super) fn channels(&mut self, data: &Data) {
        for (id, channel) in data.all_channels() {
            let base = self.stats(StatsType::DataChannel, &key(id));
            let state = convert::stats_channel_state(channel.state());
            let counts = channel.stats();
            let mut it = DataChannelStats::new(base, state);
            it.label = Some(channel.label().to_owned());
            it.protocol = Some(channel.protocol().to_owned());
            it.data_channel_identifier = channel.stream();
            it.messages_sent = Some(low(counts.messages_sent));
            it.bytes_sent = Some(counts.bytes_sent);
            it.messages_received = Some(low(counts.messages_received));
            it.bytes_received = Some(counts.bytes_received);
            self.report.insert(it);
        }
    }
}
