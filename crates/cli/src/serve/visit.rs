//! One visitor: the negotiation with the page, and its channels.

use std::{collections::HashSet, time::Duration};

use anyhow::bail;
use axum::{
    body::Bytes,
    extract::ws::{Message, WebSocket},
};
use oxirtc_peerconnection::{
    Error, Event, MediaKind, MediaStreamTrack, PeerConnection, RtpTransceiverDirection, SdpType,
    SessionDescription, SignalingState, TrackEvent, engine::Choice,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::channel;
use super::film::Film;
use super::signal::{Incoming, Outgoing, Subject, Trouble};

/// How a visit ended, other than by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The page went away.
    Left,
    /// Nothing came from it any more, as from a machine that was switched off.
    Silent,
    /// This program was asked to end.
    ServerEnds,
}

/// The peer of one visitor.
#[derive(Debug)]
pub(crate) struct Visit<'s> {
    pub(crate) socket: &'s mut WebSocket,
    peer: PeerConnection,
    channels: JoinSet<()>,
    /// Who listens for tones, and what they hear.
    listeners: JoinSet<String>,
    /// The tracks that are listened to, by their ids.
    heard: HashSet<String>,
    tones: (mpsc::Sender<char>, mpsc::Receiver<char>),
    /// The film, while it runs.
    film: Option<Film>,
    /// An offer of the page's was ignored, so its candidates are too.
    ignoring: bool,
    /// This machine has an address to offer.
    reachable: bool,
}

impl<'s> Visit<'s> {
    pub(crate) fn new(socket: &'s mut WebSocket, peer: PeerConnection) -> Self {
        Self {
            socket,
            peer,
            channels: JoinSet::new(),
            listeners: JoinSet::new(),
            heard: HashSet::new(),
            tones: mpsc::channel(MOST_TONES),
            film: None,
            ignoring: false,
            reachable: false,
        }
    }

    /// Serves the page at the other end of the socket until it leaves, has nothing to say for twice this time, or the program ends.
    pub(crate) async fn stay(
        &mut self,
        mut ending: watch::Receiver<bool>,
        patience: Duration,
    ) -> anyhow::Result<End> {
        tokio::select! {
            end = self.run(patience) => end,
            _ = ending.wait_for(|ending| *ending) => Ok(End::ServerEnds),
        }
    }

    /// Closes the connection, and waits until the channels' tasks have seen it.
    pub(crate) async fn leave(mut self) {
        self.peer.close();
        let finish = async { while self.channels.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, finish).await.is_err() {
            log::debug!("channels were still busy");
        }
    }

    async fn run(&mut self, patience: Duration) -> anyhow::Result<End> {
        let mut due = tokio::time::interval(patience);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unanswered = 0;
        loop {
            tokio::select! {
                message = self.socket.recv() => {
                    unanswered = 0;
                    match message {
                        Some(Ok(Message::Text(text))) => self.hear(&text).await?,
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(End::Left),
                        Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                    }
                }
                // Nobody says that a machine was switched off. Browsers answer by themselves.
                _ = due.tick() => {
                    if unanswered == 2 {
                        return Ok(End::Silent);
                    }
                    unanswered += 1;
                    self.send(Message::Ping(Bytes::new())).await?;
                }
                event = self.peer.next_event() => match event {
                    Some(event) => self.notice(event).await?,
                    None => return Ok(End::Left),
                },
                Some(done) = self.channels.join_next() => done?,
                Some(tone) = self.tones.1.recv() => self.tell(&Outgoing::Heard(tone)).await?,
                Some(ended) = self.listeners.join_next() => {
                    self.heard.remove(&ended?);
                }
            }
        }
    }

    /// What of the page's cannot be used is told to it, and the visit goes on.
    async fn hear(&mut self, text: &str) -> anyhow::Result<()> {
        let mut about = Subject::Negotiation;
        let outcome = match serde_json::from_str(text) {
            Ok(Incoming::Description(description)) => self.negotiate(description).await?,
            Ok(Incoming::Candidate(candidate)) => {
                about = Subject::Candidates;
                let added = self.peer.add_ice_candidate(candidate).await;
                if self.ignoring {
                    Ok(())
                } else {
                    added.map_err(|error| error.to_string())
                }
            }
            Ok(Incoming::Restart(wanted)) => {
                if wanted {
                    self.peer.restart_ice();
                }
                Ok(())
            }
            Ok(Incoming::Film(wanted)) => self.show(wanted).map_err(|error| error.to_string()),
            Ok(Incoming::Choose(rid)) => {
                self.choose(&rid);
                Ok(())
            }
            Err(error) => Err(format!("not a signalling message: {error}")),
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(text) => self.tell(&Outgoing::Error(Trouble { about, text })).await,
        }
    }

    /// Where both sides offered, the page gives way.
    async fn negotiate(
        &mut self,
        description: SessionDescription,
    ) -> anyhow::Result<Result<(), String>> {
        let offer = description.kind == SdpType::Offer;
        self.ignoring = offer && self.peer.signaling_state() != SignalingState::Stable;
        if self.ignoring {
            return Ok(Ok(()));
        }
        if let Err(error) = self.peer.set_remote_description(description).await {
            return Ok(Err(error.to_string()));
        }
        if offer {
            if let Err(error) = send_back(&self.peer).await {
                return Ok(Err(error.to_string()));
            }
            self.describe().await?;
        }
        Ok(Ok(()))
    }

