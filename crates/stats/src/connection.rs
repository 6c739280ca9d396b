//! `RTCPeerConnectionStats` and `RTCDataChannelStats`.

use crate::{DataChannelState, Stats, dictionary::dictionary};

dictionary! {
    /// `RTCPeerConnectionStats` (`peer-connection`): the connection itself.
    #[doc(alias = "RTCPeerConnectionStats")]
    PeerConnectionStats {
        stats: Stats,
    } optional {
        /// Channels that have been open.
        data_channels_opened: u32,
        /// Those of them that have been closed. A channel that never opened is in neither.
        data_channels_closed: u32,
    }
}

dictionary! {
    /// `RTCDataChannelStats` (`data-channel`): a data channel.
    #[doc(alias = "RTCDataChannelStats")]
    DataChannelStats {
        stats: Stats,
        /// Whether it connects, is open, closes or is closed (`readyState`).
        state: DataChannelState,
    } optional {
        /// The name that its creator gave it.
        label: String,
        /// The protocol that the application speaks on it.
        protocol: String,
        /// `id`; absent until it is known.
        data_channel_identifier: u16,
        /// Messages sent.
        messages_sent: u32,
        /// Bytes of the messages sent, without any header.
        bytes_sent: u64,
        /// Messages received.
        messages_received: u32,
        /// Bytes of the messages received.
        bytes_received: u64,
    }
}
