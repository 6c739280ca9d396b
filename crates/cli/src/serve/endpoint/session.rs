//! The sessions of those who publish and of those who play.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::anyhow;
use axum::http::StatusCode;
use oxirtc_peerconnection::{
    Configuration, IceCandidateInit, MediaStreamTrack, PeerConnection, PeerConnectionState,
    RtpTransceiver, RtpTransceiverDirection, SdpType, SessionDescription, SignalingState,
    engine::Choice,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::{
    fragment::{Fragment, ufrag},
    refusal::Refusal,
};
use crate::{
    departure::Departure,
    serve::{
        seats::Seats,
        stage::{Place, Stage},
    },
};

/// All sessions of a server.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    all: Arc<Mutex<BTreeMap<String, Session>>>,
    seats: Seats,
    ending: watch::Receiver<bool>,
}

/// One that publishes, or one that plays.
#[derive(Debug, Clone)]
struct Session {
    peer: PeerConnection,
    /// The entity tag of its generation of ICE (RFC 9725 §4.3.1).
    tag: String,
}

/// What a request that made a session is told.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) tag: String,
    pub(crate) answer: String,
}

/// What a PATCH has done.
#[derive(Debug)]
pub(crate) enum Patched {
    /// Candidates were taken.
    Trickled,
    /// ICE was restarted: the fragment of this side, and the new tag.
    Restarted(String, String),
}

impl Sessions {
    pub(crate) fn new(most: u16, ending: watch::Receiver<bool>) -> Self {
        Self {
            all: Arc::default(),
            seats: Seats::new(most),
            ending,
        }
    }

