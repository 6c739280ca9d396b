//! Reading the RTCP of a transport.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{
    engine_lock::KeepOpen,
    queues::RtcpQueue,
    waiters::{Wait, Waiter, wait},
};
use crate::{RtcpDatagram, engine::TransportId};

/// RTCP that the peer sends by a transport, datagram by datagram, for who records or analyses.
///
/// It is what the peer reports, and what its applications say; reading it changes nothing of what is done with it here. Of a
/// reader that is slow the oldest go, above 64. It is also a [`Stream`].
pub struct RtcpReader {
    keep_open: Arc<KeepOpen>,
    id: TransportId,
    wait: Wait,
}

impl RtcpReader {
    pub(super) fn new(keep_open: Arc<KeepOpen>, id: TransportId) -> Self {
        keep_open.connection().with(|state| {
            state.queues.rtcp.entry(id).or_default().readers += 1;
            state.engine.read_rtcp(id, true);
        });
        Self {
            keep_open,
            id,
            wait: Wait::default(),
        }
    }

    /// The next datagram; `None` when the connection is closed, its runtime has ended, or a description has taken the transport away,
    /// and all were read. `failed` does not end it. Of several readers of a transport each gets some. Cancel safe: a datagram is
    /// returned or stays.
    pub async fn next(&mut self) -> Option<RtcpDatagram> {
        wait(|waiter| poll(&self.keep_open, self.id, waiter)).await
    }
}

fn poll(
    keep_open: &KeepOpen,
    id: TransportId,
    waiter: &mut Waiter<'_>,
) -> Poll<Option<RtcpDatagram>> {
    let connection = keep_open.connection();
    connection.poll_event_until(
        waiter,
        |engine| engine.transport(id).is_none(),
        |queues| &mut queues.rtcp.entry(id).or_default().unread,
    )
}

impl Stream for RtcpReader {
    type Item = RtcpDatagram;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<RtcpDatagram>> {
        let Self {
            keep_open,
            id,
            wait,
        } = &mut *self;
        wait.poll(cx, |waiter| poll(keep_open, *id, waiter))
    }
}

/// With the last reader nothing is kept any more.
impl Drop for RtcpReader {
    fn drop(&mut self) {
        let left = self.keep_open.connection().with(|state| {
            let queue = state.queues.rtcp.entry(self.id).or_default();
            queue.readers = queue.readers.saturating_sub(1);
            if queue.readers > 0 {
                return None;
            }
            state.engine.read_rtcp(self.id, false);
            state.queues.rtcp.remove(&self.id)
        });
        // Wakers are dropped here, without the lock: they may hold a task that holds a handle.
        drop::<Option<RtcpQueue>>(left);
    }
}

impl fmt::Debug for RtcpReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtcpReader").finish_non_exhaustive()
    }
}
