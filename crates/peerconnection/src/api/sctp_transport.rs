//! `RTCSctpTransport`.

use std::{future::poll_fn, sync::Arc, task::Poll};

use super::{DtlsTransport, core::Handle};
use crate::{SctpTransportState, engine::SctpView};

/// `RTCSctpTransport` (W3C §6.1.1).
#[derive(Clone)]
#[doc(alias = "RTCSctpTransport")]
pub struct SctpTransport {
    handle: Arc<Handle>,
}

impl SctpTransport {
    pub(super) fn new(handle: Arc<Handle>) -> Self {
        Self { handle }
    }

    /// `transport`: what it runs on. `None` when the association was rejected since.
    #[must_use]
    pub fn transport(&self) -> Option<DtlsTransport> {
        let id = self.get(|it| it.transport())?;
        Some(DtlsTransport::new(self.handle.clone(), id))
    }

    /// `state`.
    #[must_use]
    pub fn state(&self) -> SctpTransportState {
        self.get(|it| it.state())
            .unwrap_or(SctpTransportState::Closed)
    }

    /// `maxMessageSize` in bytes: what may be sent in one message. Infinite when neither side has a
    /// limit; `None` before it is negotiated.
    #[must_use]
    pub fn max_message_size(&self) -> Option<f64> {
        let size = self.get(|it| it.max_message_size())??;
        Some(if size == u64::MAX {
            f64::INFINITY
        } else {
            size as f64
        })
    }

    /// `maxChannels`; `None` before it is connected.
    #[must_use]
    pub fn max_channels(&self) -> Option<u16> {
        self.get(|it| it.max_channels())?
    }

    /// The next change of its state. `None` when the connection is closed. States before the first
    /// handle was made are not told.
    pub async fn next_event(&self) -> Option<SctpTransportState> {
        poll_fn(|cx| {
            self.handle.shared().with(|state| {
                let events = state.objects.sctp.get_or_insert_default();
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

    /// `None` when the association was rejected since.
    fn get<R>(&self, f: impl FnOnce(SctpView<'_>) -> R) -> Option<R> {
        let shared = self.handle.shared();
        shared.get(|engine| engine.sctp().map(f))
    }
}

impl std::fmt::Debug for SctpTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SctpTransport")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
