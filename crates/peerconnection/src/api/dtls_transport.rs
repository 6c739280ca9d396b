//! `RTCDtlsTransport`.

use std::{future::poll_fn, sync::Arc, task::Poll};

use super::{DtlsTransportEvent, IceTransport, core::Handle};
use crate::{
    DtlsTransportState,
    engine::{TransportId, TransportView},
};

/// `RTCDtlsTransport` (W3C §5.5).
#[derive(Clone)]
#[doc(alias = "RTCDtlsTransport")]
pub struct DtlsTransport {
    handle: Arc<Handle>,
    id: TransportId,
}

impl DtlsTransport {
    pub(super) fn new(handle: Arc<Handle>, id: TransportId) -> Self {
        handle.shared().with(|state| {
            state.objects.dtls.entry(id).or_default();
        });
        Self { handle, id }
    }

    /// `iceTransport`.
    #[must_use]
    pub fn ice_transport(&self) -> IceTransport {
        IceTransport::new(self.handle.clone(), self.id)
    }

    /// `state`.
    #[must_use]
    pub fn state(&self) -> DtlsTransportState {
        self.get(|it| it.dtls_state())
            .unwrap_or(DtlsTransportState::Closed)
    }

    /// `getRemoteCertificates()`: DER, the peer's own first; empty before it is connected.
    #[must_use]
    pub fn remote_certificates(&self) -> Vec<Vec<u8>> {
        self.get(|it| it.remote_certificates().to_vec())
            .unwrap_or_default()
    }

    /// The next event. `None` when the connection is closed. Events before the first handle was made
    /// are not told.
    pub async fn next_event(&self) -> Option<DtlsTransportEvent> {
        poll_fn(|cx| {
            self.handle.shared().with(|state| {
                let events = state.objects.dtls.entry(self.id).or_default();
                match events.pop() {
                    Some(event) => Poll::Ready(Some(event)),
                    None if state.engine.is_closed() => Poll::Ready(None),
                    None => {
                        events.readers.register(cx);
                        Poll::Pending
                    }
                }
            })
        })
        .await
    }

    /// `None` for a transport that is not in use any more.
    fn get<R>(&self, f: impl FnOnce(TransportView<'_>) -> R) -> Option<R> {
        let shared = self.handle.shared();
        shared.get(|engine| engine.transport(self.id).map(f))
    }
}

impl std::fmt::Debug for DtlsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DtlsTransport")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
