//! Candidates trickle over a WebSocket, as a page and its server would have it: each description and each candidate goes as soon as
//! it is there. The server's loop over events ends when its visitor has closed.
//!
//! Both ends play here; a browser would send the same messages, `{"description": …}` and `{"candidate": …}`.

use anyhow::{Context as _, Result};
use futures_util::{SinkExt as _, StreamExt as _};
use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, Event, IceCandidateInit, PeerConnection,
    PeerConnectionState, SdpType, SessionDescription,
};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async, tungstenite::Message};

type Socket = WebSocketStream<TcpStream>;

/// What goes over the WebSocket.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Signal {
    Description(SessionDescription),
    Candidate(Option<IceCandidateInit>),
}

#[tokio::main]
async fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        attend(
            PeerConnection::new(Configuration::default())?,
            accept_async(stream).await?,
        )
        .await
    });

    let stream = TcpStream::connect(address).await?;
    let (socket, _) = client_async(format!("ws://{address}/"), stream).await?;
    let visitor = PeerConnection::new(Configuration::default())?;
    let chat = visitor.create_data_channel("chat", DataChannelInit::default())?;
    let signalling = tokio::spawn(attend(visitor.clone(), socket));
    chat.opened().await?;
    chat.send("hello").await?;
    println!("the server answers {:?}", chat.recv().await);
    visitor.shutdown().await;

    signalling.await??; // its events have ended: the connection is closed here
    server.await??; // its visitor has closed
    Ok(())
}

/// Serves one end until either closes.
async fn attend(connection: PeerConnection, mut socket: Socket) -> Result<()> {
    let mut signals = true;
    loop {
        tokio::select! {
            message = socket.next(), if signals => match message {
                Some(Ok(Message::Text(text))) => {
                    match hear(&connection, serde_json::from_str(&text)?).await {
                        Ok(Some(answer)) => tell(&mut socket, Signal::Description(answer)).await,
                        Ok(None) => {}
                        // A candidate may arrive when all is over. The events end, too.
                        Err(_) if connection.connection_state() == PeerConnectionState::Closed => {
                            signals = false;
                        }
                        Err(error) => return Err(error),
                    }
                }
                Some(Ok(_)) => {}
                // Signalling may end before the connection does.
                Some(Err(_)) | None => signals = false,
            },
            event = connection.next_event() => match event {
                Some(Event::NegotiationNeeded) => {
                    connection.set_local_description(None).await?;
                    let offer = connection.local_description().context("just made")?;
                    tell(&mut socket, Signal::Description(offer)).await;
                }
                Some(Event::IceCandidate(candidate)) => {
                    tell(&mut socket, Signal::Candidate(candidate.map(Into::into))).await;
                }
                Some(Event::DataChannel(channel)) => {
                    tokio::spawn(echo(channel));
                }
                Some(Event::ConnectionStateChange(PeerConnectionState::Failed)) => {
                    // `echo` has a handle, too, and would wait on for its words.
                    connection.close();
                    anyhow::bail!("the peer cannot be reached");
                }
                Some(Event::PeerClosed) | None => return Ok(()),
                Some(_) => {}
            },
        }
    }
}

/// Takes what the other end says; an offer has an answer.
async fn hear(connection: &PeerConnection, signal: Signal) -> Result<Option<SessionDescription>> {
    match signal {
        Signal::Description(description) => {
            let offer = description.kind == SdpType::Offer;
            connection.set_remote_description(description).await?;
            if offer {
                connection.set_local_description(None).await?;
                return Ok(connection.local_description());
            }
        }
        Signal::Candidate(candidate) => connection.add_ice_candidate(candidate).await?,
    }
    Ok(None)
}

async fn tell(socket: &mut Socket, signal: Signal) {
    match serde_json::to_string(&signal) {
        // When the other end has gone, its connection tells so.
        Ok(text) => drop(socket.send(Message::text(text)).await),
        Err(error) => eprintln!("not sent: {error}"),
    }
}

async fn echo(channel: DataChannel) {
    while let Some(message) = channel.recv().await {
        if channel.send(message).await.is_err() {
            return;
        }
    }
}
