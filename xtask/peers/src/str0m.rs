//! str0m: each end on a thread of its own that polls it and its socket.

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::{SdpAnswer, SdpOffer},
    channel::{ChannelConfig, ChannelId, Reliability},
    net::{Protocol, Receive},
};

use crate::{
    path::Path,
    relay::Relay,
    work::{self, Flow, Flowed, SetUps, Stack},
};

pub struct Str0m;

impl Stack for Str0m {
    fn name(&self) -> &'static str {
        "str0m"
    }

    fn version(&self) -> &'static str {
        "0.25"
    }

    fn flow(&self, flow: Flow, path: Option<Path>, time: Duration) -> Result<Flowed> {
        let (_relay, (mut sender, mut receiver)) = pair_over(flow.reliable, path)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let (cpu, start) = (work::cpu()?, Instant::now());
        let sending = thread::spawn(move || -> Result<()> {
            let message = vec![7; flow.message];
            while !stopped.load(Ordering::Relaxed) {
                let mut channel = sender
                    .rtc
                    .channel(sender.channel.context("open")?)
                    .context("channel")?;
                let taken = (0..16)
                    .take_while(|_| channel.write(true, &message).is_ok_and(|taken| taken))
                    .count();
                sender.step(if taken == 0 { IDLE } else { Duration::ZERO })?;
            }
            Ok(())
        });
        let mut messages = 0;
        while start.elapsed() < time {
            receiver.step(IDLE)?;
            messages += receiver.received.drain(..).count() as u64;
        }
        let (wall, cpu) = (start.elapsed(), work::cpu()? - cpu);
        stop.store(true, Ordering::Relaxed);
        sending.join().expect("the sender does not panic")?;
        Ok(Flowed {
            messages,
            wall,
            cpu,
        })
    }

    fn ping_pong(&self, rounds: usize) -> Result<Vec<Duration>> {
        let (mut near, mut far) = pair(true, None)?;
        let (done, echo_until) = mpsc::channel::<()>();
        let echo = thread::spawn(move || -> Result<()> {
            while matches!(echo_until.try_recv(), Err(mpsc::TryRecvError::Empty)) {
                far.step(IDLE)?;
                for message in std::mem::take(&mut far.received) {
                    far.write(&message)?;
                }
            }
            Ok(())
        });
        let mut times = Vec::with_capacity(rounds);
        let message = [7; 100];
        while times.len() < rounds {
            let start = Instant::now();
            near.write(&message)?;
            while near.received.is_empty() {
                near.step(IDLE)?;
            }
            times.push(start.elapsed());
            near.received.clear();
        }
        drop(done);
        echo.join().expect("the echo does not panic")?;
        Ok(times)
    }

    fn set_up(&self, connections: usize) -> Result<SetUps> {
        let cpu = work::cpu()?;
        let mut times = Vec::with_capacity(connections);
        for _ in 0..connections {
            let start = Instant::now();
            let pair = pair(true, None)?;
            times.push(start.elapsed());
            drop(pair);
        }
        Ok(SetUps {
            times,
            cpu: work::cpu()? - cpu,
        })
    }
}

struct End {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    channel: Option<ChannelId>,
    received: Vec<Vec<u8>>,
    buffer: Vec<u8>,
}

/// The same over a path. A set-up of which a packet was lost may never end: then another is tried, with other dice.
fn pair_over(reliable: bool, path: Option<Path>) -> Result<(Option<Relay>, (End, End))> {
    let mut path = path;
    for _ in 0..SET_UPS {
        let relay = path.map(Relay::start).transpose()?;
        match pair(reliable, relay.as_ref()) {
            Ok(pair) => return Ok((relay, pair)),
            Err(error) => eprintln!("str0m: {error}"),
        }
        if let Some(path) = &mut path {
            path.seed += 1000;
        }
    }
    bail!("no set-up has ended")
}

