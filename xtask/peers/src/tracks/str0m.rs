//! str0m in its RTP mode: connections spread over threads, each of which polls its own and their sockets.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, UdpSocket},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    crypto::{
        CryptoError, CryptoProvider,
        dtls::{
            DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion,
            KeyingMaterial, ProtocolVersion, SrtpProfile,
        },
    },
    format::Codec,
    media::{Direction, MediaKind, Mid, Pt},
    net::{Protocol, Receive},
    rtp::{RtpPacket, RtpWrite},
};

use super::{
    film::{FRAME, Film},
    row::{Carried, Meter, PATIENCE, Protection, Tracks, Work},
    window::{STALLED, Window},
};
use crate::work;

pub struct Str0m;

impl Tracks for Str0m {
    fn carry(&self, work: Work, meter: Meter) -> Result<Carried> {
        let mut crypto = str0m::crypto::from_feature_flags();
        crypto.dtls_provider = match work.protection {
            Protection::Cm => &ONLY_CM,
            Protection::Gcm => &ONLY_GCM,
        };
        let crypto = Arc::new(crypto);
        let pair = || pair(&crypto);
        let mut loops: Vec<Loop> = Vec::new();
        for _ in 0..work.threads {
            loops.push(Loop::new()?);
        }
        // The writer's thread is the first, which is woken when there is room.
        let wake = loops[0].waker()?;
        let window = Arc::new(work.window(move || wake.wake()));
        let (near, far) = pair()?;
        loops[0].add(near, Part::Writes);
        let Some(receivers) = work.receivers else {
            let last = loops.len() - 1;
            loops[last].add(far, Part::Counts);
            return run(loops, &window, meter);
        };
        loops[0].add(far, Part::Forwards);
        for at in 0..receivers {
            let (out, end) = pair()?;
            let place = at % work.threads;
            loops[place].add(out, Part::Sends);
            loops[place].add(end, Part::Counts);
        }
        let others: Vec<Others> = loops.iter().map(Loop::others).collect::<Result<_>>()?;
        loops[0].others = others.into_iter().skip(1).collect();
        run(loops, &window, meter)
    }
}

