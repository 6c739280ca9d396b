//! One end of a connection in a namespace of its own: a process that is told what to do, line by line, and tells what happens.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, Endpoint, Event, IceCandidateInit,
    IceCandidateType, IceServer, IceServerTransportProtocol, IceTransportState, MediaKind,
    MediaStreamTrack, Message, PeerConnection, Priority, Protocol, SdpType, SessionDescription,
    engine::Settings,
};
use ring::digest::{Context as Digest, SHA256};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, interval},
};

use crate::interop::{coturn::media::give, transfer::hex};

/// What such a process is told at its start.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Orders {
    /// It offers
    #[arg(long)]
    pub(crate) offers: bool,
    /// It takes streams
    #[arg(long)]
    pub(crate) tcp: bool,
    /// It has a microphone and a camera, and plays those of the other one
    #[arg(long)]
    pub(crate) calls: bool,
    /// What it sends is important, and marked so
    #[arg(long)]
    pub(crate) marks: bool,
    /// It has nothing but the IPv6 addresses of its link
    #[arg(long)]
    pub(crate) link_local: bool,
    /// Its port could have other connections as well
    #[arg(long)]
    pub(crate) one_port: bool,
    /// A server with its user alice
    #[arg(long = "server")]
    pub(crate) servers: Vec<String>,
}

/// A line, to it or from it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// Both ways: signalling.
    Description(SessionDescription),
    Candidate(Value),
    /// To it: send so many bytes, at no more than a moderate pace.
    Send(usize),
    /// To it: receive so many bytes.
    Receive(usize),
    /// To it: say the pair as soon as ICE is done, or the pair stays.
    Show,
    /// To it: restart ICE, and say what addresses of its own it tells.
    Restart,
    /// To it: from now on, see how long no frame comes.
    Watch,
    /// To it: say what was played since then.
    Stop,
    /// From it: the channel is open.
    Open,
    Played(Played),
    Pair(Pair),
    Hosts(Vec<String>),
    /// So many bytes have come, with no longer time without any in milliseconds.
    Came {
        bytes: usize,
        gap: u64,
    },
    Sent(String),
    Received {
        digest: String,
        /// The longest time without anything, in milliseconds.
        gap: u64,
    },
    /// It cannot go on.
    Failed(String),
}

/// The pair in use as one end sees it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) local: String,
    pub(crate) remote: String,
    pub(crate) protocol: String,
    /// How the server of a relayed candidate of its own is reached.
    pub(crate) relay_protocol: String,
    /// Of its candidate.
    pub(crate) addresses: Vec<String>,
    pub(crate) state: String,
}

/// What was played of the other end's microphone and camera.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Played {
    pub(crate) sound: Frames,
    pub(crate) pictures: Frames,
}

#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Frames {
    pub(crate) count: u32,
    /// The longest time without any, in milliseconds.
    pub(crate) gap: u64,
    /// When the last one came.
    #[serde(skip)]
    last: Option<Instant>,
}

impl Frames {
    fn watch(&mut self) {
        *self = Self {
            last: Some(Instant::now()),
            ..Self::default()
        };
    }

    /// Time has passed until now.
    fn note(&mut self) {
        let now = Instant::now();
        let since = self.last.map_or(Duration::ZERO, |last| now - last);
        self.gap = self
            .gap
            .max(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        self.last = Some(now);
    }
}

/// Until nobody listens any more.
pub(crate) fn run(orders: &Orders) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("no threads")?;
    runtime.block_on(async {
        if let Err(error) = take_part(orders).await {
            say(&Word::Failed(format!("{error:#}")));
        }
    });
    Ok(())
}

