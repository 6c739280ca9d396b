//! `getStats()`.

use super::{DataChannel, IceTransport, PeerConnection};
use crate::{Error, ErrorKind, engine::StatsSubject, stats::StatsReport};

/// What a report is to be about, for [`PeerConnection::get_stats`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StatsSelector {
    /// A transport: it, with its pair in use and its certificates. An addition to W3C's.
    Transport(IceTransport),
    /// A channel, and the transport that carries it. An addition to W3C's.
    DataChannel(DataChannel),
}

impl PeerConnection {
    /// `getStats()` ([W3C §8.2](https://www.w3.org/TR/webrtc/#rtcpeerconnection-interface-extensions-1)): what all layers have counted,
    /// at one moment. `None` is the whole connection. It waits for nothing, and works on a new connection and on a closed one.
    ///
    /// ```
    /// # use oxirtc_peerconnection::{Error, PeerConnection};
    /// async fn show(connection: &PeerConnection) -> Result<(), Error> {
    ///     let report = connection.get_stats(None).await?;
    ///     for transport in report.transports() {
    ///         let pair = report.selected_pair(transport);
    ///         let round_trip = pair.and_then(|it| it.current_round_trip_time);
    ///         println!("{:?} received, {round_trip:?} seconds there and back", transport.bytes_received);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidAccess` when the selector belongs to another connection, or is not there any more.
    pub async fn get_stats(
        &self,
        selector: impl Into<Option<StatsSelector>>,
    ) -> Result<StatsReport, Error> {
        let connection = self.connection();
        let subject = match &selector.into() {
            None => None,
            Some(StatsSelector::Transport(it)) => {
                let (owner, id) = it.identity();
                Some((owner, StatsSubject::Transport(id)))
            }
            Some(StatsSelector::DataChannel(it)) => {
                let (owner, id) = it.identity();
                Some((owner, StatsSubject::Channel(id)))
            }
        }
        .map(|(owner, subject)| (std::ptr::eq(owner, connection), subject));
        let report = connection.with(|state| {
            let (now, engine) = (state.carrier.now(), &state.engine);
            match subject {
                None => Some(engine.stats(now)),
                Some((true, subject)) => engine.stats_of(now, subject),
                Some((false, _)) => None,
            }
        });
        let message = "the selector is none of this connection's";
        report.ok_or_else(|| Error::new(ErrorKind::InvalidAccess, message))
    }
}

impl From<IceTransport> for StatsSelector {
    fn from(transport: IceTransport) -> Self {
        Self::Transport(transport)
    }
}

impl From<DataChannel> for StatsSelector {
    fn from(channel: DataChannel) -> Self {
        Self::DataChannel(channel)
    }
}

/// So that a handle can be given as it is.
impl From<IceTransport> for Option<StatsSelector> {
    fn from(transport: IceTransport) -> Self {
        Some(transport.into())
    }
}

/// So that a handle can be given as it is.
impl From<DataChannel> for Option<StatsSelector> {
    fn from(channel: DataChannel) -> Self {
        Some(channel.into())
    }
}