fn run(loops: Vec<Loop>, window: &Arc<Window>, meter: Meter) -> Result<Carried> {
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = loops
        .into_iter()
        .map(|mut it| {
            let (window, stop) = (window.clone(), stop.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    it.turn(&window)?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    let carried = meter.run(window, thread::sleep);
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("no thread panics")?;
    }
    carried
}

/// What is done with a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Writes,
    Forwards,
    Sends,
    Counts,
}

/// What a thread does.
struct Loop {
    ends: Vec<(End, Part)>,
    film: Film<Arc<[u8]>>,
    /// Who else sends what is forwarded.
    others: Vec<Others>,
    packets: (mpsc::Sender<Shared>, mpsc::Receiver<Shared>),
    waking: (UnixStream, UnixStream),
    stalled: Option<(Instant, u64)>,
}

/// Where packets go that another thread sends.
struct Others {
    packets: mpsc::Sender<Shared>,
    wake: Waker,
}

/// What came together, for all threads.
type Shared = Arc<Vec<RtpPacket>>;

struct Waker(UnixStream);

impl Waker {
    fn wake(&self) {
        // A pipe that is full wakes as well.
        let _ = (&self.0).write(&[1]);
    }
}

impl Loop {
    fn new() -> Result<Self> {
        let waking = UnixStream::pair()?;
        waking.0.set_nonblocking(true)?;
        waking.1.set_nonblocking(true)?;
        Ok(Self {
            ends: Vec::new(),
            film: Film::new(Arc::from),
            others: Vec::new(),
            packets: mpsc::channel(),
            waking,
            stalled: None,
        })
    }

    fn waker(&self) -> Result<Waker> {
        Ok(Waker(self.waking.0.try_clone()?))
    }

    fn others(&self) -> Result<Others> {
        Ok(Others {
            packets: self.packets.0.clone(),
            wake: self.waker()?,
        })
    }

    fn add(&mut self, end: End, part: Part) {
        self.ends.push((end, part));
    }

    /// Writes what there is room for, waits for a datagram, and takes all that have come.
    fn turn(&mut self, window: &Window) -> Result<()> {
        let writes = self.write(window)?;
        let now = Instant::now();
        let due = self.ends.iter().map(|it| it.0.due).min();
        let wait = due.map_or(IDLE, |due| due.saturating_duration_since(now).min(IDLE));
        let wait = if writes { Duration::ZERO } else { wait };
        let (sockets, ends) = (
            self.ends.iter().map(|it| it.0.socket.as_fd()),
            self.ends.len(),
        );
        let mut polled: Vec<PollFd<'_>> = sockets
            .chain([self.waking.1.as_fd()])
            .map(|it| PollFd::new(it, PollFlags::POLLIN))
            .collect();
        ppoll(&mut polled, Some(TimeSpec::from(wait)), None)?;
        let ready: Vec<bool> = polled.iter().map(|it| it.any().unwrap_or(false)).collect();
        drop(polled);
        if ready[ends] {
            while matches!((&self.waking.1).read(&mut [0; 64]), Ok(1..)) {}
        }
        let mut forwarded = Vec::new();
        for (at, (end, part)) in self.ends.iter_mut().enumerate() {
            if ready[at] {
                end.receive()?;
            } else if end.due <= Instant::now() {
                end.pass_time()?;
            }
            match part {
                Part::Forwards => forwarded.append(&mut end.received),
                Part::Counts if !end.received.is_empty() => {
                    window.arrived(end.received.len());
                    end.received.clear();
                }
                _ => {}
            }
        }
        if !forwarded.is_empty() {
            let forwarded = Arc::new(forwarded);
            for other in &self.others {
                // Whose thread has ended was told to stop a moment earlier, or says itself what was wrong.
                if other.packets.send(forwarded.clone()).is_ok() {
                    other.wake.wake();
                }
            }
            self.send(&forwarded)?;
        }
        while let Ok(packets) = self.packets.1.try_recv() {
            self.send(&packets)?;
        }
        Ok(())
    }

    /// Writes a frame where there is room. True if there was.
    fn write(&mut self, window: &Window) -> Result<bool> {
        let mut writers = self.ends.iter_mut().filter(|it| it.1 == Part::Writes);
        let Some((end, _)) = writers.next() else {
            return Ok(false);
        };
        if !window.has_room() {
            let (now, seen) = (Instant::now(), window.received());
            let (since, before) = *self.stalled.get_or_insert((now, seen));
            if seen != before {
                self.stalled = None;
            } else if now - since > STALLED {
                window.write_off();
            }
            return Ok(false);
        }
        self.stalled = None;
        for _ in 0..FRAME {
            let shot = self.film.next();
            let wallclock = Instant::now();
            let write = RtpWrite::new(
                end.pt,
                shot.sequence.into(),
                shot.timestamp,
                wallclock,
                shot.payload,
            );
            end.write(write.marker(shot.marker).nackable(true))?;
        }
        window.wrote(FRAME);
        end.pass_time()?;
        Ok(true)
    }

    fn send(&mut self, packets: &[RtpPacket]) -> Result<()> {
        for (end, part) in &mut self.ends {
            if *part != Part::Sends {
                continue;
            }
            for packet in packets {
                let head = &packet.header;
                let write = RtpWrite::new(
                    end.pt,
                    packet.seq_no,
                    head.timestamp,
                    packet.timestamp,
                    packet.payload.clone(),
                );
                end.write(write.marker(head.marker).nackable(true))?;
            }
            end.pass_time()?;
        }
        Ok(())
    }
}

struct End {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    mid: Option<Mid>,
    pt: Pt,
    connected: bool,
    due: Instant,
    received: Vec<RtpPacket>,
    buffer: Vec<u8>,
}

/// Two ends, connected, of which the first sends a track.
fn pair(crypto: &Arc<CryptoProvider>) -> Result<(End, End)> {
    let (mut near, mut far) = (End::new(crypto)?, End::new(crypto)?);
    let mut change = near.rtc.sdp_api();
    let mid = change.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
    near.mid = Some(mid);
    let (offer, pending) = change.apply().context("an offer")?;
    let answer = far.rtc.sdp_api().accept_offer(offer)?;
    near.rtc.sdp_api().accept_answer(pending, answer)?;
    let begun = Instant::now();
    while !(near.connected && far.connected) {
        ensure!(begun.elapsed() < PATIENCE, "not connected");
        for end in [&mut near, &mut far] {
            end.receive()?;
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok((near, far))
}

impl End {
    fn new(crypto: &Arc<CryptoProvider>) -> Result<Self> {
        let socket = work::bind()?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let now = Instant::now();
        let config = Rtc::builder().set_rtp_mode(true);
        let mut config = config.set_crypto_provider(crypto.clone());
        let params = config.codec_config().params();
        let vp8 = params.iter().find(|it| it.spec().codec == Codec::Vp8);
        let pt = vp8.context("VP8")?.pt();
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp")?);
        Ok(Self {
            rtc,
            socket,
            address,
            mid: None,
            pt,
            connected: false,
            due: now,
            received: Vec::new(),
            buffer: vec![0; 2000],
        })
    }

    /// Queues a packet, which leaves when time passes.
    fn write(&mut self, packet: RtpWrite) -> Result<()> {
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(self.mid.context("a sender")?, None);
        stream.context("a stream")?.write_rtp(packet);
        Ok(())
    }

    /// Takes what has come, and lets time pass.
    fn receive(&mut self) -> Result<()> {
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
        self.pass_time()
    }

    fn pass_time(&mut self) -> Result<()> {
        self.rtc.handle_input(Input::Timeout(Instant::now()))?;
        self.flush()
    }

    /// Drains the machine.
    fn flush(&mut self) -> Result<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(due) => {
                    self.due = due;
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    let destination = transmit.destination;
                    match self.socket.send_to(&transmit.contents, destination) {
                        Err(error) if error.kind() != ErrorKind::WouldBlock => {
                            return Err(error.into());
                        }
                        _ => {}
                    }
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::RtpPacket(packet)) => self.received.push(packet),
                Output::Event(_) => {}
            }
        }
    }
}

