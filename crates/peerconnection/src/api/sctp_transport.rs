//! `RTCSctpTransport`.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    DtlsTransport,
    engine_lock::KeepOpen,
    events::Events,
    waiters::{Waiter, wait},
};
use crate::{SctpTransportState, engine::SctpView};

/// `RTCSctpTransport` (W3C §6.1.1).
#[derive(Clone)]
#[doc(alias = "RTCSctpTransport")]
pub struct SctpTransport {
    keep_open: Arc<KeepOpen>,
}

impl SctpTransport {
    pub(super) fn new(keep_open: Arc<KeepOpen>) -> Self {
        Self { keep_open }
    }

    /// `transport`: what it runs on. `None` when the association was rejected since.
    pub fn transport(&self) -> Option<DtlsTransport> {
        let id = self.get(|it| it.transport())?;
        Some(DtlsTransport::new(self.keep_open.clone(), id))
    }

    /// Whether the association connects, is connected or has ended (`state`).
    pub fn state(&self) -> SctpTransportState {
        self.get(|it| it.state())
            .unwrap_or(SctpTransportState::Closed)
    }

    /// `maxMessageSize` in bytes: what may be sent in one message. `None` before it is negotiated; `u64::MAX` stands for W3C's
    /// infinity, when neither side has a limit.
    pub fn max_message_size(&self) -> Option<u64> {
        self.get(|it| it.max_message_size())?
    }

    /// `maxChannels`; `None` before it is connected.
    pub fn max_channels(&self) -> Option<u16> {
        self.get(|it| it.max_channels())?
    }

    /// The next change of its state. `None` when the connection is closed, or its runtime has ended. `failed` does not end it. States
    /// before the first handle was made are not told, and of those that nobody reads the last 64 are kept. Cancel safe: a state is
    /// returned or stays.
    pub async fn next_event(&self) -> Option<SctpTransportState> {
        wait(|waiter| self.poll_event(waiter)).await
    }

    /// [`next_event`](Self::next_event), for code that polls by hand. Its task is woken once, and [noted until then](crate::api#waiting).
    pub fn poll_next_event(&self, cx: &mut Context<'_>) -> Poll<Option<SctpTransportState>> {
        self.poll_event(&mut Waiter::by_hand(cx))
    }

    /// The states, as a stream that ends as [`next_event`](Self::next_event) does.
    pub fn events(&self) -> Events<SctpTransportState> {
        let this = self.clone();
        Events::new(move |waiter| this.poll_event(waiter))
    }

    fn poll_event(&self, waiter: &mut Waiter<'_>) -> Poll<Option<SctpTransportState>> {
        self.keep_open
            .connection()
            .poll_event(waiter, |queues| queues.sctp.get_or_insert_default())
    }

    /// `None` when the association was rejected since.
    fn get<R>(&self, f: impl FnOnce(SctpView<'_>) -> R) -> Option<R> {
        let connection = self.keep_open.connection();
        connection.get(|engine| engine.sctp().map(f))
    }
}

impl std::fmt::Debug for SctpTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SctpTransport")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
