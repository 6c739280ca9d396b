//! `RTCDtlsTransport`.

use std::{future::poll_fn, sync::Arc, task::Poll};

use super::{DtlsTransportEvent, IceTransport, core::Handle};
use crate::{
    DtlsTransportState,
    engine::{Engine, TransportId},
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
        self.get(|engine| engine.dtls_transport_state(self.id))
    }

    /// `getRemoteCertificates()`: DER, the peer's own first; empty before it is connected.
    #[must_use]
    pub fn remote_certificates(&self) -> Vec<Vec<u8>> {
        self.get(|engine| engine.remote_certificates(self.id))
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

    fn get<R>(&self, f: impl FnOnce(&Engine) -> R) -> R {
        self.handle.shared().get(f)
    }
}

impl std::fmt::Debug for DtlsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DtlsTransport")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
