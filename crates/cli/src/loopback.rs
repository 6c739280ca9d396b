//! `oxirtc loopback`: two peers in this process, over real UDP sockets.
#![expect(
    clippy::disallowed_methods,
    reason = "a program that measures reads the clock"
)]

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use indicatif::ProgressBar;
use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, Event, Message, PeerConnection,
};
use tokio::time::timeout;

use crate::outcome::{Outcome, say};

/// What `oxirtc loopback` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds that each line of the table takes
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
}

/// One kind of traffic.
#[derive(Debug, Clone, Copy)]
struct Load {
    name: &'static str,
    size: usize,
    /// Whether what is lost stays lost.
    lossy: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
struct Row {
    sent: u64,
    received: u64,
    seconds: f64,
}

/// The two, connected.
#[derive(Debug)]
struct Pair {
    left: PeerConnection,
    right: PeerConnection,
}

/// Connects, measures, prints; Ctrl-C ends it between two messages.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    tokio::select! {
        done = measure(Duration::from_secs_f64(arguments.seconds)) => done.map(|()| Outcome::Done),
        heard = tokio::signal::ctrl_c() => {
            heard.context("Ctrl-C cannot be heard")?;
            say("oxirtc: interrupted");
            Ok(Outcome::Interrupted)
        }
    }
}

