//! The addresses of this machine, and their changes.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Builder,
    sync::watch,
    time::{interval, sleep},
};

use super::{clock, netlink::Changes};
use crate::{Error, ErrorKind, Interface};

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
    /// `Operation` when they cannot be listed.
    pub(super) fn of_machine(
        select: impl Fn(Vec<Interface>) -> Vec<Interface> + Send + 'static,
    ) -> Result<Self, Error> {
        let found = subscribe().map_err(|error| {
            let message = format!("the interfaces of this machine cannot be listed: {error}");
            Error::new(ErrorKind::Operation, message)
        })?;
        Ok(Self::new(found, select))
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
static LOOKOUT: Mutex<Option<Lookout>> = Mutex::new(None);

/// The list that all look at.
struct Lookout {
    told: watch::Sender<Vec<Interface>>,
    /// When a connection has asked the system last.
    asked: Instant,
}

impl Lookout {
    /// The list for one more connection. Of many that come at once the first asks the system: of what changes after that, all are
    /// told.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn join(
        &mut self,
        now: Instant,
        list: impl FnOnce() -> io::Result<Vec<Interface>>,
    ) -> io::Result<watch::Receiver<Vec<Interface>>> {
        let receiver = self.told.subscribe();
        if now.saturating_duration_since(self.asked) >= FRESH {
            update(&self.told, list()?);
            self.asked = now;
        }
        Ok(receiver)
    }
}

fn subscribe() -> io::Result<watch::Receiver<Vec<Interface>>> {
    let mut kept = LOOKOUT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(lookout) = &mut *kept {
        return lookout.join(clock::now(), list);
    }
    let asked = clock::now();
    let (sender, receiver) = watch::channel(list()?);
    let thread = thread::Builder::new().name("oxirtc networks".to_owned());
    let told = sender.clone();
    thread.spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(look_again(told)),
            Err(error) => log::warn!("changes of the interfaces go unnoticed: {error}"),
        }
    })?;
    *kept = Some(Lookout {
        told: sender,
        asked,
    });
    Ok(receiver)
}

/// Looks until nobody wants to know.
async fn look_again(sender: watch::Sender<Vec<Interface>>) {
    let changes = Changes::listen();
    let mut interval = interval(INTERVAL);
    interval.reset();
    loop {
        tokio::select! {
            () = unwanted(&sender, &LOOKOUT) => return,
            () = changes.next() => interval.reset(),
            _ = interval.tick() => {}
        }
        match list() {
            Ok(found) => update(&sender, found),
            Err(error) => log::debug!("the interfaces cannot be listed: {error}"),
        }
    }
}

