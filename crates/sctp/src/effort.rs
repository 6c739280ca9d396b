//! What of the work that an input brings is done at once, and the rest in steps: a step is 50 µs at most. All that a packet has in it
//! takes from the same measure.

/// One step.
pub(crate) const STEP: usize = 2880;
/// A chunk of data comes.
pub(crate) const DATA: usize = 48;
/// It joins what stood on either side of it.
pub(crate) const JOINED: usize = 100;
/// It has room made for those that follow it.
pub(crate) const GROWN: usize = 240;
/// It ends a message that has begun. So a packet of 1,200 bytes full of I-DATA chunks, of which each does, is taken whole.
pub(crate) const ENDED: usize = 10;
/// Any other chunk comes, of so many bytes.
pub(crate) const fn of_chunk(length: usize) -> usize {
    27 + length / 8
}
/// The peer begins again.
pub(crate) const RESTART: usize = 2000;
/// A stream or a message of the peer's is given up, freed or handed out.
pub(crate) const TOUCHED: usize = 90;
/// A chunk of ours is acknowledged, given up or put aside.
pub(crate) const CHUNK: usize = 2;
/// A message of ours ends with it.
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

/// Takes so much from what is `left`. False if nothing was.
pub(crate) fn take(left: &mut usize, effort: usize) -> bool {
    let any = *left > 0;
    *left = left.saturating_sub(effort);
    any
}
