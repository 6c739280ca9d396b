//! Agents that gather before a description asks for it (RFC 9429 §3.5.4).

use std::{collections::VecDeque, time::Instant};

use oxirtc_ice::{Agent, ChecklistSet, Event, Generation, Path, Plan, Server};

use super::{convert, equipment::Equipment, ids::TransportId, sockets::Sockets};

/// What `iceCandidatePoolSize` asks for, until the first answer.
#[derive(Default)]
pub(super) struct Pool {
    agents: VecDeque<Pooled>,
    /// How many there were; and how many transports have taken.
    made: u32,
    taken: usize,
    /// Whom the agents have asked.
    servers: Vec<Server>,
}

/// An agent that has no transport yet.
pub(super) struct Pooled {
    /// That of the transport to be.
    pub(super) id: TransportId,
    pub(super) ice: Agent,
    pub(super) sockets: Sockets,
    /// What went wrong, to be told when somebody may be told.
    pub(super) errors: Vec<Event>,
}

impl Pool {
    /// Makes it as large as this, where `grows`; at most smaller otherwise. Agents that are let go of are closed.
    pub(super) fn resize(
        &mut self,
        now: Instant,
        (size, grows): (u8, bool),
        equipment: &Equipment,
        set: &mut ChecklistSet,
    ) -> Vec<Pooled> {
        let size = usize::from(size).min(MAX_AGENTS);
        // RFC 9429 §4.1.18: with new servers it begins anew.
        let kept = match grows && self.servers != equipment.ice_servers {
            true => 0,
            false => size.saturating_sub(self.taken * usize::from(grows)),
        };
        let at = kept.min(self.agents.len());
        let mut gone = Vec::from(self.agents.split_off(at));
        for pooled in &mut gone {
            pooled.ice.close(now, set);
        }
        let Some(interfaces) = equipment.interfaces.as_ref().filter(|_| grows) else {
            return gone;
        };
        self.servers.clone_from(&equipment.ice_servers);
        while self.agents.len() + self.taken < size {
            self.made += 1;
            // Those of transports without a pooled agent begin at 0.
            let id = TransportId(u32::MAX - self.made);
            let mut pooled = Pooled::new(id, equipment);
            let ice = &mut pooled.ice;
            ice.handle_interfaces(now, set, &convert::interfaces(interfaces));
            // The transport brings credentials of its own. What was gathered for these is used for those.
            let local = ice.generate_credentials();
            let open = Some(Generation {
                local,
                remote: None,
            });
            let plan = Plan { stable: None, open };
            if let Err(error) = ice.set_plan(now, set, plan) {
                let label = equipment.trace.label;
                log::warn!("{label}: nothing is gathered ahead: {error}");
            }
            self.agents.push_back(pooled);
        }
        gone
    }

    /// The one that has gathered for longest.
    pub(super) fn take(&mut self) -> Option<Pooled> {
        let mut pooled = self.agents.pop_front()?;
        pooled.settle();
        self.taken += 1;
        Some(pooled)
    }

    /// Does something to the agent of each.
    pub(super) fn each(
        &mut self,
        set: &mut ChecklistSet,
        mut f: impl FnMut(&mut Agent, &mut ChecklistSet),
    ) {
        for pooled in &mut self.agents {
            f(&mut pooled.ice, set);
            pooled.settle();
        }
    }

    /// Takes what came on a socket of theirs, which transports may share; whether there is such a one.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        path: Path,
        datagram: &[u8],
    ) -> bool {
        let mut known = false;
        for pooled in &mut self.agents {
            if pooled.sockets.contains(path.local) {
                known = true;
                let mut datagram = datagram.to_vec();
                pooled.handle_datagram(now, set, path, &mut datagram);
            }
        }
        known
    }

    pub(super) fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Pooled> {
        self.agents.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pooled> {
        self.agents.iter_mut()
    }

    pub(super) fn by_id(&mut self, id: TransportId) -> Option<&mut Pooled> {
        self.agents.iter_mut().find(|it| it.id == id)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.agents
            .iter()
            .filter_map(|it| it.ice.poll_timeout())
            .min()
    }

    /// The next question to a server, with where it goes.
    pub(super) fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Path> {
        let mut agents = self.agents.iter_mut();
        agents.find_map(|it| poll_agent(&mut it.ice, now, buf))
    }
}

impl Pooled {
    /// One as the settings and the configuration want it.
    pub(super) fn new(id: TransportId, equipment: &Equipment) -> Self {
        let seed = equipment.seed.derive("ice", id.0);
        let mut ice = Agent::new(
            convert::ice_config(&equipment.settings, equipment.trace.label),
            seed,
        );
        ice.set_transport_policy(convert::transport_policy(equipment.ice_transport_policy));
        ice.set_servers(equipment.ice_servers.clone());
        let (sockets, errors) = (Sockets::default(), Vec::new());
        Self {
            id,
            ice,
            sockets,
            errors,
        }
    }

    /// Keeps what is to be told, and forgets the rest: it is about a generation that nobody is told of.
    pub(super) fn settle(&mut self) {
        while let Some(event) = self.ice.poll_event() {
            if matches!(event, Event::CandidateError { .. }) && self.errors.len() < MAX_ERRORS {
                self.errors.push(event);
            }
        }
    }

    /// What came on a socket of its own. There is no peer yet.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        set: &mut ChecklistSet,
        path: Path,
        datagram: &mut [u8],
    ) {
        self.ice
            .handle_datagram(now, set, path, datagram, &mut |_, _| {});
        self.settle();
    }
}

