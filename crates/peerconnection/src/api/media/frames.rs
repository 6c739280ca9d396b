//! Frames that wait for a reader.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use crate::{
    EncodedFrame, MediaKind,
    api::waiters::{Waiter, Waiters, Wakeups},
};

/// A bounded queue. A reader that is slow loses whole frames up to the next key frame, counted, and holds nobody up.
pub(in crate::api) struct FrameQueue {
    kind: MediaKind,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    frames: VecDeque<EncodedFrame>,
    bytes: usize,
    /// Frames that were left out since the last one that was not.
    missing: u32,
    /// Frames were left out: only streams that had a key frame since then are of use, those of these rids.
    whole: Option<Vec<Option<String>>>,
    ended: bool,
    readers: Waiters,
}

impl FrameQueue {
    pub(super) fn new(kind: MediaKind) -> Self {
        Self {
            kind,
            waiting: Mutex::default(),
        }
    }

    /// Takes a frame. Returns true when a key frame is wanted, as frames were left out.
    pub(in crate::api) fn push(&self, mut frame: EncodedFrame, wakeups: &mut Wakeups) -> bool {
        let mut waiting = self.lock();
        let mut wants = false;
        if waiting.frames.len() >= MOST_FRAMES || waiting.bytes >= MOST_BYTES {
            let left = match self.kind {
                // Each frame of sound stands alone: the oldest are worth least.
                MediaKind::Audio => waiting.frames.len() / 2,
                MediaKind::Video => waiting.frames.len(),
            };
            let lost: Vec<EncodedFrame> = waiting.frames.drain(..left).collect();
            waiting.bytes -= lost.iter().map(|it| it.payload.len()).sum::<usize>();
            let lost = lost.iter().fold(lost.len() as u32, |sum, it| {
                sum.saturating_add(it.missing_before)
            });
            match waiting.frames.front_mut() {
                Some(first) => first.missing_before = first.missing_before.saturating_add(lost),
                None => waiting.missing = waiting.missing.saturating_add(lost),
            }
            wants = self.kind == MediaKind::Video;
            waiting.whole = wants.then(Vec::new);
        }
        if !waiting.is_whole(&frame) {
            waiting.missing = waiting.missing.saturating_add(1 + frame.missing_before);
            return wants;
        }
        frame.missing_before = frame.missing_before.saturating_add(waiting.missing);
        waiting.missing = 0;
        waiting.bytes += frame.payload.len();
        waiting.frames.push_back(frame);
        waiting.readers.wake(wakeups);
        wants
    }

    pub(in crate::api) fn end(&self, wakeups: &mut Wakeups) {
        let mut waiting = self.lock();
        waiting.ended = true;
        waiting.readers.wake(wakeups);
    }

    pub(super) fn poll(&self, waiter: &mut Waiter<'_>) -> Poll<Option<EncodedFrame>> {
        let mut waiting = self.lock();
        if let Some(frame) = waiting.frames.pop_front() {
            waiting.bytes -= frame.payload.len();
            return Poll::Ready(Some(frame));
        }
        if waiting.ended {
            return Poll::Ready(None);
        }
        waiting.readers.register(waiter);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Whether the frame can be decoded by who has read what was not left out.
    fn is_whole(&mut self, frame: &EncodedFrame) -> bool {
        let Some(whole) = &mut self.whole else {
            return true;
        };
        let known = whole.contains(&frame.rid);
        if !known && frame.is_key() && whole.len() < MOST_STREAMS {
            whole.push(frame.rid.clone());
        }
        known || frame.is_key()
    }
}

const MOST_FRAMES: usize = 256;
const MOST_BYTES: usize = 8 << 20;
const MOST_STREAMS: usize = 8;

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;
    use crate::{Codec, FrameKind};

    fn frame(codec: Codec, number: u32, key: bool) -> EncodedFrame {
        let mut frame = EncodedFrame::new(codec, vec![0; 10]);
        frame.timestamp = Some(number);
        frame.kind = if key {
            FrameKind::Key
        } else {
            FrameKind::Delta
        };
        frame
    }

    fn poll(queue: &FrameQueue) -> Poll<Option<EncodedFrame>> {
        let cx = Context::from_waker(Waker::noop());
        queue.poll(&mut Waiter::by_hand(&cx))
    }

    fn read(queue: &FrameQueue) -> Option<EncodedFrame> {
        match poll(queue) {
            Poll::Ready(frame) => frame,
            Poll::Pending => None,
        }
    }