/// Two ends, connected, with one channel that both have open.
fn pair(reliable: bool, relay: Option<&Relay>) -> Result<(End, End)> {
    str0m::crypto::from_feature_flags().install_process_default();
    let (mut near, mut far) = (End::new()?, End::new()?);
    let mut change = near.rtc.sdp_api();
    change.add_channel_with_config(ChannelConfig {
        label: "data".into(),
        ordered: reliable,
        reliability: if reliable {
            Reliability::Reliable
        } else {
            Reliability::MaxRetransmits { retransmits: 0 }
        },
        ..ChannelConfig::default()
    });
    let (mut offer, pending) = change.apply().context("an offer")?;
    if let Some(relay) = relay {
        let text = Relay::through(&offer.to_sdp_string(), relay.ports[1]);
        offer = SdpOffer::from_sdp_string(&text)?;
    }
    let mut answer = far.rtc.sdp_api().accept_offer(offer)?;
    if let Some(relay) = relay {
        let text = Relay::through(&answer.to_sdp_string(), relay.ports[0]);
        answer = SdpAnswer::from_sdp_string(&text)?;
    }
    near.rtc.sdp_api().accept_answer(pending, answer)?;
    // Both on their own threads, as in the work itself.
    let opening = thread::spawn(move || -> Result<End> {
        far.open()?;
        Ok(far)
    });
    near.open()?;
    let far = opening.join().expect("the far end does not panic")?;
    Ok((near, far))
}

impl End {
    fn new() -> Result<Self> {
        let socket = work::bind()?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let mut rtc = Rtc::builder().build(Instant::now());
        rtc.add_local_candidate(Candidate::host(address, "udp")?);
        let buffer = vec![0; 2000];
        Ok(Self {
            rtc,
            socket,
            address,
            channel: None,
            received: Vec::new(),
            buffer,
        })
    }

    fn open(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.channel.is_none() {
            ensure!(start.elapsed() < LONGEST_SET_UP, "the channel is not open");
            self.step(IDLE)?;
        }
        Ok(())
    }

    fn write(&mut self, message: &[u8]) -> Result<()> {
        let id = self.channel.context("open")?;
        self.rtc
            .channel(id)
            .context("channel")?
            .write(true, message)?;
        self.flush().map(drop)
    }

    /// Sends what is due, waits for a datagram for at most this long, and takes all that have come.
    fn step(&mut self, wait: Duration) -> Result<()> {
        let due = self.flush()?;
        let wait = wait.min(due.saturating_duration_since(Instant::now()));
        let mut polled = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        if !wait.is_zero() {
            ppoll(&mut polled, Some(TimeSpec::from(wait)), None)?;
        }
        for _ in 0..64 {
            let (length, source) = match self.socket.recv_from(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            let contents = self.buffer[..length].try_into()?;
            let receive = Receive {
                proto: Protocol::Udp,
                source,
                destination: self.address,
                contents,
            };
            self.rtc
                .handle_input(Input::Receive(Instant::now(), receive))?;
            self.flush()?;
        }
        self.rtc.handle_input(Input::Timeout(Instant::now()))?;
        self.flush().map(drop)
    }

    /// Drains the machine; says when it wants to be asked again.
    fn flush(&mut self) -> Result<Instant> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(due) => return Ok(due),
                Output::Transmit(transmit) => {
                    match self
                        .socket
                        .send_to(&transmit.contents, transmit.destination)
                    {
                        Err(error) if error.kind() != ErrorKind::WouldBlock => {
                            return Err(error.into());
                        }
                        _ => {}
                    }
                }
                Output::Event(Event::ChannelOpen(id, _)) => self.channel = Some(id),
                Output::Event(Event::ChannelData(data)) => self.received.push(data.data),
                Output::Event(_) => {}
            }
        }
    }
}

const IDLE: Duration = Duration::from_millis(10);
/// Over the longest path one takes less than a second, and a few where a packet is sent again.
const LONGEST_SET_UP: Duration = Duration::from_secs(15);
const SET_UPS: usize = 5;
