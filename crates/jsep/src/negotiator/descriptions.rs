//! The descriptions that are in force.

use std::sync::Arc;

use super::Negotiator;
use crate::{Description, signaling::Side, state::Applied};

impl Negotiator {
    /// The pending local description, else the current one.
    pub fn local_description(&self) -> Option<Description> {
        self.pending_local_description()
            .or_else(|| self.current_local_description())
    }

    /// The local description of the last exchange that ended, with the candidates gathered for it.
    pub fn current_local_description(&self) -> Option<Description> {
        self.write(Side::Local, self.state.current_local.as_ref())
    }

    /// The local description of the exchange that is open, with the candidates gathered for it.
    pub fn pending_local_description(&self) -> Option<Description> {
        self.write(Side::Local, self.state.pending_local.as_ref())
    }

    /// The pending remote description, else the current one.
    pub fn remote_description(&self) -> Option<Description> {
        self.pending_remote_description()
            .or_else(|| self.current_remote_description())
    }

    /// The remote description of the last exchange that ended, with the candidates added to it.
    pub fn current_remote_description(&self) -> Option<Description> {
        self.write(Side::Remote, self.state.current_remote.as_ref())
    }

    /// The remote description of the exchange that is open, with the candidates added to it.
    pub fn pending_remote_description(&self) -> Option<Description> {
        self.write(Side::Remote, self.state.pending_remote.as_ref())
    }

    fn write(&self, side: Side, applied: Option<&Arc<Applied>>) -> Option<Description> {
        let applied = applied?;
        let sdp = match side {
            Side::Local => self.candidates.write_local(applied),
            Side::Remote => self.candidates.write_remote(applied),
        };
        Some(Description::new(applied.kind, sdp))
    }
}
