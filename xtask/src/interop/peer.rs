//! Our side of a test: a connection, its negotiation with the page, and what it went through.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use oxirtc_peerconnection::{
    Configuration, DataChannel, Event, IceCandidateInit, IceGatheringState, MediaKind,
    PeerConnection, PeerConnectionState, RtpTransceiverDirection, SdpType, SessionDescription,
    SignalingState, engine::Settings,
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::server::Signalling;

/// A connection of ours.
#[derive(Debug)]
pub(crate) struct Peer {
    connection: PeerConnection,
    arriving: tokio::sync::Mutex<mpsc::UnboundedReceiver<DataChannel>>,
    story: Story,
    held: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What happened, in order, for the report of a test that failed.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    lines: Arc<Mutex<Vec<String>>>,
    start: Instant,
}

/// How a test wants the negotiation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Negotiation {
    /// Candidates go when they are found, not in the description.
    pub(crate) trickle: bool,
    /// The browser's fingerprint is not the one that it announced.
    pub(crate) forged: bool,
    /// Each track that the browser sends is sent back to it.
    pub(crate) echo: bool,
    /// What of the browser's offers is not taken.
    pub(crate) refused: Refused,
    /// Where offers cross ours is taken back, and not the browser's.
    pub(crate) polite: bool,
}

/// Kinds of media of which nothing is taken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Refused {
    pub(crate) kinds: &'static [MediaKind],
    /// By `stop()`, which rejects their sections in the next offer; else they are inactive.
    pub(crate) stopped: bool,
}

/// Whose candidates are passed on. Who is told none learns the other by its checks alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Both,
    TheirsOnly,
    /// Names stand in them for our addresses.
    OursOnly,
    /// Of ours those at which we take streams.
    OursOverTcp,
    /// Both, and those at which we take streams with them.
    WithTcp,
}

/// The negotiation, on a task of its own.
#[derive(Debug)]
struct Negotiator {
    connection: PeerConnection,
    signalling: Signalling,
    way: Negotiation,
    told: Told,
    /// A description waits for its candidates.
    waiting: bool,
    /// An offer was ignored, as one of ours is open: the browser gives way.
    ignoring: bool,
    /// What the browser says waits.
    held: watch::Receiver<bool>,
    kept: Option<Value>,
    arrived: mpsc::UnboundedSender<DataChannel>,
    story: Story,
}

impl Default for Negotiation {
    /// Candidates trickle, and the browser gives way.
    fn default() -> Self {
        Self {
            trickle: true,
            forged: false,
            echo: false,
            refused: Refused::default(),
            polite: false,
        }
    }
}

impl Peer {
    pub(crate) fn start(
        signalling: Signalling,
        way: Negotiation,
        told: Told,
        configuration: Configuration,
        settings: Settings,
    ) -> anyhow::Result<Self> {
        let settings = settings
            .hide_addresses(told == Told::OursOnly)
            .ice_tcp(matches!(told, Told::OursOverTcp | Told::WithTcp));
        let connection = PeerConnection::with_settings(configuration, settings)?;
        let (arrived, arriving) = mpsc::unbounded_channel();
        let story = Story {
            lines: Arc::default(),
            start: Instant::now(),
        };
        let (held, holding) = watch::channel(false);
        let negotiator = Negotiator {
            connection: connection.clone(),
            signalling,
            way,
            told,
            waiting: false,
            ignoring: false,
            held: holding,
            kept: None,
            arrived,
            story: story.clone(),
        };
        let task = tokio::spawn(negotiator.run());
        Ok(Self {
            connection,
            arriving: tokio::sync::Mutex::new(arriving),
            story,
            held,
            task,
        })
    }

    pub(crate) fn connection(&self) -> &PeerConnection {
        &self.connection
    }

