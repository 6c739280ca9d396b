//! The addresses of this machine, and their changes.

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::{runtime::Builder, sync::watch, time::sleep};

use super::netlink::Changes;
use crate::Interface;

/// The addresses that a connection is to know, as they change.
pub(super) struct Networks {
    found: watch::Receiver<Vec<Interface>>,
    /// Which of them are the connection's.
    select: Box<dyn Fn(Vec<Interface>) -> Vec<Interface> + Send>,
}

impl Networks {
    /// Those of this machine. One thread of the process looks at them, for as long as anybody wants to know.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn of_machine(
        select: impl Fn(Vec<Interface>) -> Vec<Interface> + Send + 'static,
    ) -> io::Result<Self> {
        Ok(Self::new(watch()?, select))
    }

    fn new(
        found: watch::Receiver<Vec<Interface>>,
        select: impl Fn(Vec<Interface>) -> Vec<Interface> + Send + 'static,
    ) -> Self {
        let select = Box::new(select);
        Self { found, select }
    }

    /// Those that never change.
    pub(super) fn fixed(interfaces: Vec<Interface>) -> Self {
        Self::new(watch::channel(interfaces).1, |found| found)
    }

    /// What there is now.
    pub(super) fn current(&mut self) -> Vec<Interface> {
        (self.select)(self.found.borrow_and_update().clone())
    }

    /// Waits until they have changed. Cancel safe.
    pub(super) async fn changed(&mut self) -> Vec<Interface> {
        if self.found.changed().await.is_err() {
            // Nobody tells any more.
            std::future::pending::<()>().await;
        }
        self.current()
    }
}

/// Who tells all connections of the process.
static WATCH: Mutex<Option<watch::Sender<Vec<Interface>>>> = Mutex::new(None);

fn watch() -> io::Result<watch::Receiver<Vec<Interface>>> {
    let found = list()?;
    let mut watching = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = &*watching {
        let receiver = sender.subscribe();
        update(sender, found);
        return Ok(receiver);
    }
    let (sender, receiver) = watch::channel(found);
    let thread = thread::Builder::new().name("oxirtc networks".to_owned());
    let told = sender.clone();
    thread.spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(look_again(told)),
            Err(error) => log::warn!("changes of the interfaces go unnoticed: {error}"),
        }
    })?;
    *watching = Some(sender);
    Ok(receiver)
}

/// Looks until nobody wants to know.
async fn look_again(sender: watch::Sender<Vec<Interface>>) {
    let changes = Changes::listen();
    loop {
        let unwanted = tokio::select! {
            () = sender.closed() => true,
            () = changes.next() => false,
            () = sleep(INTERVAL) => false,
        };
        if unwanted {
            let mut watching = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody may have come meanwhile.
            if sender.receiver_count() == 0 {
                *watching = None;
                return;
            }
        }
        match list() {
            Ok(found) => update(&sender, found),
            Err(error) => log::debug!("the interfaces cannot be listed: {error}"),
        }
    }
}

fn update(sender: &watch::Sender<Vec<Interface>>, found: Vec<Interface>) {
    sender.send_if_modified(|known| {
        let changed = *known != found;
        if changed {
            log::debug!("the addresses of this machine have changed");
            *known = found;
        }
        changed
    });
}

/// The interfaces that are up, one entry an address.
///
/// # Errors
///
/// Those of the system.
fn list() -> io::Result<Vec<Interface>> {
    let mut found = Vec::new();
    for interface in if_addrs::get_if_addrs()? {
        if !interface.is_oper_up() && !interface.is_loopback() {
            continue;
        }
        found.push(Interface {
            address: interface.ip(),
            index: interface.index.unwrap_or_default(),
            name: interface.name,
        });
    }
    Ok(found)
}

/// How late a change is noticed at most; where the kernel tells of it, at once.
const INTERVAL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(address: &str) -> Interface {
        Interface {
            name: "eth0".to_owned(),
            index: 1,
            address: address.parse().unwrap(),
        }
    }

    #[tokio::test]
    async fn changes_are_told_once_and_selected() {
        let (sender, receiver) = watch::channel(vec![interface("10.0.0.1")]);
        let v4 = |found: Vec<Interface>| {
            let kept = found.into_iter().filter(|it| it.address.is_ipv4());
            kept.collect()
        };
        let mut networks = Networks::new(receiver, v4);
        assert_eq!(networks.current(), [interface("10.0.0.1")]);
        update(&sender, vec![interface("10.0.0.1")]);
        let next = vec![interface("10.0.0.2"), interface("fd00::1")];
        update(&sender, next);
        assert_eq!(networks.changed().await, [interface("10.0.0.2")]);
        assert!(!networks.found.has_changed().unwrap());
    }

    /// The thread ends when nobody wants to know, and begins anew.
    #[test]
    fn all_share_one_watch() {
        let (one, two) = (watch().unwrap(), watch().unwrap());
        assert!(one.same_channel(&two));
    }
}