/// Waits until nobody has wanted to know for a while, and ends the lookout: where one connection follows the other, a thread each would
/// cost more than the connection has of its own.
async fn unwanted(sender: &watch::Sender<Vec<Interface>>, kept: &Mutex<Option<Lookout>>) {
    loop {
        sender.closed().await;
        sleep(LINGER).await;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Else somebody has come meanwhile.
        if sender.receiver_count() == 0 {
            *kept = None;
            return;
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
    let default_routes = WELL_KNOWN.map(default_route);
    for interface in if_addrs::get_if_addrs()? {
        if !interface.is_oper_up() && !interface.is_loopback() {
            continue;
        }
        let address = interface.ip();
        found.push(Interface {
            default_route: default_routes.contains(&Some(address)),
            cost: cost(&interface.name),
            address,
            index: interface.index.unwrap_or_default(),
            name: interface.name,
        });
    }
    Ok(found)
}

/// The address that the system leaves from to somewhere far away (RFC 8828 §5.2): a socket is told where, and sends nothing.
fn default_route(far: SocketAddr) -> Option<IpAddr> {
    let any = match far {
        SocketAddr::V4(_) => SocketAddr::from(([0; 4], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(far).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// What sending costs on an interface, as the kernel says of what kind it is.
#[cfg(target_os = "linux")]
fn cost(name: &str) -> u16 {
    // It is a name of the kernel's, and no path.
    let told = std::fs::read_to_string(format!("/sys/class/net/{name}/uevent"));
    cost_of(&told.unwrap_or_default())
}

#[cfg(not(target_os = "linux"))]
fn cost(_name: &str) -> u16 {
    0
}

/// libwebrtc's numbers.
#[cfg(any(target_os = "linux", test))]
fn cost_of(uevent: &str) -> u16 {
    let mut lines = uevent.lines();
    match lines.find_map(|line| line.strip_prefix("DEVTYPE=")) {
        Some("wwan") => 900,
        Some("wlan") => 10,
        _ => 0,
    }
}

/// Somewhere far away, in both families: servers of the root of the domain name system.
const WELL_KNOWN: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(199, 7, 83, 42)), 53),
    SocketAddr::new(
        IpAddr::V6(Ipv6Addr::new(0x2001, 0x500, 0x9f, 0, 0, 0, 0, 0x42)),
        53,
    ),
];
/// How late a change is noticed at most; where the kernel tells of it, at once.
const INTERVAL: Duration = Duration::from_secs(2);
/// For how long a list that a connection has asked for is good for others. What changes meanwhile is told as ever.
const FRESH: Duration = Duration::from_millis(100);
/// For how long the thread stays when nobody wants to know.
const LINGER: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::timeout;

    use super::*;

    fn interface(address: &str) -> Interface {
        Interface {
            name: "eth0".to_owned(),
            index: 1,
            address: address.parse().unwrap(),
            default_route: true,
            cost: 0,
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
        assert!(!networks.found.has_changed().unwrap(), "they are the same");
        let next = vec![interface("10.0.0.2"), interface("fd00::1")];
        update(&sender, next);
        assert_eq!(networks.changed().await, [interface("10.0.0.2")]);
        assert!(!networks.found.has_changed().unwrap());
    }

    /// A system leaves by one address of each family, where it has a default route at all.
    #[test]
    fn a_default_route_has_one_address() {
        let far = |text: &str| text.parse::<SocketAddr>().unwrap();
        let near = default_route(far("127.0.0.1:9"));
        assert_eq!(near, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let found = list().unwrap();
        for is_v4 in [true, false] {
            let of_family = found.iter().filter(|it| it.address.is_ipv4() == is_v4);
            assert!(of_family.filter(|it| it.default_route).count() <= 1);
        }
    }

    #[test]
    fn a_radio_costs_more_than_a_cable() {
        assert_eq!(cost_of("INTERFACE=eth0\nIFINDEX=2\n"), 0);
        assert_eq!(cost_of("DEVTYPE=wlan\nINTERFACE=wlan0\n"), 10);
        assert_eq!(cost_of("DEVTYPE=wwan\nINTERFACE=wwan0\n"), 900);
    }

    /// One after the other or at once: it is the same thread. It ends when nobody has wanted to know for a while.
    #[test]
    fn all_share_one_lookout() {
        let (one, two) = (subscribe().unwrap(), subscribe().unwrap());
        assert!(one.same_channel(&two));
        let told = || {
            let kept = LOOKOUT.lock().unwrap();
            kept.as_ref().map(|it| it.told.clone())
        };
        drop((one, two));
        // A machine with much to do may let it end meanwhile, but not each time.
        let stays = |_| {
            let sender = told();
            thread::sleep(Duration::from_millis(5));
            drop(subscribe().unwrap());
            sender.is_some_and(|it| told().is_some_and(|now| now.same_channel(&it)))
        };
        assert!((0..20).any(stays));
        let end = clock::now() + Duration::from_secs(20);
        while told().is_some() {
            assert!(clock::now() < end, "it stays for ever");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The lookout goes on for who comes before it has ended.
    #[tokio::test(start_paused = true)]
    async fn who_comes_meanwhile_keeps_the_lookout() {
        let told = watch::channel(Vec::new()).0;
        let kept = Mutex::new(Some(Lookout {
            told: told.clone(),
            asked: oxirtc_netsim::epoch(),
        }));
        let mut unwanted = pin!(unwanted(&told, &kept));
        assert!(timeout(LINGER / 2, &mut unwanted).await.is_err());
        let receiver = told.subscribe();
        assert!(timeout(LINGER * 10, &mut unwanted).await.is_err());
        drop(receiver);
        assert!(timeout(LINGER / 2, &mut unwanted).await.is_err());
        assert!(kept.lock().unwrap().is_some());
        assert!(timeout(LINGER, unwanted).await.is_ok());
        assert!(kept.lock().unwrap().is_none());
    }

    /// Many connections at once ask the system once, and a later one again.
    #[test]
    fn a_fresh_list_is_not_asked_for_again() {
        let start = oxirtc_netsim::epoch();
        let mut lookout = Lookout {
            told: watch::channel(vec![interface("10.0.0.1")]).0,
            asked: start,
        };
        let mut join = |after, now| {
            let list = || Ok(vec![interface(now)]);
            let joined = lookout.join(start + Duration::from_millis(after), list);
            joined.unwrap().borrow()[0].address.to_string()
        };
        assert_eq!(join(99, "10.0.0.2"), "10.0.0.1");
        assert_eq!(join(100, "10.0.0.2"), "10.0.0.2");
        assert_eq!(join(199, "10.0.0.3"), "10.0.0.2");
        assert_eq!(join(200, "10.0.0.3"), "10.0.0.3");
    }
}
