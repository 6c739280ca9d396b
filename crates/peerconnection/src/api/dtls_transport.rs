//! `RTCDtlsTransport`.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    DtlsTransportEvent, IceTransport,
    engine_lock::KeepOpen,
    events::Events,
    rtcp::RtcpReader,
    waiters::{Waiter, wait},
};
use crate::{
    DtlsTransportState, Error, MediaDrops, RtcpApp,
    engine::{TransportId, TransportView},
};

/// `RTCDtlsTransport` (W3C §5.5).
#[derive(Clone)]
#[doc(alias = "RTCDtlsTransport")]
pub struct DtlsTransport {
    keep_open: Arc<KeepOpen>,
    id: TransportId,
}

impl DtlsTransport {
    pub(super) fn new(keep_open: Arc<KeepOpen>, id: TransportId) -> Self {
        keep_open.connection().with(|state| {
            state.queues.dtls.entry(id).or_default();
        });
        Self { keep_open, id }
    }

    /// The ICE transport whose path it uses (`iceTransport`).
    pub fn ice_transport(&self) -> IceTransport {
        IceTransport::new(self.keep_open.clone(), self.id)
    }

    /// How far the handshake is, or how it has ended (`state`).
    pub fn state(&self) -> DtlsTransportState {
        self.get(|it| it.dtls_state())
            .unwrap_or(DtlsTransportState::Closed)
    }

    /// `getRemoteCertificates()`: DER, the peer's own first; empty before it is connected, and still there afterwards.
    pub fn remote_certificates(&self) -> Vec<Vec<u8>> {
        self.get(|it| it.remote_certificates().to_vec())
            .unwrap_or_default()
    }

    /// The next event. `None` when the connection is closed, its runtime has ended, or a description has taken the transport away
    /// (as bundling does).
    /// Those before the first handle was made are not told, and of those that nobody reads the last 64 are kept. `failed` does not
    /// end it. Cancel safe: an event is returned or stays.
    pub async fn next_event(&self) -> Option<DtlsTransportEvent> {
        wait(|waiter| self.poll_event(waiter)).await
    }

    /// [`next_event`](Self::next_event), for code that polls by hand. Its task is woken once, and [noted until then](crate::api#waiting).
    pub fn poll_next_event(&self, cx: &mut Context<'_>) -> Poll<Option<DtlsTransportEvent>> {
        self.poll_event(&mut Waiter::by_hand(cx))
    }

    /// The events, as a stream that ends as [`next_event`](Self::next_event) does.
    pub fn events(&self) -> Events<DtlsTransportEvent> {
        let this = self.clone();
        Events::new(move |waiter| this.poll_event(waiter))
    }

    fn poll_event(&self, waiter: &mut Waiter<'_>) -> Poll<Option<DtlsTransportEvent>> {
        self.keep_open.connection().poll_event_until(
            waiter,
            |engine| engine.transport(self.id).is_none(),
            |queues| queues.dtls.entry(self.id).or_default(),
        )
    }

    /// Reads the RTCP that the peer sends from now on.
    pub fn rtcp(&self) -> RtcpReader {
        RtcpReader::new(self.keep_open.clone(), self.id)
    }

    /// Sends a packet of RTCP that an application defines (RFC 3550 §6.7), with the next report, which is due at once. As all RTCP
    /// it may be lost.
    ///
    /// # Errors
    ///
    /// `Type` for one that is malformed: more than 512 bytes, no whole words, a subtype above 31. `InvalidState` when the transport
    /// carries no media, or is not connected. `Operation` when too many wait.
    pub fn send_app(&self, app: &RtcpApp) -> Result<(), Error> {
        let connection = self.keep_open.connection();
        connection.verb(|engine, now| engine.send_app(now, self.id, app))
    }

    /// How many packets of media were dropped as they came, and why.
    pub fn media_drops(&self) -> MediaDrops {
        self.get(|it| it.media_drops()).unwrap_or_default()
    }

    /// `None` for a transport that is not in use any more.
    fn get<R>(&self, f: impl FnOnce(TransportView<'_>) -> R) -> Option<R> {
        let connection = self.keep_open.connection();
        connection.get(|engine| engine.transport(self.id).map(f))
    }
}

impl std::fmt::Debug for DtlsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DtlsTransport")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
