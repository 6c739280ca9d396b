//! W3C §10.7, perfect negotiation: two applications that run the same code, both of which may negotiate at any time. When their
//! offers cross, the impolite one ignores the other's, and the polite one takes its own back.
//!
//! Both begin at once here, so their offers do cross.

use std::time::Duration;

use anyhow::{Context, Result};
use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, Event, IceCandidateInit, PeerConnection, SdpType,
    SessionDescription, SignalingState, engine::Settings,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What travels over signalling.
enum Told {
    Description(SessionDescription),
    Candidate(IceCandidateInit),
}

/// One application.
struct Peer {
    name: &'static str,
    polite: bool,
    connection: PeerConnection,
    signalling: (UnboundedSender<Told>, UnboundedReceiver<Told>),
    ignores_offer: bool,
    incoming: UnboundedSender<DataChannel>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let settings = || Settings::default().loopback(true);
    let connection = || PeerConnection::with_settings(Configuration::default(), settings());
    let (here, there) = (connection()?, connection()?);
    let ((to_there, at_there), (to_here, at_here)) = (unbounded_channel(), unbounded_channel());
    let (incoming, mut came) = unbounded_channel();
    let peer = |name, polite, connection: &PeerConnection, signalling| Peer {
        name,
        polite,
        connection: connection.clone(),
        signalling,
        ignores_offer: false,
        incoming: incoming.clone(),
    };
    let peers = [
        peer("polite", true, &here, (to_there, at_here)),
        peer("impolite", false, &there, (to_here, at_there)),
    ];
    let tasks = peers.map(|peer| tokio::spawn(peer.attend()));

    // Each has something to say: both need to negotiate now.
    let channels =
        [&here, &there].map(|it| it.create_data_channel("chat", DataChannelInit::default()));
    let mut open = Vec::new();
    for channel in channels {
        let channel = channel?;
        channel.opened().await?;
        channel.send("hello").await?;
        open.push(channel);
    }
    for _ in &open {
        let incoming = came.recv().await.context("the other one's channel")?;
        println!("{:?}", incoming.recv().await.context("what it says")?);
    }
    // And later, whenever one likes.
    here.restart_ice();
    there.restart_ice();
    let renewed = async {
        // Their tasks have seen the restarts by then.
        tokio::time::sleep(Duration::from_millis(500)).await;
        while [&here, &there]
            .iter()
            .any(|it| it.signaling_state() != SignalingState::Stable)
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), renewed).await?;
    here.close();
    there.close();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

impl Peer {
    async fn attend(mut self) -> Result<()> {
        loop {
            tokio::select! {
                event = self.connection.next_event() => match event {
                    Some(event) => self.handle_event(event).await?,
                    None => return Ok(()),
                },
                Some(told) = self.signalling.1.recv() => self.hear(told).await?,
            }
        }
    }

    async fn handle_event(&self, event: Event) -> Result<()> {
        match event {
            Event::NegotiationNeeded => self.describe().await?,
            Event::IceCandidate(candidate) => {
                let candidate = candidate.map(IceCandidateInit::from).unwrap_or_default();
                self.tell(Told::Candidate(candidate));
            }
            Event::DataChannel(channel) => self.incoming.send(channel)?,
            _ => {}
        }
        Ok(())
    }

    /// The description that is due: an offer, or the answer to an offer.
    async fn describe(&self) -> Result<()> {
        self.connection.set_local_description(None).await?;
        let description = self.connection.local_description();
        let description = description.context("one was set")?;
        println!("{}: {:?}", self.name, description.kind);
        self.tell(Told::Description(description));
        Ok(())
    }

    async fn hear(&mut self, told: Told) -> Result<()> {
        let connection = self.connection.clone();
        match told {
            Told::Description(description) => {
                let offer = description.kind == SdpType::Offer;
                let collision = offer && connection.signaling_state() != SignalingState::Stable;
                self.ignores_offer = collision && !self.polite;
                if self.ignores_offer {
                    println!("{}: ignores an offer", self.name);
                    return Ok(());
                }
                // It takes an own offer back, when there is one.
                connection.set_remote_description(description).await?;
                if offer {
                    self.describe().await?;
                }
            }
            Told::Candidate(candidate) => {
                let added = connection.add_ice_candidate(candidate).await;
                // Those of an offer that was ignored have nowhere to go.
                added.or_else(|error| {
                    if self.ignores_offer {
                        Ok(())
                    } else {
                        Err(error)
                    }
                })?;
            }
        }
        Ok(())
    }

    fn tell(&self, told: Told) {
        // The other side may have ended already.
        let _ = self.signalling.0.send(told);
    }
}