    /// Begins or ends the film.
    fn show(&mut self, wanted: bool) -> Result<(), Error> {
        match self.film.take() {
            Some(film) if wanted => self.film = Some(film),
            None if wanted => self.film = Some(Film::start(&self.peer)?),
            Some(film) => film.stop()?,
            None => {}
        }
        Ok(())
    }

    /// Sends back this stream of the camera.
    fn choose(&self, rid: &str) {
        for transceiver in self.peer.transceivers() {
            if transceiver.kind() == MediaKind::Video {
                transceiver.receiver().track().choose(Choice::rid(rid));
            }
        }
    }

    /// Makes and sends the offer or the answer that is due.
    async fn describe(&mut self) -> anyhow::Result<()> {
        self.peer.set_local_description(None).await?;
        match self.peer.local_description() {
            Some(description) => self.tell(&Outgoing::Description(description)).await,
            None => Ok(()),
        }
    }

    async fn notice(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::NegotiationNeeded => self.describe().await,
            Event::IceCandidate(candidate) => {
                self.reachable |= candidate.as_ref().is_some_and(|it| it.address().is_some());
                if candidate.is_none() && !self.reachable {
                    log::warn!("{UNREACHABLE}");
                    let trouble = Trouble {
                        about: Subject::Candidates,
                        text: UNREACHABLE.to_owned(),
                    };
                    self.tell(&Outgoing::Error(trouble)).await?;
                }
                self.tell(&Outgoing::Candidate(candidate)).await
            }
            Event::DataChannel(channel) => {
                self.channels.spawn(channel::serve(channel));
                Ok(())
            }
            Event::Track { track, .. } => {
                // It is told of again whenever it comes back.
                if self.heard.insert(track.id().to_owned()) {
                    self.listeners.spawn(listen(track, self.tones.0.clone()));
                }
                Ok(())
            }
            Event::PeerClosed => {
                log::info!("a visitor's connection was closed by the page");
                Ok(())
            }
            Event::ConnectionStateChange(state) => {
                log::info!("a visitor's connection is {state:?}");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn tell(&mut self, message: &Outgoing) -> anyhow::Result<()> {
        let text = serde_json::to_string(message)?;
        self.send(Message::text(text)).await
    }

    async fn send(&mut self, message: Message) -> anyhow::Result<()> {
        match tokio::time::timeout(READING, self.socket.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::debug!("the page has gone: {error}"), // `recv` says so next
            Err(_) => bail!("the page does not read what it is told"),
        }
        Ok(())
    }
}

/// What the page sends goes back to it, in the same sections.
async fn send_back(peer: &PeerConnection) -> Result<(), Error> {
    for transceiver in peer.transceivers() {
        let sender = transceiver.sender();
        let is_new = transceiver.direction() == RtpTransceiverDirection::RecvOnly;
        if is_new && sender.track().is_none() {
            let receiver = transceiver.receiver();
            sender.replace_track(Some(receiver.track())).await?;
            transceiver.set_direction(RtpTransceiverDirection::SendRecv)?;
        }
    }
    Ok(())
}

/// Tells each tone of a track, until it ends or nobody wants to know. Returns its id.
async fn listen(track: MediaStreamTrack, tones: mpsc::Sender<char>) -> String {
    while let Some(event) = track.next_event().await {
        if let TrackEvent::Tone(tone) = event
            && tones.send(tone).await.is_err()
        {
            break;
        }
    }
    track.id().to_owned()
}

const UNREACHABLE: &str = "The machine that serves this page has no network interface that is up; bring one up, then press Disconnect and then Connect.";
/// For the channels' tasks, after the connection was closed.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a page may take to read.
const READING: Duration = Duration::from_secs(10);
/// Tones that wait to be told.
const MOST_TONES: usize = 32;

#[cfg(test)]
mod tests {
    use axum::{Router, extract::WebSocketUpgrade, routing::get};
    use oxirtc_peerconnection::Configuration;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);
    const HELLO: &[u8] =
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const PING: [u8; 2] = [0x89, 0];
    const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

    /// A page that answers stays, however little it says; one from which nothing comes has gone, though its socket never closed.
    #[tokio::test]
    async fn who_is_silent_has_gone() {
        let (ended, mut end) = mpsc::channel(1);
        let visit = async move |mut socket: WebSocket| {
            let peer = PeerConnection::new(Configuration::default()).unwrap();
            let (_running, ending) = watch::channel(false);
            let mut visit = Visit::new(&mut socket, peer);
            let end = visit.stay(ending, PATIENCE).await.unwrap();
            ended.send(end).await.unwrap();
            visit.leave().await;
        };
        let upgrade = get(async move |upgrade: WebSocketUpgrade| upgrade.on_upgrade(visit));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", upgrade);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut page = TcpStream::connect(address).await.unwrap();
        page.write_all(HELLO).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(page.read_u8().await.unwrap());
        }
        for _ in 0..10 {
            let mut frame = [0; 2];
            page.read_exact(&mut frame).await.unwrap();
            assert_eq!(frame, PING);
            page.write_all(&PONG).await.unwrap();
        }
        assert!(end.try_recv().is_err(), "it has answered");
        let end = tokio::time::timeout(10 * PATIENCE, end.recv()).await;
        assert_eq!(end, Ok(Some(End::Silent)));
    }
}
