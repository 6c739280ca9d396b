//! Who has said goodbye.

use crate::extension::Label;

/// A stream that has said goodbye, as it was. Its source may go on under the same SSRC, and say neither mid nor rid again, as a report had told
/// it that they are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departed {
    pub(super) ssrc: u32,
    pub(super) section: usize,
    pub(super) rid: Option<Label>,
    pub(super) rtx: Option<u32>,
    pub(super) fec: Option<u32>,
}