    /// What was missing before a frame that is left out is missing still, and what was read takes no room.
    #[test]
    fn what_is_missing_adds_up() {
        let queue = FrameQueue::new(MediaKind::Video);
        let mut wakeups = Wakeups::default();
        let mut push = |key, missing| {
            let mut frame = frame(Codec::Vp8, 0, key);
            frame.missing_before = missing;
            queue.push(frame, &mut wakeups)
        };
        for _ in 0..MOST_FRAMES {
            assert!(!push(true, 1));
        }
        assert!(push(false, 2), "a key frame is wanted");
        assert!(!push(true, 3));
        let missing = 2 * MOST_FRAMES as u32 + (1 + 2) + 3;
        assert_eq!(read(&queue).map(|it| it.missing_before), Some(missing));
        assert_eq!(queue.lock().bytes, 0);
        assert!(read(&queue).is_none());
        let sound = FrameQueue::new(MediaKind::Audio);
        for number in 0..2 * MOST_FRAMES as u32 {
            let wants = sound.push(frame(Codec::Opus, number, true), &mut wakeups);
            assert!(!wants, "of sound none is wanted");
        }
    }

    /// So many streams are followed from their key frames on.
    #[test]
    fn so_many_streams_go_on() {
        let queue = FrameQueue::new(MediaKind::Video);
        let mut wakeups = Wakeups::default();
        let mut push = |rid: usize, key| {
            let mut frame = frame(Codec::Vp8, 0, key);
            frame.rid = Some(rid.to_string());
            queue.push(frame, &mut wakeups);
        };
        (0..=MOST_FRAMES).for_each(|_| push(100, false));
        for key in [true, false] {
            (0..=MOST_STREAMS).for_each(|rid| push(rid, key));
        }
        let left = std::iter::from_fn(|| read(&queue)).count();
        assert_eq!(left, (MOST_STREAMS + 1) + MOST_STREAMS);
    }

    /// A reader that sleeps loses whole frames, up to the next key frame, and learns how many.
    #[test]
    fn a_slow_reader_of_video_goes_on_with_a_key_frame() {
        let queue = FrameQueue::new(MediaKind::Video);
        let mut wakeups = Wakeups::default();
        let mut asked = 0;
        for number in 0..300 {
            let frame = frame(Codec::Vp8, number, number % 100 == 0);
            asked += u32::from(queue.push(frame, &mut wakeups));
        }
        // 0 to 255 were dropped when 256 came, and what follows needs the key frame that is not there.
        assert_eq!(asked, 1);
        assert!(read(&queue).is_none());
        queue.push(frame(Codec::Vp8, 300, true), &mut wakeups);
        let first = read(&queue).unwrap();
        assert_eq!((first.timestamp, first.missing_before), (Some(300), 300));
    }

    /// Large frames fill it sooner than many.
    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let queue = FrameQueue::new(MediaKind::Video);
        let mut wakeups = Wakeups::default();
        for number in 0..20 {
            let mut large = frame(Codec::Vp8, number, true);
            large.payload = vec![0; 1 << 20].into();
            let asks = queue.push(large, &mut wakeups);
            assert_eq!(asks, number == 8 || number == 16);
            assert!(queue.lock().frames.len() <= 8);
        }
    }

    /// Of parallel streams each waits for a key frame of its own.
    #[test]
    fn a_key_frame_of_one_stream_mends_no_other() {
        let queue = FrameQueue::new(MediaKind::Video);
        let mut wakeups = Wakeups::default();
        let named = |number, key, rid: &str| EncodedFrame {
            rid: Some(rid.to_owned()),
            ..frame(Codec::Vp8, number, key)
        };
        for number in 0..257 {
            queue.push(named(number, false, "a"), &mut wakeups);
        }
        let after = [
            (300, true, "a"),
            (301, false, "b"),
            (302, false, "a"),
            (303, true, "b"),
            (304, false, "b"),
        ];
        for (number, key, rid) in after {
            queue.push(named(number, key, rid), &mut wakeups);
        }
        let read: Vec<_> = std::iter::from_fn(|| read(&queue)).collect();
        let numbers: Vec<_> = read.iter().filter_map(|it| it.timestamp).collect();
        assert_eq!(numbers, [300, 302, 303, 304]);
        assert_eq!(read[1].missing_before, 1);
    }

    #[test]
    fn a_slow_reader_of_sound_loses_the_oldest() {
        let queue = FrameQueue::new(MediaKind::Audio);
        let mut wakeups = Wakeups::default();
        for number in 0..257 {
            queue.push(frame(Codec::Opus, number, true), &mut wakeups);
        }
        let first = read(&queue).unwrap();
        assert_eq!((first.timestamp, first.missing_before), (Some(128), 128));
    }

    #[test]
    fn an_end_is_told_behind_the_last_frame() {
        let queue = FrameQueue::new(MediaKind::Video);
        let mut wakeups = Wakeups::default();
        queue.push(frame(Codec::Vp8, 1, true), &mut wakeups);
        queue.end(&mut wakeups);
        assert!(read(&queue).is_some());
        assert!(matches!(poll(&queue), Poll::Ready(None)));
    }
}