async fn take_part(orders: &Orders) -> anyhow::Result<()> {
    let connection = connection(orders)?;
    let priority = match orders.marks {
        true => Priority::High,
        false => Priority::default(),
    };
    let mut channel = None;
    let played = Arc::<Mutex<Played>>::default();
    if orders.calls {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            let (track, writer) = MediaStreamTrack::from_frames(kind);
            let sender = connection.add_track(&track, &[])?;
            let mut parameters = sender.parameters();
            for encoding in &mut parameters.encodings {
                encoding.priority = priority;
            }
            sender.set_parameters(parameters).await?;
            tokio::spawn(give(kind, writer));
        }
    }
    if orders.offers {
        let init = DataChannelInit {
            priority,
            ..DataChannelInit::default()
        };
        let opened = connection.create_data_channel("data", init)?;
        tell_open(opened.clone());
        channel = Some(opened);
        describe(&connection).await?;
    }
    let mut lines = heard();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                None => return Ok(()),
                Some(line) => match serde_json::from_str(&line)? {
                    Word::Watch => {
                        let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
                        played.sound.watch();
                        played.pictures.watch();
                    }
                    Word::Stop => {
                        let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
                        played.sound.note();
                        played.pictures.note();
                        say(&Word::Played(*played));
                    }
                    word => obey(word, &connection, channel.as_ref()).await?,
                },
            },
            event = connection.next_event() => match event {
                None => bail!("the connection has ended"),
                Some(Event::IceCandidate(candidate)) => say(&Word::Candidate(serde_json::to_value(candidate)?)),
                Some(Event::DataChannel(arrived)) => {
                    tell_open(arrived.clone());
                    channel = Some(arrived);
                }
                Some(Event::Track { track, .. }) => drop(tokio::spawn(play(track, played.clone()))),
                Some(_) => {}
            },
        }
    }
}

/// One that is as it is told to be.
fn connection(orders: &Orders) -> anyhow::Result<PeerConnection> {
    let server = |url: &String| match url.starts_with("stun:") {
        true => IceServer {
            urls: vec![url.clone()],
            ..IceServer::default()
        },
        false => IceServer::with_credential(url, "alice", "secret"),
    };
    let configuration = Configuration {
        ice_servers: orders.servers.iter().map(server).collect(),
        ..Configuration::default()
    };
    let settings = Settings::default().ice_tcp(orders.tcp).dscp(orders.marks);
    let settings = match orders.link_local {
        true => settings.ipv4(false).link_local(true),
        false => settings.ipv6(false),
    };
    Ok(match orders.one_port {
        true => Endpoint::bind("[::]:0")?
            .with_settings(settings)
            .peer_connection(configuration)?,
        false => PeerConnection::with_settings(configuration, settings)?,
    })
}

async fn obey(
    word: Word,
    connection: &PeerConnection,
    channel: Option<&DataChannel>,
) -> anyhow::Result<()> {
    match word {
        Word::Description(description) => {
            let offer = description.kind == SdpType::Offer;
            connection.set_remote_description(description).await?;
            if offer {
                describe(connection).await?;
            }
        }
        Word::Candidate(candidate) => {
            let candidate: Option<IceCandidateInit> = serde_json::from_value(candidate)?;
            connection
                .add_ice_candidate(candidate.unwrap_or_default())
                .await?;
        }
        Word::Send(total) => spawn(send(channel.context("no channel")?.clone(), total)),
        Word::Receive(total) => spawn(receive(channel.context("no channel")?.clone(), total)),
        Word::Show => spawn(show(connection.clone())),
        Word::Restart => {
            connection.restart_ice();
            describe(connection).await?;
            spawn(hosts(connection.clone()));
        }
        other => bail!("{other:?} is for the other side"),
    }
    Ok(())
}

async fn describe(connection: &PeerConnection) -> anyhow::Result<()> {
    connection.set_local_description(None).await?;
    let description = connection.local_description().context("no description")?;
    say(&Word::Description(description));
    Ok(())
}

fn tell_open(channel: DataChannel) {
    spawn(async move {
        channel.opened().await?;
        Ok(Word::Open)
    });
}

fn spawn(work: impl Future<Output = anyhow::Result<Word>> + Send + 'static) {
    tokio::spawn(async move {
        say(&match work.await {
            Ok(word) => word,
            Err(error) => Word::Failed(format!("{error:#}")),
        });
    });
}

async fn send(channel: DataChannel, total: usize) -> anyhow::Result<Word> {
    let mut digest = Digest::new(&SHA256);
    let mut pace = interval(PACE);
    for number in 0..total.div_ceil(PIECE) {
        let length = PIECE.min(total - number * PIECE);
        let piece: Bytes = (0..length)
            .map(|at| (at * 13 + (at >> 8) + number * 101) as u8)
            .collect();
        digest.update(&piece);
        channel.send(piece).await?;
        pace.tick().await;
    }
    Ok(Word::Sent(hex(digest)))
}