/// DTLS as it comes, whose keys are taken for those of one profile: str0m has no setting for it, and both ends are here.
#[derive(Debug)]
struct Only(SrtpProfile, usize);

#[derive(Debug)]
struct OnlyInstance(Box<dyn DtlsInstance>, &'static Only);

impl DtlsProvider for Only {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        let plain = str0m::crypto::from_feature_flags();
        plain.dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let plain = str0m::crypto::from_feature_flags();
        let inner = plain.dtls_provider.new_dtls(cert, now, version, mtu)?;
        let only = match self.0 {
            SrtpProfile::AES128_CM_SHA1_80 => &ONLY_CM,
            _ => &ONLY_GCM,
        };
        Ok(Box::new(OnlyInstance(inner, only)))
    }
}

impl DtlsInstance for OnlyInstance {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        match self.0.poll_output(buf) {
            DtlsOutput::KeyingMaterial(keys, _) => {
                let Only(profile, length) = self.1;
                DtlsOutput::KeyingMaterial(KeyingMaterial::new(&keys[..*length]), *profile)
            }
            output => output,
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}

/// With the bytes of keys and salts of both directions.
static ONLY_CM: Only = Only(SrtpProfile::AES128_CM_SHA1_80, 60);
static ONLY_GCM: Only = Only(SrtpProfile::AEAD_AES_128_GCM, 56);
const IDLE: Duration = Duration::from_millis(10);
