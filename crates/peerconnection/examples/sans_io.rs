//! The engine without a runtime: two threads, each with one `Engine` and one plain UDP socket. This is all that a driver does.
#![expect(
    clippy::disallowed_methods,
    reason = "a driver reads the clock and gives each engine its seed"
)]

use std::{
    net::UdpSocket,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use oxirtc_peerconnection::{
    Configuration, DataChannelInit, IceGatheringState, Message, SessionDescription,
    engine::{Anchor, ChannelEvent, Engine, Event, Interface, Path, Request, Settings},
};

/// One peer, and the way to the other for descriptions.
struct Peer {
    engine: Engine,
    socket: UdpSocket,
    buffer: Vec<u8>,
    signals: (Sender<SessionDescription>, Receiver<SessionDescription>),
}

fn main() -> Result<()> {
    let ((to_answerer, offers), (to_offerer, answers)) = (channel(), channel());
    let answering = thread::spawn(move || answer((to_offerer, offers)));
    offer((to_answerer, answers))?;
    let heard = answering.join().expect("no panic")?;
    println!("{heard:?} arrived");
    ensure!(heard == Message::from("hello"), "another message came");
    Ok(())
}

/// Makes the offer, says hello, and goes when the peer has said goodbye.
fn offer(signals: (Sender<SessionDescription>, Receiver<SessionDescription>)) -> Result<()> {
    let mut peer = Peer::new(signals)?;
    let now = Instant::now();
    let chat = peer
        .engine
        .create_data_channel(now, "chat", &DataChannelInit::default())?;
    peer.engine.set_local_description(now, None)?;
    peer.send_description()?;
    let answer = peer.signals.1.recv().context("no answer")?;
    peer.engine.set_remote_description(Instant::now(), answer)?;
    loop {
        for event in peer.turn()? {
            match event {
                Event::Channel(id, ChannelEvent::Open) if id == chat => {
                    peer.engine.send(Instant::now(), chat, &"hello".into())?;
                }
                Event::PeerClosed => return Ok(()),
                _ => {}
            }
        }
    }
}

/// Answers, waits for a message, and closes.
fn answer(signals: (Sender<SessionDescription>, Receiver<SessionDescription>)) -> Result<Message> {
    let mut peer = Peer::new(signals)?;
    let offer = peer.signals.1.recv().context("no offer")?;
    peer.engine.set_remote_description(Instant::now(), offer)?;
    peer.engine.set_local_description(Instant::now(), None)?;
    peer.send_description()?;
    loop {
        for event in peer.turn()? {
            let Event::Readable(channel) = event else {
                continue;
            };
            if let Some(message) = peer.engine.read(Instant::now(), channel) {
                peer.engine.close(Instant::now());
                peer.send()?; // the goodbye
                return Ok(message);
            }
        }
    }
}

impl Peer {
    fn new(signals: (Sender<SessionDescription>, Receiver<SessionDescription>)) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let now = Instant::now();
        let anchor = Anchor {
            instant: now,
            wall: SystemTime::now(),
        };
        let random = ring::rand::generate(&ring::rand::SystemRandom::new());
        let seed: [u8; 32] = random.ok().context("no randomness")?.expose();
        let mut engine = Engine::new(Configuration::default(), Settings::default(), seed, anchor)?;
        let interface = Interface {
            name: "lo".into(),
            index: 1,
            address: socket.local_addr()?.ip(),
            default_route: true,
            cost: 0,
        };
        engine.handle_interfaces(now, &[interface]);
        Ok(Self {
            engine,
            socket,
            buffer: Vec::new(),
            signals,
        })
    }

    /// All candidates are there at once, as all addresses are this machine's own.
    fn send_description(&mut self) -> Result<()> {
        while self.engine.ice_gathering_state() != IceGatheringState::Complete {
            self.turn()?;
        }
        let description = self.engine.local_description().context("it was set")?;
        self.signals
            .0
            .send(description)
            .context("the other peer is gone")
    }

    /// One turn: what the engine has to send and to ask, then one datagram or the next deadline. The events that follow.
    fn turn(&mut self) -> Result<Vec<Event>> {
        self.send()?;
        while let Some(request) = self.engine.poll_request() {
            if let Request::Bind { id, .. } = request {
                let address = self.socket.local_addr()?;
                self.engine.handle_response(Instant::now(), id, Ok(address));
            }
        }
        let mut events = Vec::new();
        while let Some(task) = self.engine.poll_task() {
            events.extend(task);
        }
        if !events.is_empty() {
            return Ok(events);
        }
        let deadline = self.engine.poll_timeout();
        let wait = deadline.map_or(LONG, |it| it.saturating_duration_since(Instant::now()));
        self.socket
            .set_read_timeout(Some(wait.clamp(SHORT, LONG)))?;
        let mut datagram = [0; 2048];
        if let Ok((length, from)) = self.socket.recv_from(&mut datagram) {
            let path = Path::udp(self.socket.local_addr()?, from);
            let datagram = datagram.get_mut(..length).context("it fits")?;
            self.engine.handle_datagram(Instant::now(), path, datagram);
        }
        self.engine.handle_timeout(Instant::now());
        Ok(events)
    }

    fn send(&mut self) -> Result<()> {
        self.buffer.clear();
        while let Some(transmit) = self.engine.poll_transmit(Instant::now(), &mut self.buffer) {
            for datagram in self.buffer.chunks(transmit.segment) {
                self.socket.send_to(datagram, transmit.path.remote)?;
            }
            self.buffer.clear();
        }
        Ok(())
    }
}

const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(1);
