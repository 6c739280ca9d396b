//! The kernel's word that addresses have changed: at once on Linux, never elsewhere.

#[cfg(target_os = "linux")]
use std::{io, os::fd::AsRawFd as _, time::Duration};

#[cfg(target_os = "linux")]
use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket},
};
#[cfg(target_os = "linux")]
use tokio::{net::UdpSocket, time::sleep};

/// Tells when the addresses of this machine may have changed.
pub(super) struct Changes {
    #[cfg(target_os = "linux")]
    socket: Option<UdpSocket>,
}

#[cfg(target_os = "linux")]
impl Changes {
    /// Listens to the kernel, within a runtime.
    pub(super) fn listen() -> Self {
        let socket = subscribe()
            .inspect_err(|error| log::debug!("the kernel does not tell of interfaces: {error}"))
            .ok();
        Self { socket }
    }

    /// Waits until something may have changed; where the kernel does not say, for ever. Cancel safe.
    pub(super) async fn next(&self) {
        let Some(socket) = &self.socket else {
            return std::future::pending().await;
        };
        // What a message says is not read: the list is.
        let mut message = [0; MESSAGE];
        if let Err(error) = socket.recv(&mut message).await
            && error.raw_os_error() != Some(Errno::ENOBUFS as i32)
        {
            log::debug!("the kernel does not tell of interfaces any more: {error}");
            return std::future::pending().await;
        }
        // One change is told in several messages: with the last of them the list is read once.
        sleep(TOGETHER).await;
        while socket.try_recv(&mut message).is_ok() {}
    }
}

#[cfg(not(target_os = "linux"))]
impl Changes {
    pub(super) fn listen() -> Self {
        Self {}
    }

    pub(super) async fn next(&self) {
        std::future::pending().await
    }
}

#[cfg(target_os = "linux")]
fn subscribe() -> io::Result<UdpSocket> {
    let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, kind, flags, SockProtocol::NetlinkRoute)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
    // To the runtime all sockets of datagrams are alike.
    UdpSocket::from_std(socket.into())
}

/// Links, and addresses of both families (`rtnetlink(7)`).
#[cfg(target_os = "linux")]
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
#[cfg(target_os = "linux")]
const MESSAGE: usize = 4096;
#[cfg(target_os = "linux")]
const TOGETHER: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_kernel_tells() {
        assert!(Changes::listen().socket.is_some());
    }
}