async fn receive(channel: DataChannel, total: usize) -> anyhow::Result<Word> {
    let mut digest = Digest::new(&SHA256);
    let (mut came, mut gap) = (0, Duration::ZERO);
    let mut last = None;
    while came < total {
        let message = channel.recv().await;
        let message = message.with_context(|| format!("closed after {came} bytes"))?;
        let Message::Binary(piece) = message else {
            bail!("text came");
        };
        let now = Instant::now();
        gap = gap.max(last.map_or(Duration::ZERO, |last| now - last));
        last = Some(now);
        digest.update(&piece);
        let told = came / STEP;
        came += piece.len();
        if came / STEP > told {
            let gap = u64::try_from(gap.as_millis())?;
            say(&Word::Came { bytes: came, gap });
        }
    }
    ensure!(came == total, "{came} bytes came, not {total}");
    let gap = u64::try_from(gap.as_millis())?;
    let digest = hex(digest);
    Ok(Word::Received { digest, gap })
}

/// Counts what a track plays, to its end.
async fn play(track: MediaStreamTrack, played: Arc<Mutex<Played>>) -> anyhow::Result<()> {
    let mut frames = track.frames()?;
    while frames.next().await.is_some() {
        let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
        let frames = match track.kind() {
            MediaKind::Audio => &mut played.sound,
            MediaKind::Video => &mut played.pictures,
        };
        frames.note();
        frames.count += 1;
    }
    Ok(())
}

async fn show(connection: PeerConnection) -> anyhow::Result<Word> {
    let sctp = connection.sctp().and_then(|it| it.transport());
    let ice = sctp.context("no transport")?.ice_transport();
    let end = Instant::now() + SETTLING;
    let mut pair = ice.selected_candidate_pair();
    let mut stays = Instant::now() + STAYING;
    while ice.state() != IceTransportState::Completed && Instant::now() < stays.min(end) {
        tokio::time::sleep(TICK).await;
        let now = ice.selected_candidate_pair();
        if now != pair {
            (pair, stays) = (now, Instant::now() + STAYING);
        }
    }
    let pair = ice.selected_candidate_pair().context("no pair")?;
    let kind = |kind: Option<IceCandidateType>| match kind {
        Some(IceCandidateType::Host) => "host",
        Some(IceCandidateType::Srflx) => "srflx",
        Some(IceCandidateType::Prflx) => "prflx",
        Some(IceCandidateType::Relay) => "relay",
        None => "?",
    };
    let protocol = match pair.local.protocol() {
        Some(Protocol::Udp) => "udp",
        Some(Protocol::Tcp) => "tcp",
        None => "?",
    };
    let relay_protocol = match pair.local.relay_protocol() {
        Some(IceServerTransportProtocol::Udp) => "udp",
        Some(IceServerTransportProtocol::Tcp) => "tcp",
        Some(IceServerTransportProtocol::Tls) => "tls",
        None => "",
    };
    let addresses = [pair.local.address(), pair.local.related_address()];
    Ok(Word::Pair(Pair {
        local: kind(pair.local.kind()).to_owned(),
        remote: kind(pair.remote.kind()).to_owned(),
        protocol: protocol.to_owned(),
        relay_protocol: relay_protocol.to_owned(),
        addresses: addresses.into_iter().flatten().collect(),
        state: format!("{:?}", ice.state()),
    }))
}

/// The addresses of this machine among the candidates of the description.
async fn hosts(connection: PeerConnection) -> anyhow::Result<Word> {
    let described = connection.gathered().await?;
    let candidates = described.sdp.lines().filter(|it| it.contains(" typ host"));
    let addresses = candidates.filter_map(|it| it.split(' ').nth(4));
    Ok(Word::Hosts(addresses.map(str::to_owned).collect()))
}

/// The lines that are said to this process, from a thread: standard input does not wait for anything else.
pub(crate) fn heard() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn say(word: &Word) {
    match serde_json::to_string(word) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("a word that is not JSON: {error}"),
    }
}

const PIECE: usize = 16 << 10;
/// At most 16 MiB a second, so that what is done in the middle is in the middle.
const PACE: Duration = Duration::from_millis(1);
const STEP: usize = 256 << 10;
const SETTLING: Duration = Duration::from_secs(8);
/// A pair that has been in use for so long is the one that there is.
const STAYING: Duration = Duration::from_millis(1500);
const TICK: Duration = Duration::from_millis(20);