async fn measure(time: Duration) -> anyhow::Result<()> {
    let pair = timeout(PATIENCE, Pair::connect())
        .await
        .with_context(|| format!("the two peers did not connect in {PATIENCE:?}"))??;
    say("");
    say(format_args!(
        "{:<28} {:>10} {:>10} {:>12} {:>10}",
        "messages", "sent", "received", "messages/s", "MiB/s"
    ));
    for load in LOADS {
        let row = with_progress(load.name, pair.bulk(load, time)).await?;
        let rate = row.received as f64 / row.seconds;
        let volume = rate * load.size as f64 / MIB;
        say(format_args!(
            "{:<28} {:>10} {:>10} {rate:>12.0} {volume:>10.1}",
            load.name, row.sent, row.received
        ));
    }
    let trips = with_progress("ping-pong", pair.round_trips(time)).await?;
    let at = |part: f64| trips[((trips.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    say("");
    say(format_args!(
        "round trip of 100 bytes: median {:.0} µs, 99 % within {:.0} µs, of {}",
        at(0.5),
        at(0.99),
        trips.len()
    ));
    if let Some(used) = pair
        .left
        .sctp()
        .and_then(|sctp| sctp.transport())
        .and_then(|dtls| dtls.ice_transport().selected_candidate_pair())
    {
        say(format_args!(
            "over UDP, {} <-> {}",
            place(&used.local),
            place(&used.remote)
        ));
    }
    pair.end().await
}

async fn with_progress<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    let bar = ProgressBar::new_spinner().with_message(name);
    bar.enable_steady_tick(Duration::from_millis(100));
    let outcome = work.await;
    bar.finish_and_clear();
    outcome
}

impl Pair {
    /// Offer and answer, each with its candidates.
    async fn connect() -> anyhow::Result<Self> {
        let start = Instant::now();
        let (left, right) = (peer()?, peer()?);
        let first = left.create_data_channel("first", DataChannelInit::default())?;
        left.set_local_description(None).await?;
        let offer = left.gathered().await?;
        // A peer without a candidate waits for ever: better say why.
        ensure!(
            offer.sdp.contains("a=candidate:"),
            "no network interface is up, not even loopback: bring one up, such as by `ip link set lo up`"
        );
        right.set_remote_description(offer).await?;
        right.set_local_description(None).await?;
        left.set_remote_description(right.gathered().await?).await?;
        first.opened().await?;
        right.next_data_channel().await?;
        say(format_args!(
            "connected in {:.1} ms",
            (Instant::now() - start).as_secs_f64() * 1e3
        ));
        Ok(Self { left, right })
    }

    /// A channel, seen from both ends.
    async fn channel(&self, init: DataChannelInit) -> anyhow::Result<(DataChannel, DataChannel)> {
        let near = self.left.create_data_channel("load", init)?;
        let far = timeout(PATIENCE, self.right.next_data_channel()).await;
        let far = far.context("the channel did not arrive")??;
        near.opened().await?;
        Ok((near, far))
    }

    async fn bulk(&self, load: Load, time: Duration) -> anyhow::Result<Row> {
        let max_retransmits = load.lossy.then_some(0);
        let init = DataChannelInit {
            ordered: !load.lossy,
            max_retransmits,
            ..DataChannelInit::default()
        };
        let (near, far) = self.channel(init).await?;
        let start = Instant::now();
        let receiving = tokio::spawn(async move {
            let (mut received, mut last) = (0_u64, start);
            while let Some(message) = far.recv().await {
                ensure!(
                    message.len() == load.size,
                    "a message of {} bytes came",
                    message.len()
                );
                (received, last) = (received + 1, Instant::now());
            }
            Ok((received, last))
        });
        let payload = Bytes::from(vec![0x5a; load.size]);
        let mut sent = 0_u64;
        while start.elapsed() < time {
            near.send(payload.clone()).await?;
            sent += 1;
        }
        near.close(); // what is queued goes first
        near.closed().await?;
        let (received, last) = receiving.await??;
        if !load.lossy && received != sent {
            bail!("{}: {sent} messages were sent, {received} came", load.name);
        }
        Ok(Row {
            sent,
            received,
            seconds: (last - start).as_secs_f64().max(1e-9),
        })
    }

    /// Sorted, at least one.
    async fn round_trips(&self, time: Duration) -> anyhow::Result<Vec<Duration>> {
        let (near, far) = self.channel(DataChannelInit::default()).await?;
        let echo = tokio::spawn(async move {
            while let Some(message) = far.recv().await {
                far.send(message).await?;
            }
            anyhow::Ok(())
        });
        let payload = Bytes::from_static(&[0x5a; 100]);
        let mut trips = Vec::new();
        let start = Instant::now();
        while trips.is_empty() || start.elapsed() < time {
            let sent = Instant::now();
            near.send(payload.clone()).await?;
            let back = near.recv().await.context("the channel closed")?;
            ensure!(
                back == Message::Binary(payload.clone()),
                "another message came back"
            );
            trips.push(sent.elapsed());
        }
        near.close();
        near.closed().await?;
        echo.await??;
        trips.sort_unstable();
        Ok(trips)
    }

    async fn end(self) -> anyhow::Result<()> {
        self.left.shutdown().await;
        let told = async {
            while let Some(event) = self.right.next_event().await {
                if matches!(event, Event::PeerClosed) {
                    return;
                }
            }
        };
        timeout(PATIENCE, told)
            .await
            .context("the other peer did not see the end")
    }
}

fn peer() -> anyhow::Result<PeerConnection> {
    PeerConnection::new(Configuration::default()).context("no peer on this machine's network")
}

fn place(candidate: &oxirtc_peerconnection::IceCandidate) -> String {
    let address = candidate.address().unwrap_or_default();
    match candidate.port() {
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address.to_owned(),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    let reasonable = (0.01..=3600.0).contains(&seconds);
    reasonable
        .then_some(seconds)
        .ok_or_else(|| "between 0.01 and 3600".to_owned())
}

const LOADS: [Load; 6] = [
    Load {
        name: "100 B, reliable",
        size: 100,
        lossy: false,
    },
    Load {
        name: "1 KiB, reliable",
        size: 1 << 10,
        lossy: false,
    },
    Load {
        name: "16 KiB, reliable",
        size: 16 << 10,
        lossy: false,
    },
    Load {
        name: "64 KiB, reliable",
        size: 64 << 10,
        lossy: false,
    },
    Load {
        name: "256 KiB, reliable",
        size: 256 << 10,
        lossy: false,
    },
    Load {
        name: "100 B, unordered, not resent",
        size: 100,
        lossy: true,
    },
];

const MIB: f64 = 1_048_576.0;
/// For what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(15);
