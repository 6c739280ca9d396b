//! Events of one object: the queue that holds those unread, and the stream that reads them.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::waiters::{Wait, Waiter, Waiters, Wakeups};

/// What an object tells, as a stream: its events, or the messages of a channel.
///
/// It is a [`Stream`] that reads from the same queue as `next_event` and its like, where each item goes to one reader. It ends
/// when they give `None`, and holds a handle of its object, so it keeps the connection open as any handle does. Dropping it loses
/// nothing: what was not read is there for the next reader.
pub struct Events<T> {
    poll: Read<T>,
    wait: Wait,
}

/// Reads the next item.
type Read<T> = Box<dyn FnMut(&mut Waiter<'_>) -> Poll<Option<T>> + Send>;

/// Unread events of one object.
#[derive(Debug)]
pub(super) struct Queue<T> {
    unread: VecDeque<T>,
    readers: Waiters,
    /// Its last event was queued.
    ended: bool,
}

impl<T> Events<T> {
    pub(super) fn new(
        poll: impl FnMut(&mut Waiter<'_>) -> Poll<Option<T>> + Send + 'static,
    ) -> Self {
        Self {
            poll: Box::new(poll),
            wait: Wait::default(),
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn push(&mut self, event: T, wakeups: &mut Wakeups) {
        self.unread.push_back(event);
        self.readers.wake(wakeups);
    }

    /// For events that are states: the oldest go when nobody reads.
    pub(super) fn push_bounded(&mut self, event: T, wakeups: &mut Wakeups) {
        if self.unread.len() >= MAX_STATES {
            self.unread.pop_front();
            wakeups.dropped += 1;
        }
        self.push(event, wakeups);
    }

    /// Takes the first that is of a kind, and leaves the others where they are.
    pub(super) fn take<R>(&mut self, pick: impl Fn(&T) -> Option<R>) -> Option<R> {
        let (index, found) = self
            .unread
            .iter()
            .enumerate()
            .find_map(|(index, it)| Some((index, pick(it)?)))?;
        self.unread.remove(index);
        Some(found)
    }

    pub(super) fn has(&self, is: impl Fn(&T) -> bool) -> bool {
        self.unread.iter().any(is)
    }

    pub(super) fn len(&self) -> usize {
        self.unread.len()
    }

    /// The next event; `None` when this was the last, or `closed` says that no more come.
    pub(super) fn poll(&mut self, waiter: &mut Waiter<'_>, closed: bool) -> Poll<Option<T>> {
        match self.unread.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if self.ended || closed => Poll::Ready(None),
            None => {
                self.register(waiter);
                Poll::Pending
            }
        }
    }

    pub(super) fn register(&mut self, waiter: &mut Waiter<'_>) {
        self.readers.register(waiter);
    }

    pub(super) fn end(&mut self, wakeups: &mut Wakeups) {
        self.ended = true;
        self.readers.wake(wakeups);
    }
}

impl<T> Stream for Events<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Self { poll, wait } = &mut *self;
        wait.poll(cx, poll)
    }
}

impl<T> fmt::Debug for Events<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            unread: VecDeque::new(),
            readers: Waiters::default(),
            ended: false,
        }
    }
}

const MAX_STATES: usize = 64;
