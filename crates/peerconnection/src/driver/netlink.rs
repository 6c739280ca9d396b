//! The kernel's word that addresses have changed: at once on Linux, never elsewhere.

use std::{thread, time::Duration};

#[cfg(target_os = "linux")]
use nix::{
    errno::Errno,
    sys::{
        socket::{
            AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv,
            setsockopt, socket, sockopt::ReceiveTimeout,
        },
        time::{TimeVal, TimeValLike as _},
    },
};
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd as _, OwnedFd};

/// Tells when the addresses of this machine may have changed.
pub(super) struct Changes {
    #[cfg(target_os = "linux")]
    socket: Option<OwnedFd>,
}

#[cfg(target_os = "linux")]
impl Changes {
    /// Listens to the kernel. Where it does not say, the time alone tells.
    pub(super) fn listen() -> Self {
        let socket = subscribe()
            .inspect_err(|error| log::debug!("the kernel does not tell of interfaces: {error}"))
            .ok();
        Self { socket }
    }

    /// Waits until something may have changed, or the time is over.
    pub(super) fn wait(&self, at_most: Duration) {
        let Some(socket) = &self.socket else {
            return thread::sleep(at_most);
        };
        let micros = i64::try_from(at_most.as_micros()).unwrap_or(i64::MAX);
        if setsockopt(socket, ReceiveTimeout, &TimeVal::microseconds(micros)).is_err() {
            return thread::sleep(at_most);
        }
        let mut message = [0; MESSAGE];
        let mut hear = |flags| recv(socket.as_raw_fd(), &mut message, flags);
        match hear(MsgFlags::empty()) {
            Err(Errno::EAGAIN | Errno::EINTR) => return,
            // There was more than it could keep.
            Ok(_) | Err(Errno::ENOBUFS) => {}
            Err(_) => return thread::sleep(at_most),
        }
        // One change is told in several messages: with the last of them the list is read once.
        thread::sleep(TOGETHER);
        while hear(MsgFlags::MSG_DONTWAIT).is_ok() {}
    }
}

#[cfg(not(target_os = "linux"))]
impl Changes {
    pub(super) fn listen() -> Self {
        Self {}
    }

    pub(super) fn wait(&self, at_most: Duration) {
        thread::sleep(at_most);
    }
}

#[cfg(target_os = "linux")]
fn subscribe() -> nix::Result<OwnedFd> {
    let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
    let protocol = SockProtocol::NetlinkRoute;
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC, protocol)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
    Ok(socket)
}

/// Links, and addresses of both families (`rtnetlink(7)`).
#[cfg(target_os = "linux")]
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
/// What a message says is not read: the list is.
#[cfg(target_os = "linux")]
const MESSAGE: usize = 4096;
#[cfg(target_os = "linux")]
const TOGETHER: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::clock;

    /// Nothing changes here, so it is the time that ends it.
    #[test]
    fn it_waits_no_longer_than_it_is_told() {
        let changes = Changes::listen();
        let start = clock::now();
        changes.wait(Duration::from_millis(50));
        assert!(clock::now() - start < Duration::from_secs(5));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_tells() {
        assert!(Changes::listen().socket.is_some());
    }
}
