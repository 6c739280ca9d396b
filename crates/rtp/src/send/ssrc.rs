//! The SSRCs of a stream: those that were set, and others where these are the peer's.

use super::{FIRST, SendStream};
use crate::{Encoding, breaker::Breaker, fec::Parity};

impl SendStream {
    /// It is set anew. An SSRC that had to be changed stays as it is, whether the old one is set again or the new one, until another is set.
    pub(crate) fn configure(&mut self, new: Encoding) {
        let (old, own) = (std::mem::replace(&mut self.set, new), self.encoding);
        let kept = |old, new, own| if old == new { own } else { new };
        self.encoding = Encoding {
            ssrc: own.ssrc,
            rtx: kept(old.rtx, new.rtx, own.rtx),
            fec: kept(old.fec, new.fec, own.fec),
            ..new
        };
        if self.encoding.rtx != own.rtx {
            self.rtx_next &= FIRST;
        }
        if self.encoding.fec != own.fec {
            self.fec_next &= FIRST;
        }
        self.choose(new.choice);
    }

    /// The peer uses one of its SSRCs: `new` takes its place, with numbers that begin at `first`. False if it has no such SSRC.
    pub(crate) fn resolve(&mut self, ssrc: u32, new: u32, first: u32) -> bool {
        let first = first as u16 & FIRST;
        if self.encoding.ssrc == ssrc {
            self.encoding.ssrc = new;
            // A stream of which the peer knows nothing: it begins with a key frame, and nothing of the old one is sent again.
            self.change_source();
            self.rewrite.begin_at(first);
            self.sent.fill(None);
            self.resend.clear();
            self.firs.clear();
            self.parity = Parity::default();
            self.breaker = Breaker::default();
            (self.begun, self.totals, self.reported) = (None, (0, 0), false);
        } else if self.encoding.rtx == Some(ssrc) {
            (self.encoding.rtx, self.rtx_next) = (Some(new), first);
        } else if self.encoding.fec == Some(ssrc) {
            (self.encoding.fec, self.fec_next) = (Some(new), first);
        } else {
            return false;
        }
        true
    }
}