    /// What the browser says waits from now on, or does not any more.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    pub(crate) fn story(&self) -> Story {
        self.story.clone()
    }

    /// The next channel that the browser opened.
    pub(crate) async fn arrived(&self) -> anyhow::Result<DataChannel> {
        let next = timeout(PATIENCE, async { self.arriving.lock().await.recv().await }).await;
        next.context("no channel arrived")?
            .context("the negotiation ended")
    }

    /// Whether a channel has arrived and was not taken.
    pub(crate) async fn has_arrived(&self) -> bool {
        !self.arriving.lock().await.is_empty()
    }

    /// Waits until the connection has one of these states, which it says.
    pub(crate) async fn reaches(
        &self,
        states: &[PeerConnectionState],
        limit: Duration,
    ) -> anyhow::Result<PeerConnectionState> {
        let end = Instant::now() + limit;
        loop {
            let state = self.connection.connection_state();
            if states.contains(&state) {
                return Ok(state);
            }
            ensure!(
                Instant::now() < end,
                "the connection is {state:?} after {limit:?}, not one of {states:?}"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Closes the connection and ends the negotiation.
    pub(crate) async fn end(self) {
        self.connection.close();
        self.task.abort();
        // An aborted task's answer says only that.
        let _ = self.task.await;
    }
}

impl Story {
    pub(crate) fn tell(&self, line: String) {
        let seconds = self.start.elapsed().as_secs_f64();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(format!("{seconds:.3} {line}"));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Negotiator {
    async fn run(mut self) {
        if let Err(error) = self.negotiate().await {
            self.story.tell(format!("negotiation ended: {error:#}"));
        }
    }

    /// Signalling may end before the connection, whose events are still taken.
    async fn negotiate(&mut self) -> anyhow::Result<()> {
        let mut page = true;
        loop {
            tokio::select! {
                message = heard(&mut self.held, &mut self.signalling, &mut self.kept), if page => match message? {
                    Some(message) => self.hear(message).await?,
                    None => page = false,
                },
                event = self.connection.next_event() => match event {
                    Some(event) => self.notice(event).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    async fn hear(&mut self, message: Value) -> anyhow::Result<()> {
        if let Some(description) = message.get("description") {
            let mut description: SessionDescription = serde_json::from_value(description.clone())?;
            if self.way.forged {
                description.sdp = forge(&description.sdp)?;
            }
            if matches!(self.told, Told::OursOnly | Told::OursOverTcp) {
                description.sdp = without_candidates(&description.sdp, |_| false);
            }
            self.story.tell(format!("remote {}", printed(&description)));
            let offer = description.kind == SdpType::Offer;
            let crossed = offer && self.connection.signaling_state() != SignalingState::Stable;
            self.ignoring = crossed && !self.way.polite;
            if self.ignoring {
                return Ok(());
            }
            self.connection.set_remote_description(description).await?;
            if offer && self.way.echo {
                send_back(&self.connection).await?;
            }
            if offer {
                self.refuse()?;
                self.describe().await?;
            }
        } else if let Some(candidate) = message.get("candidate") {
            let candidate: Option<IceCandidateInit> = serde_json::from_value(candidate.clone())?;
            self.story.tell(format!(
                "remote candidate {:?}",
                candidate.as_ref().map(|it| &it.candidate)
            ));
            let added = self
                .connection
                .add_ice_candidate(candidate.unwrap_or_default())
                .await;
            if !self.ignoring {
                added?;
            }
        } else {
            bail!("the page sent {message}");
        }
        Ok(())
    }

    /// What is not wanted of the browser's offer, before the answer.
    fn refuse(&self) -> anyhow::Result<()> {
        let Refused { kinds, stopped } = self.way.refused;
        let all = self.connection.transceivers();
        for transceiver in all.iter().filter(|it| kinds.contains(&it.kind())) {
            match stopped {
                true => transceiver.stop()?,
                false => transceiver.set_direction(RtpTransceiverDirection::Inactive)?,
            }
        }
        Ok(())
    }

    async fn notice(&mut self, event: Event) -> anyhow::Result<()> {
        self.story.tell(format!("{event:?}"));
        match event {
            Event::NegotiationNeeded => self.describe().await,
            Event::IceCandidate(candidate) if self.way.trickle => {
                self.signalling
                    .send(&json!({ "candidate": candidate }))
                    .await
            }
            Event::IceGatheringStateChange(IceGatheringState::Complete) if self.waiting => {
                self.send_description().await
            }
            Event::DataChannel(channel) => {
                // The test may have what it wanted and be gone.
                let _ = self.arrived.send(channel);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn describe(&mut self) -> anyhow::Result<()> {
        self.connection.set_local_description(None).await?;
        let gathered = self.connection.ice_gathering_state() == IceGatheringState::Complete;
        self.waiting = !self.way.trickle && !gathered;
        if self.waiting {
            Ok(())
        } else {
            self.send_description().await
        }
    }

    async fn send_description(&mut self) -> anyhow::Result<()> {
        self.waiting = false;
        let mut description = self
            .connection
            .local_description()
            .context("no local description")?;
        if matches!(self.told, Told::TheirsOnly | Told::OursOverTcp) {
            let kept =
                |line: &str| self.told == Told::OursOverTcp && line.contains("tcptype passive");
            description.sdp = without_candidates(&description.sdp, kept);
        }
        self.story.tell(format!("local {}", printed(&description)));
        self.signalling
            .send(&json!({ "description": description }))
            .await
    }
}

/// The next message, once nothing is held any more. It is given up and begun again: what has come meanwhile is kept.
async fn heard(
    held: &mut watch::Receiver<bool>,
    signalling: &mut Signalling,
    kept: &mut Option<Value>,
) -> anyhow::Result<Option<Value>> {
    if kept.is_none() {
        *kept = signalling.next().await?;
    }
    held.wait_for(|held| !held)
        .await
        .context("the test has ended")?;
    Ok(kept.take())
}

/// What the browser's offer brings goes back to it, in the same sections.
async fn send_back(connection: &PeerConnection) -> anyhow::Result<()> {
    for transceiver in connection.transceivers() {
        let sender = transceiver.sender();
        if sender.track().is_none() {
            let receiver = transceiver.receiver();
            sender.replace_track(Some(receiver.track())).await?;
            transceiver.set_direction(RtpTransceiverDirection::SendRecv)?;
        }
    }
    Ok(())
}

/// Waits for something that a test expects, no longer than tests wait for what takes milliseconds.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    timeout_at(Instant::now() + PATIENCE, future)
        .await
        .with_context(|| format!("waited {PATIENCE:?} for {what}"))
}

/// The description with the first byte of each fingerprint another.
fn forge(sdp: &str) -> anyhow::Result<String> {
    let mark = "a=fingerprint:sha-256 ";
    ensure!(sdp.contains(mark), "no fingerprint to forge");
    let lines = sdp.lines().map(|line| match line.strip_prefix(mark) {
        Some(value) => format!(
            "{mark}{}{}\r\n",
            if value.starts_with("00") { "11" } else { "00" },
            &value[2..]
        ),
        None => format!("{line}\r\n"),
    });
    Ok(lines.collect())
}

/// The description without its candidates and their end, but for those that are kept.
fn without_candidates(sdp: &str, kept: impl Fn(&str) -> bool) -> String {
    let of_candidates = |line: &&str| {
        let is = line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates");
        is && !kept(line)
    };
    let lines = sdp.lines().filter(|line| !of_candidates(line));
    lines.map(|line| format!("{line}\r\n")).collect()
}

fn printed(description: &SessionDescription) -> String {
    format!(
        "{:?}\n         {}",
        description.kind,
        description.sdp.trim_end().replace("\r\n", "\n         ")
    )
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
