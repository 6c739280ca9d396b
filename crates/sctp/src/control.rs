//! Control chunks that wait for the next packet.

use std::collections::VecDeque;

use crate::packet::{Abort, Cause, CauseCode, ChunkKind, begin, end};

/// What shall go out beside data. Everything a peer can cause is bounded: a flag, or a few entries.
#[derive(Debug, Default)]
pub(crate) struct Control {
    replies: VecDeque<Reply>,
    heartbeat_acks: VecDeque<Vec<u8>>,
    /// Causes for one ERROR chunk.
    errors: Vec<u8>,
    /// Responses for one RE-CONFIG chunk, each a parameter.
    pub(crate) responses: VecDeque<Vec<u8>>,
    pub(crate) setup: bool,
    pub(crate) cookie_ack: bool,
    pub(crate) heartbeat: bool,
    pub(crate) reset_request: bool,
    pub(crate) shutdown: bool,
    pub(crate) shutdown_ack: bool,
}

/// A packet with a verification tag of its own.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) tag: u32,
    pub(crate) chunks: Vec<u8>,
}

impl Control {
    /// Queues a packet; the oldest goes when there are too many, as its cause will come again.
    pub(crate) fn reply(&mut self, tag: u32, write: impl FnOnce(&mut Vec<u8>)) {
        if self.replies.len() >= MAX_REPLIES {
            self.replies.pop_front();
        }
        let mut chunks = Vec::new();
        write(&mut chunks);
        self.replies.push_back(Reply { tag, chunks });
    }

    pub(crate) fn abort(&mut self, tag: u32, code: CauseCode, information: &[u8]) {
        self.reply(tag, |buf| {
            let start = begin(buf, ChunkKind::ABORT, 0);
            Cause { code, information }.write(buf);
            end(buf, start);
        });
    }

    /// To one whose tag is not known (RFC 9260 §8.4 8).
    pub(crate) fn abort_reflected(&mut self, tag: u32) {
        self.reply(tag, |buf| {
            let start = begin(buf, ChunkKind::ABORT, Abort::REFLECTED);
            end(buf, start);
        });
    }

    pub(crate) fn shutdown_complete(&mut self, tag: u32, reflected: bool) {
        let flags = if reflected { Abort::REFLECTED } else { 0 };
        self.reply(tag, |buf| {
            let start = begin(buf, ChunkKind::SHUTDOWN_COMPLETE, flags);
            end(buf, start);
        });
    }

    /// The reply that was queued last.
    pub(crate) fn last_reply(&self) -> Option<(u32, Vec<u8>)> {
        let reply = self.replies.back()?;
        Some((reply.tag, reply.chunks.clone()))
    }

    /// The next reply, if it fits; otherwise it waits for a packet of its own.
    pub(crate) fn next_reply(&mut self, space: usize) -> Option<Reply> {
        let fits = self.replies.front()?.chunks.len() <= space;
        if fits { self.replies.pop_front() } else { None }
    }

    pub(crate) fn error(&mut self, code: CauseCode, information: &[u8]) {
        if self.errors.len() + information.len() + 8 <= MAX_ERRORS {
            self.errors.reserve_exact(MAX_ERRORS - self.errors.len());
            Cause { code, information }.write(&mut self.errors);
        }
    }

    pub(crate) fn heartbeat_ack(&mut self, information: &[u8], max: usize) {
        if information.len() <= max && self.heartbeat_acks.len() < MAX_REPLIES {
            self.heartbeat_acks.push_back(information.to_vec());
        }
    }

    pub(crate) fn response(&mut self, parameter: Vec<u8>) {
        if self.responses.len() >= MAX_REPLIES {
            self.responses.pop_front();
        }
        self.responses.push_back(parameter);
    }

    /// Whether anything but a reply waits.
    pub(crate) fn is_pending(&self) -> bool {
        self.setup
            || self.cookie_ack
            || self.heartbeat
            || self.reset_request
            || self.shutdown
            || self.shutdown_ack
            || !self.heartbeat_acks.is_empty()
            || !self.errors.is_empty()
            || !self.responses.is_empty()
            || !self.replies.is_empty()
    }

    /// Appends HEARTBEAT ACK, ERROR and RE-CONFIG responses as far as they fit.
    pub(crate) fn write_answers(&mut self, buf: &mut Vec<u8>, limit: usize) {
        while let Some(information) = self.heartbeat_acks.front()
            && buf.len() + (information.len() + 4).next_multiple_of(4) <= limit
            && let Some(information) = self.heartbeat_acks.pop_front()
        {
            let start = begin(buf, ChunkKind::HEARTBEAT_ACK, 0);
            buf.extend_from_slice(&information);
            end(buf, start);
        }
        if !self.errors.is_empty() && buf.len() + self.errors.len() + 4 <= limit {
            let start = begin(buf, ChunkKind::ERROR, 0);
            buf.append(&mut self.errors);
            end(buf, start);
        }
        // RFC 6525 §3.1: two parameters a chunk at most, and responses may come in pairs.
        while let Some(response) = self.responses.front()
            && buf.len() + response.len() + 4 <= limit
            && let Some(response) = self.responses.pop_front()
        {
            let start = begin(buf, ChunkKind::RECONFIG, 0);
            buf.extend_from_slice(&response);
            end(buf, start);
        }
    }
}

const MAX_REPLIES: usize = 4;
/// What is reported of what we do not know, at most.
const MAX_ERRORS: usize = 512;