/// The next question of an agent, with where it goes.
pub(super) fn poll_agent(ice: &mut Agent, now: Instant, buf: &mut Vec<u8>) -> Option<Path> {
    let base = buf.len();
    loop {
        let path = ice.control_way()?.path;
        if ice.poll_transmit(now, MTU, buf) && buf.len() > base {
            return Some(path);
        }
        if ice.control_way().map(|way| way.path) == Some(path) {
            return None;
        }
    }
}

/// Each has sockets on all addresses, and allocations: a connection that is bundled needs one.
const MAX_AGENTS: usize = 8;
const MAX_ERRORS: usize = 64;
const MTU: usize = 1200;

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        net::{IpAddr, SocketAddr},
        time::Duration,
    };

    use oxirtc_netsim::epoch;

    use crate::{
        Configuration, IceServer, Path, Protocol, Request, Settings, engine::Engine,
        path::Interface,
    };

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn pooled(size: u8) -> Configuration {
        Configuration {
            ice_candidate_pool_size: size,
            ice_servers: vec![IceServer {
                urls: vec!["turn:192.0.2.9:3478?transport=tcp".into()],
                username: Some("alice".into()),
                credential: Some("secret".into()),
            }],
            ..Configuration::default()
        }
    }

    fn configure(engine: &mut Engine, size: u8) -> Vec<Request> {
        engine.set_configuration(pooled(size)).unwrap();
        engine.gather_ahead(epoch());
        requests(engine)
    }

    fn requests(engine: &mut Engine) -> Vec<Request> {
        std::iter::from_fn(|| engine.poll_request()).collect()
    }

    fn at(port: u16) -> SocketAddr {
        SocketAddr::new(LOCAL, port)
    }

    /// A pool of one, which has what it asks for but what `late` holds for.
    fn begun(late: impl Fn(&Request) -> bool) -> (Engine, Request) {
        let mut engine = crate::engine::engine(1, Settings::default().ice_tcp(true));
        let interface = Interface {
            name: "eth0".into(),
            index: 2,
            address: LOCAL,
            default_route: true,
            cost: 0,
        };
        engine.handle_interfaces(epoch(), &[interface]);
        let mut asked = VecDeque::from(configure(&mut engine, 1));
        let mut waits = None;
        let mut port = 1;
        while let Some(request) = asked.pop_front() {
            match request {
                it if late(&it) => waits = Some(it),
                Request::Bind { id, .. } | Request::Listen { id, .. } => {
                    engine.handle_response(epoch(), id, Ok(at(port)));
                    port += 1;
                }
                _ => {}
            }
            asked.extend(requests(&mut engine));
        }
        (engine, waits.unwrap())
    }

    /// What an agent of the pool has asked for and what comes when it was let go of is let go of as well, each as what it is: the
    /// numbers of UDP and of TCP are apart.
    #[test]
    fn what_comes_late_is_let_go_of() {
        let local = at(1);
        let kinds: [fn(&Request) -> bool; 3] = [
            |it| matches!(it, Request::Bind { own: false, .. }),
            |it| matches!(it, Request::Listen { .. }),
            |it| matches!(it, Request::Connect { .. }),
        ];
        for kind in kinds {
            let (mut engine, late) = begun(kind);
            configure(&mut engine, 0);
            let (id, end) = match late {
                Request::Bind { id, .. } => (id, Request::Close { local }),
                Request::Listen { id, .. } => (id, Request::Unlisten { local }),
                Request::Connect { id, to, .. } => {
                    let path = Path {
                        local,
                        remote: to,
                        protocol: Protocol::Tcp,
                    };
                    (id, Request::Disconnect { path })
                }
                other => panic!("{other:?}"),
            };
            engine.handle_response(epoch(), id, Ok(local));
            assert_eq!(requests(&mut engine), [end]);
        }
    }

    /// An agent of the pool has what it has, and not what it once had.
    #[test]
    fn what_has_ended_is_forgotten() {
        let (mut engine, late) = begun(|it| matches!(it, Request::Connect { .. }));
        let Request::Connect { mut id, to, .. } = late else {
            panic!("{late:?}");
        };
        let mut now = epoch();
        let count = |engine: &Engine| -> usize {
            let pool = engine.transports.pool.iter();
            pool.map(|it| it.sockets.len()).sum()
        };
        let before = count(&engine);
        assert_eq!(before, 2, "a socket, and where streams are taken");
        engine.handle_response(now, id, Ok(at(7)));
        assert_eq!(count(&engine), 3);
        let path = Path {
            local: at(7),
            remote: to,
            protocol: Protocol::Tcp,
        };
        engine.handle_disconnected(now, path);
        let asked = requests(&mut engine);
        assert!(asked.contains(&Request::Disconnect { path }), "{asked:?}");
        assert_eq!(count(&engine), before);
        now += Duration::from_secs(5);
        engine.handle_timeout(now);
        let again = requests(&mut engine).into_iter().find_map(|it| match it {
            Request::Connect { id, .. } => Some(id),
            _ => None,
        });
        if let Some(again) = again {
            id = again;
            engine.handle_response(now, id, Ok(at(8)));
            assert_eq!(count(&engine), 3);
        }
        engine.handle_interfaces(now, &[]);
        requests(&mut engine);
        assert_eq!(count(&engine), 0);
    }
}
