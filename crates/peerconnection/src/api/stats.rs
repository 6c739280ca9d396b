//! `getStats()`.

use super::{
    DataChannel, IceTransport, MediaStreamTrack, PeerConnection, RtpReceiver, RtpSender,
    engine_lock::{Connection, State},
    events::Events,
};
use crate::{Error, ErrorKind, engine::StatsSubject, stats::StatsReport};

/// What a report is to be about, for [`PeerConnection::get_stats`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StatsSelector {
    /// A transport: it, with its pair in use and its certificates. An addition to W3C's.
    Transport(IceTransport),
    /// A channel, and the transport that carries it. An addition to W3C's.
    DataChannel(DataChannel),
    /// A track: what the one sender or the one receiver that has it sends or receives.
    Track(MediaStreamTrack),
    /// A sender: the streams that it sends. As its own `get_stats` has it.
    Sender(RtpSender),
    /// A receiver: the streams that it receives. As its own `get_stats` has it.
    Receiver(RtpReceiver),
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
    /// `InvalidAccess` when the selector belongs to another connection, or is not there any more; for a track that no sender and no
    /// receiver has, or more than one.
    pub async fn get_stats(
        &self,
        selector: impl Into<Option<StatsSelector>>,
    ) -> Result<StatsReport, Error> {
        let connection = self.connection();
        let own = |owner: &Connection| std::ptr::eq(owner, connection);
        let (is_own, wanted) = match &selector.into() {
            None => (true, Wanted::All),
            Some(StatsSelector::Transport(it)) => {
                let (owner, id) = it.identity();
                (own(owner), Wanted::Subject(StatsSubject::Transport(id)))
            }
            Some(StatsSelector::DataChannel(it)) => {
                let (owner, id) = it.identity();
                (own(owner), Wanted::Subject(StatsSubject::Channel(id)))
            }
            Some(StatsSelector::Track(it)) => (true, Wanted::Track(it.clone())),
            Some(StatsSelector::Sender(it)) => {
                let subject = StatsSubject::Sender(it.id());
                (it.is_of(&self.keep_open), Wanted::Subject(subject))
            }
            Some(StatsSelector::Receiver(it)) => {
                let subject = StatsSubject::Receiver(it.id());
                (it.is_of(&self.keep_open), Wanted::Subject(subject))
            }
        };
        let report = connection.with(|state| {
            let subject = match wanted {
                _ if !is_own => return None,
                Wanted::All => None,
                Wanted::Subject(subject) => Some(subject),
                Wanted::Track(track) => Some(state.subject_of(&track)?),
            };
            state.report(subject)
        });
        let message = "the selector is not one thing of this connection";
        report.ok_or_else(|| Error::new(ErrorKind::InvalidAccess, message))
    }
}

impl PeerConnection {
    /// `statsended`, of W3C's [draft of 2018](https://www.w3.org/TR/2018/CR-webrtc-20180927/#rtcstatsevent): the last values of what
    /// statistics show no more, from the first call on. A report has what ended at one moment: the pairs of before an ICE restart, the
    /// stream of a transceiver that was stopped, the source of a track that was replaced, a closed channel with its last handle.
    ///
    /// Whoever asks reads from one queue, where a report goes to one reader; of those that nobody reads the newest 64 are kept. It
    /// costs a report before each verb that may end something, and up to fifty a second while datagrams come. What a verb here ends has its
    /// values of that moment, what the peer ends those of up to 20 ms before. `close()` and the end of the runtime end the stream and
    /// nothing else, as the report stays: [`get_stats`](Self::get_stats) still has it. `failed` does not end it.
    ///
    /// ```
    /// # use futures_util::StreamExt;
    /// # use oxirtc_peerconnection::PeerConnection;
    /// async fn account(connection: PeerConnection) {
    ///     let mut ended = connection.ended_stats();
    ///     while let Some(report) = ended.next().await {
    ///         for stream in report.outbound_rtp() {
    ///             println!("{} has sent {:?} packets", stream.sent.stream.ssrc, stream.sent.packets_sent);
    ///         }
    ///     }
    /// }
    /// ```
    #[doc(alias = "statsended")]
    pub fn ended_stats(&self) -> Events<StatsReport> {
        self.connection().with(|state| {
            let now = state.carrier.now();
            let (engine, queues) = (&mut state.engine, &mut state.queues);
            queues.ended_stats.get_or_insert_default();
            queues.media.name_tracks(engine, &state.inbox);
            engine.watch_ended_stats(now);
            state.carrier.flush(now, engine);
        });
        let this = self.clone();
        Events::new(move |waiter| {
            this.connection()
                .poll_event(waiter, |queues| queues.ended_stats.get_or_insert_default())
        })
    }
}

/// What a report is wanted of.
enum Wanted {
    All,
    Subject(StatsSubject),
    Track(MediaStreamTrack),
}

impl State {
    /// [8.2-02] The one sender or receiver that has this track.
    fn subject_of(&self, track: &MediaStreamTrack) -> Option<StatsSubject> {
        let media = &self.queues.media;
        let senders = media.senders_of(track).map(StatsSubject::Sender);
        let receiver = media.receiver_of(track).map(StatsSubject::Receiver);
        let mut all = senders.chain(receiver);
        all.next().filter(|_| all.next().is_none())
    }
}

/// A handle can be given as it is, by reference.
macro_rules! selector {
    ($($Handle:ty => $variant:ident,)*) => {
        $(
            impl From<&$Handle> for StatsSelector {
                fn from(it: &$Handle) -> Self {
                    Self::$variant(it.clone())
                }
            }

            impl From<&$Handle> for Option<StatsSelector> {
                fn from(it: &$Handle) -> Self {
                    Some(it.into())
                }
            }
        )*
    };
}

selector! {
    IceTransport => Transport,
    DataChannel => DataChannel,
    MediaStreamTrack => Track,
    RtpSender => Sender,
    RtpReceiver => Receiver,
}