    /// Takes what a peer publishes in a room.
    pub(crate) async fn publish(
        &self,
        stage: &Stage,
        room: &str,
        offer: String,
    ) -> Result<Made, Refusal> {
        let seat = self.seat()?;
        let place = stage.enter(room).ok_or_else(|| {
            let reason = format!("somebody else publishes in «{room}»");
            Refusal::new(StatusCode::CONFLICT, reason)
        })?;
        let peer = connection(offer).await?;
        let answer = answered(&peer).await?;
        let tracks: Vec<_> = running(&peer, RtpTransceiverDirection::RecvOnly)
            .map(|it| it.receiver().track().clone())
            .collect();
        if tracks.is_empty() {
            let reason = "the offer has no audio and no video that is sent";
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, reason));
        }
        let made = self.register(&peer, answer)?;
        place.publish(tracks);
        self.attend(peer, made.id.clone(), seat, Some(place), None);
        Ok(made)
    }

    /// Plays to a peer what is published in a room; of simulcast the stream with this rid, or the first.
    pub(crate) async fn play(
        &self,
        stage: &Stage,
        room: &str,
        rid: Option<&str>,
        offer: String,
    ) -> Result<Made, Refusal> {
        let seat = self.seat()?;
        let mut tracks = stage.tracks(room);
        if tracks.is_empty() {
            let reason = format!("nobody publishes in «{room}»");
            return Err(Refusal::new(StatusCode::NOT_FOUND, reason));
        }
        let choice = rid.map_or_else(Choice::default, Choice::rid);
        let peer = connection(offer).await?;
        let mut shown: Option<MediaStreamTrack> = None;
        for transceiver in peer.transceivers() {
            let found = tracks.iter().position(|it| it.kind() == transceiver.kind());
            let Some(found) = found else { continue };
            let track = tracks.remove(found).forward(choice.clone());
            let sender = transceiver.sender();
            let sends = sender.replace_track(Some(&track)).await;
            sends.map_err(|error| Refusal::description(&error))?;
            let turned = transceiver.set_direction(RtpTransceiverDirection::SendOnly);
            turned.map_err(|error| Refusal::description(&error))?;
            shown.get_or_insert(track);
        }
        let answer = answered(&peer).await?;
        if running(&peer, RtpTransceiverDirection::SendOnly)
            .next()
            .is_none()
        {
            let reason = "the offer takes nothing of what is published";
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, reason));
        }
        let made = self.register(&peer, answer)?;
        self.attend(peer, made.id.clone(), seat, None, shown);
        Ok(made)
    }

    /// Takes candidates of a peer, or restarts ICE with it.
    pub(crate) async fn patch(
        &self,
        id: &str,
        tag: Option<&str>,
        text: &str,
    ) -> Result<Patched, Refusal> {
        let session = self.lock().get(id).cloned().ok_or_else(Refusal::gone)?;
        // RFC 9725 §4.3.1: so that no candidate reaches another generation than its own.
        let tag = tag.ok_or_else(|| {
            let reason = "If-Match has to name the generation of ICE";
            Refusal::new(StatusCode::PRECONDITION_REQUIRED, reason)
        })?;
        let fragment = Fragment::parse(text)
            .map_err(|reason| Refusal::new(StatusCode::BAD_REQUEST, reason))?;
        let remote = session
            .peer
            .remote_description()
            .ok_or_else(Refusal::gone)?;
        let same = match &fragment.credentials {
            Some((name, _)) => ufrag(&remote) == Some(name),
            None => true,
        };
        match (tag, &fragment.credentials) {
            // RFC 9725 §4.3.3: a restart is for whatever generation there is.
            ("*", Some((name, password))) if !same => {
                let sdp = Fragment::restarted(&remote, (name, password));
                self.restart(id, &session.peer, sdp, fragment.candidates)
                    .await
            }
            _ if tag != session.tag || !same => {
                let reason = "If-Match names another generation of ICE than there is";
                Err(Refusal::new(StatusCode::PRECONDITION_FAILED, reason))
            }
            _ => {
                take(&session.peer, fragment.candidates).await?;
                Ok(Patched::Trickled)
            }
        }
    }

    async fn restart(
        &self,
        id: &str,
        peer: &PeerConnection,
        sdp: String,
        candidates: Vec<IceCandidateInit>,
    ) -> Result<Patched, Refusal> {
        let answer = described(peer, sdp, candidates).await?;
        let tag = tag()?;
        if let Some(session) = self.lock().get_mut(id) {
            session.tag.clone_from(&tag);
        }
        Ok(Patched::Restarted(Fragment::of(&answer), tag))
    }

    /// Ends a session. False when there is none of this id.
    pub(crate) fn end(&self, id: &str) -> bool {
        let ended = self.lock().remove(id);
        if let Some(session) = &ended {
            session.peer.close();
        }
        ended.is_some()
    }

    /// Waits until every session has ended, and its peer was told.
    pub(crate) async fn emptied(&self) {
        self.seats.emptied().await;
    }

    fn seat(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.seats.take().ok_or_else(Refusal::full)
    }

    fn register(&self, peer: &PeerConnection, answer: SessionDescription) -> Result<Made, Refusal> {
        let (id, tag) = (random(16)?, tag()?);
        let session = Session {
            peer: peer.clone(),
            tag: tag.clone(),
        };
        self.lock().insert(id.clone(), session);
        Ok(Made {
            id,
            tag,
            answer: answer.sdp,
        })
    }

    /// Stays with a session until it ends.
    fn attend(
        &self,
        peer: PeerConnection,
        id: String,
        seat: OwnedSemaphorePermit,
        place: Option<Place>,
        shown: Option<MediaStreamTrack>,
    ) {
        let sessions = self.clone();
        let mut ending = self.ending.clone();
        tokio::spawn(async move {
            let over = async {
                match shown {
                    Some(track) => while track.next_event().await.is_some() {},
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                reason = watched(&peer) => log::info!("a session has ended: {reason}"),
                () = over => log::info!("a session has ended: nothing is published any more"),
                _ = ending.wait_for(|ending| *ending) => {}
            }
            sessions.end(&id);
            peer.close();
            // The room and the seat are free only now.
            drop((place, seat));
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the connection is over, once it is.
async fn watched(peer: &PeerConnection) -> &'static str {
    let connected = timeout(PATIENCE, peer.wait_for(PeerConnectionState::Connected)).await;
    if !matches!(connected, Ok(Ok(()))) {
        return "it was never connected";
    }
    match Departure::of(peer).await {
        Departure::Left => "the peer has left",
        Departure::Lost => "the peer is out of reach",
        Departure::Closed => "it was closed",
    }
}

/// The transceivers of a connection that have agreed on this.
fn running(
    peer: &PeerConnection,
    direction: RtpTransceiverDirection,
) -> impl Iterator<Item = RtpTransceiver> {
    let all = peer.transceivers().into_iter();
    all.filter(move |it| it.current_direction() == Some(direction))
}

/// A connection that has this offer.
async fn connection(offer: String) -> Result<PeerConnection, Refusal> {
    let peer = PeerConnection::new(Configuration::default());
    let peer = peer.map_err(|error| internal(&error.into()))?;
    let set = peer
        .set_remote_description(SessionDescription::offer(offer))
        .await;
    set.map_err(|error| Refusal::description(&error))?;
    Ok(peer)
}

/// The answer to another offer and its candidates. Where any of them cannot be used, nothing has changed.
async fn described(
    peer: &PeerConnection,
    sdp: String,
    candidates: Vec<IceCandidateInit>,
) -> Result<SessionDescription, Refusal> {
    let kind = SdpType::Offer;
    let set = peer
        .set_remote_description(SessionDescription { kind, sdp })
        .await;
    set.map_err(|error| Refusal::description(&error))?;
    let answer = async {
        take(peer, candidates).await?;
        answered(peer).await
    };
    let answer = answer.await;
    if answer.is_err() && peer.signaling_state() == SignalingState::HaveRemoteOffer {
        // The generation that was goes on, and the next offer finds it.
        let undone = peer.set_remote_description(SessionDescription::rollback());
        undone.await.map_err(|error| internal(&error.into()))?;
    }
    answer
}

/// The answer, with all candidates.
async fn answered(peer: &PeerConnection) -> Result<SessionDescription, Refusal> {
    let set = peer.set_local_description(None).await;
    set.map_err(|error| internal(&error.into()))?;
    let gathered = timeout(PATIENCE, peer.gathered()).await;
    let gathered = gathered.map_err(|_late| internal(&anyhow!("no candidates in time")))?;
    gathered.map_err(|error| internal(&error.into()))
}

async fn take(peer: &PeerConnection, candidates: Vec<IceCandidateInit>) -> Result<(), Refusal> {
    for candidate in candidates {
        let added = peer.add_ice_candidate(candidate).await;
        added.map_err(|error| Refusal::description(&error))?;
    }
    Ok(())
}

fn internal(error: &anyhow::Error) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
}

/// An entity tag, with its quotation marks.
fn tag() -> Result<String, Refusal> {
    Ok(format!("\"{}\"", random(8)?))
}

/// Nobody can guess it.
#[expect(
    clippy::disallowed_methods,
    reason = "a program may ask the system for random numbers"
)]
fn random(bytes: usize) -> Result<String, Refusal> {
    let mut random = vec![0; bytes];
    let filled = SystemRandom::new().fill(&mut random);
    filled.map_err(|_none| internal(&anyhow!("the system has no random numbers")))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// For a connection to be there, and for an answer to have its candidates.
const PATIENCE: Duration = Duration::from_secs(30);
