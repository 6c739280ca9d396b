//! The crowd: a process of many connections, each with a port of its own, to one server.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, Message, PeerConnection, SessionDescription,
    engine::Settings,
};
use tokio::{
    sync::{Semaphore, oneshot},
    task::JoinSet,
    time::{Instant, interval_at, timeout, timeout_at},
};

use super::process::{Order, Report, say};
use crate::interop::nat::party::heard;

/// Until nobody listens any more.
pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("no threads")?;
    runtime.block_on(async {
        if let Err(error) = take_part().await {
            say(&Report::Failed(format!("{error:#}")));
        }
    });
    Ok(())
}

/// A connection of the crowd that is up.
type Visitor = (PeerConnection, DataChannel);

async fn take_part() -> anyhow::Result<()> {
    let mut lines = heard();
    let mut coming = JoinSet::new();
    let mut waiting: HashMap<usize, oneshot::Sender<SessionDescription>> = HashMap::new();
    let mut visitors: Vec<Visitor> = Vec::new();
    loop {
        tokio::select! {
            line = lines.recv() => match line.as_deref().map(serde_json::from_str).transpose()? {
                None => return Ok(()),
                Some(Order::Come(count)) => {
                    let room = Arc::new(Semaphore::new(AT_ONCE));
                    for number in 0..count {
                        let (answered, answer) = oneshot::channel();
                        waiting.insert(number, answered);
                        coming.spawn(visit(number, room.clone(), answer));
                    }
                }
                Some(Order::Answer { number, answer }) => {
                    let waiting = waiting.remove(&number).context("nobody waits for this")?;
                    // Who has given up says so itself.
                    let _ = waiting.send(answer);
                }
                Some(Order::Echo { seconds }) => say(&echo_all(&visitors, seconds).await?),
                Some(other) => bail!("{other:?} is for another one"),
            },
            Some(came) = coming.join_next() => {
                visitors.push(came??);
                say(&Report::Open);
            }
        }
    }
}

async fn visit(
    number: usize,
    room: Arc<Semaphore>,
    answer: oneshot::Receiver<SessionDescription>,
) -> anyhow::Result<Visitor> {
    let _room = room.acquire().await?;
    let settings = Settings::default().ipv6(false);
    let connection = PeerConnection::with_settings(Configuration::default(), settings)?;
    let channel = connection.create_data_channel("echo", DataChannelInit::default())?;
    connection.set_local_description(None).await?;
    let offer = connection.gathered().await?;
    say(&Report::Offer { number, offer });
    connection.set_remote_description(answer.await?).await?;
    let opened = timeout(PATIENCE, channel.opened()).await;
    opened.with_context(|| format!("number {number} does not open"))??;
    Ok((connection, channel))
}

/// What came of the echoes of one.
#[derive(Debug, Default)]
struct Tally {
    asked: u64,
    /// How long each took that came back.
    took: Vec<Duration>,
}

async fn echo_all(visitors: &[Visitor], seconds: u64) -> anyhow::Result<Report> {
    let count = u32::try_from(visitors.len())?.max(1);
    let start = Instant::now();
    let mut echoing = JoinSet::new();
    for (number, (_, channel)) in (0..).zip(visitors) {
        // Not all at once.
        let first = start + SECOND * number / count;
        echoing.spawn(echo(channel.clone(), first, seconds));
    }
    let (mut asked, mut took) = (0, Vec::new());
    while let Some(tally) = echoing.join_next().await {
        let tally = tally??;
        asked += tally.asked;
        took.extend(tally.took);
    }
    took.sort();
    let at = |part: f64| {
        let index = ((took.len() as f64 * part).ceil() as usize).clamp(1, took.len().max(1)) - 1;
        took.get(index).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    Ok(Report::Echoed {
        asked,
        late: took.iter().filter(|took| **took > LATE).count() as u64,
        lost: asked - took.len() as u64,
        quantiles: [at(0.5), at(0.99), at(1.0)],
    })
}

async fn echo(channel: DataChannel, first: Instant, seconds: u64) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut sent = HashMap::new();
    let mut ticks = interval_at(first, SECOND);
    while tally.asked < seconds {
        tokio::select! {
            _ = ticks.tick() => {
                sent.insert(tally.asked, Instant::now());
                channel.send(tally.asked.to_be_bytes().to_vec()).await?;
                tally.asked += 1;
            }
            message = channel.recv() => note(&mut tally, &mut sent, message)?,
        }
    }
    let end = Instant::now() + LAST;
    while !sent.is_empty() {
        match timeout_at(end, channel.recv()).await {
            Ok(message) => note(&mut tally, &mut sent, message)?,
            Err(_) => break,
        }
    }
    Ok(tally)
}

fn note(
    tally: &mut Tally,
    sent: &mut HashMap<u64, Instant>,
    message: Option<Message>,
) -> anyhow::Result<()> {
    let Some(Message::Binary(bytes)) = message else {
        bail!("{message:?} came back");
    };
    let number = u64::from_be_bytes(bytes.as_ref().try_into()?);
    let at = sent
        .remove(&number)
        .context("what was not sent came back")?;
    tally.took.push(at.elapsed());
    Ok(())
}

/// How many connect at once.
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
/// An echo that takes longer is late.
const LATE: Duration = Duration::from_millis(100);
/// How long the last echoes are waited for.
const LAST: Duration = Duration::from_secs(10);
