//! What of the work that packets of the peer's bring is done at once, and the rest in steps: a step is 50 µs at most.

/// One step.
pub(crate) const STEP: usize = 2880;
/// A chunk is acknowledged, given up or put aside.
pub(crate) const CHUNK: usize = 2;
/// A message ends with it.
pub(crate) const MESSAGE: usize = 18;
/// It is lost, or is not any more.
pub(crate) const LOST: usize = 8;
/// A gap ack block says nothing that was not known.
pub(crate) const KNOWN: usize = 3;
/// It does, so that what is known is searched and changed.
pub(crate) const FOUND: usize = 12;
/// A range of what came beyond a gap is forgotten.
pub(crate) const RANGE: usize = 4;
/// So many messages that a FORWARD TSN names are looked at.
pub(crate) const NAMED: usize = 4;
/// A block of messages that were under way is dropped.
pub(crate) const BLOCK: usize = 512;
/// The chunks of a packet are passed over.
pub(crate) const RUN: usize = 1;
