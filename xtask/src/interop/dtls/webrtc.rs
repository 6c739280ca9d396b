//! Pion and aiortc at DTLS 1.2, through whole connections: either side offers, and so each is client once, and
//! a word and a long text go each way. Pion has no I-DATA (RFC 8260): what we offer is not used then.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, bail, ensure};
use oxirtc_peerconnection::{
    Configuration, DataChannel, DataChannelInit, Event, IceGatheringState, Message, PeerConnection,
    SessionDescription,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::interop::{heard, sctp};

/// The other side, which says and hears descriptions as lines of JSON.
struct Other {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

pub(super) fn pion_names() -> Vec<String> {
    names("pion")
}

pub(super) fn aiortc_names() -> Vec<String> {
    names("aiortc")
}

/// Who answers takes the first step in DTLS.
fn names(stack: &str) -> Vec<String> {
    let roles = ["we_are_client", "we_are_server"];
    roles.map(|role| format!("{stack}_1_2_{role}")).to_vec()
}

pub(super) async fn run(name: &str) -> anyhow::Result<String> {
    heard::listen_to_packets();
    let we_are_client = name.ends_with("client");
    let is_pion = name.starts_with("pion");
    let mut other = match is_pion {
        true => Other::pion(we_are_client)?,
        false => Other::aiortc(we_are_client)?,
    };
    let connection = PeerConnection::new(Configuration::default())?;
    let channel = match we_are_client {
        true => answer(&connection, &mut other).await?,
        false => offer(&connection, &mut other).await?,
    };
    exchange(&channel).await?;
    connection.close();
    other.end().await?;
    if is_pion {
        without_i_data()?;
    }
    let role = if we_are_client { "Client" } else { "Server" };
    heard::connected(&["DTLS 1.2", role])
}

/// A word goes each way, and a text of many packets.
async fn exchange(channel: &DataChannel) -> anyhow::Result<()> {
    soon("the channel to open", channel.opened()).await??;
    for text in ["hello".to_owned(), "long ".repeat(10_000)] {
        channel.send(text.as_str()).await?;
        let heard = soon("the answer", channel.recv()).await?;
        let expected = Some(Message::from(format!("heard {text}")));
        ensure!(heard == expected, "we heard {heard:?}");
    }
    Ok(())
}

/// We have offered I-DATA, the other side has not, and all went as DATA.
fn without_i_data() -> anyhow::Result<()> {
    let [ours, theirs] = sctp::seen();
    let offered = (ours.offers_i_data, theirs.offers_i_data);
    ensure!(offered == (true, false), "{ours:?}, {theirs:?}");
    for sent in [ours, theirs] {
        ensure!(sent.data > 1 && sent.i_data == 0, "{sent:?}");
    }
    Ok(())
}

async fn offer(connection: &PeerConnection, other: &mut Other) -> anyhow::Result<DataChannel> {
    let channel = connection.create_data_channel("word", DataChannelInit::default())?;
    describe(connection, other).await?;
    connection
        .set_remote_description(other.hears().await?)
        .await?;
    Ok(channel)
}

async fn answer(connection: &PeerConnection, other: &mut Other) -> anyhow::Result<DataChannel> {
    connection
        .set_remote_description(other.hears().await?)
        .await?;
    describe(connection, other).await?;
    let arrived = async {
        while let Some(event) = connection.next_event().await {
            if let Event::DataChannel(channel) = event {
                return Ok(channel);
            }
        }
        bail!("it ended before a channel came")
    };
    soon("a channel", arrived).await?
}

/// Says our description with all its candidates.
async fn describe(connection: &PeerConnection, other: &mut Other) -> anyhow::Result<()> {
    connection.set_local_description(None).await?;
    let gathered = async {
        while connection.ice_gathering_state() != IceGatheringState::Complete {
            if connection.next_event().await.is_none() {
                return;
            }
        }
    };
    soon("our candidates", gathered).await?;
    let description = connection.local_description();
    other.says(&description.context("no description")?).await
}

impl Other {
    fn pion(offers: bool) -> anyhow::Result<Self> {
        let program = crate::pion::build("pion", include_str!("pion.go"))?;
        let mut command = Command::new(program);
        command.arg(if offers { "offer" } else { "answer" });
        Self::start(command)
    }

    fn aiortc(offers: bool) -> anyhow::Result<Self> {
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", include_str!("aiortc.py")]);
        command.arg(if offers { "offer" } else { "answer" });
        Self::start(command)
    }

    fn start(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.kill_on_drop(true);
        let mut child = command.spawn().context("the other side did not start")?;
        let input = child.stdin.take().context("it has no input")?;
        let output = child.stdout.take().context("it has no output")?;
        let output = BufReader::new(output).lines();
        Ok(Self {
            child,
            input,
            output,
        })
    }

    async fn says(&mut self, description: &SessionDescription) -> anyhow::Result<()> {
        let line = serde_json::to_string(description)? + "\n";
        self.input.write_all(line.as_bytes()).await?;
        Ok(self.input.flush().await?)
    }

    async fn hears(&mut self) -> anyhow::Result<SessionDescription> {
        let line = soon("its description", self.output.next_line()).await??;
        let line = line.context("it ended before it described itself")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// It ends when its input does.
    async fn end(self) -> anyhow::Result<()> {
        let Self {
            mut child, input, ..
        } = self;
        drop(input);
        soon("its end", child.wait()).await??;
        Ok(())
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    let done = timeout(PATIENCE, future).await;
    done.with_context(|| format!("waited {PATIENCE:?} for {what}"))
}

const PATIENCE: Duration = Duration::from_secs(30);
