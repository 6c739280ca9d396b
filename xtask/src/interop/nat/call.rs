//! Two ends in two namespaces, and the signalling between them.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::{
    network::Side,
    party::{Orders, Pair, Played, Word},
};

/// Two processes that call each other.
#[derive(Debug)]
pub(super) struct Call {
    ends: [End; 2],
}

#[derive(Debug)]
struct End {
    _process: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Which of the two.
pub(super) const LEFT: usize = 0;
pub(super) const RIGHT: usize = 1;

/// Both with the laboratory's server.
pub(super) fn orders() -> [Orders; 2] {
    [true, false].map(|offers| Orders {
        offers,
        servers: SERVERS.map(Into::into).to_vec(),
        ..Orders::default()
    })
}

impl Call {
    /// Starts both; the left one offers. Waits until the channel between them is open.
    pub(super) async fn connect(orders: [Orders; 2]) -> anyhow::Result<Self> {
        let [left, right] = orders;
        let ends = [
            End::start(Side::Left, &left)?,
            End::start(Side::Right, &right)?,
        ];
        let mut call = Self { ends };
        call.both("the channel to open", |word| {
            matches!(word, Word::Open).then_some(())
        })
        .await?;
        Ok(call)
    }

    /// The pair that each has in use.
    pub(super) async fn pairs(&mut self) -> anyhow::Result<[Pair; 2]> {
        for end in [LEFT, RIGHT] {
            self.tell(end, &Word::Show).await?;
        }
        self.both("a pair", |word| match word {
            Word::Pair(pair) => Some(pair),
            _ => None,
        })
        .await
    }

    /// Sends so many bytes from one end to the other; `meanwhile` is told how many have come, now and then, and the longest
    /// time without any so far. Gives that time in the end.
    pub(super) async fn transfer(
        &mut self,
        from: usize,
        total: usize,
        mut meanwhile: impl FnMut(usize, Duration) -> anyhow::Result<()>,
    ) -> anyhow::Result<Duration> {
        self.tell(1 - from, &Word::Receive(total)).await?;
        self.tell(from, &Word::Send(total)).await?;
        let (mut sent, mut received) = (None, None);
        while sent.is_none() || received.is_none() {
            match self.next("the bytes").await? {
                (_, Word::Came { bytes, gap }) => meanwhile(bytes, Duration::from_millis(gap))?,
                (_, Word::Sent(digest)) => sent = Some(digest),
                (_, Word::Received { digest, gap }) => {
                    received = Some((digest, Duration::from_millis(gap)));
                }
                (_, other) => bail!("{other:?} came in a transfer"),
            }
        }
        let (came, gap) = received.context("nothing came")?;
        ensure!(
            sent.as_deref() == Some(came.as_str()),
            "what came is not what was sent"
        );
        Ok(gap)
    }

    /// Has an end restart ICE; the addresses of its own that it tells then.
    pub(super) async fn restart(&mut self, end: usize) -> anyhow::Result<Vec<String>> {
        self.tell(end, &Word::Restart).await?;
        loop {
            if let (_, Word::Hosts(addresses)) = self.next("a restart").await? {
                return Ok(addresses);
            }
        }
    }

    /// From now on both see how long no frame comes.
    pub(super) async fn watch(&mut self) -> anyhow::Result<()> {
        for end in [LEFT, RIGHT] {
            self.tell(end, &Word::Watch).await?;
        }
        Ok(())
    }

    /// What both have played since then.
    pub(super) async fn played(&mut self) -> anyhow::Result<[Played; 2]> {
        for end in [LEFT, RIGHT] {
            self.tell(end, &Word::Stop).await?;
        }
        self.both("what was played", |word| match word {
            Word::Played(played) => Some(played),
            _ => None,
        })
        .await
    }

    async fn tell(&mut self, end: usize, word: &Word) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(word)?;
        line.push('\n');
        let end = self.ends.get_mut(end).context("there are two ends")?;
        end.input.write_all(line.as_bytes()).await?;
        Ok(())
    }

    /// Waits for a word of each.
    async fn both<T>(
        &mut self,
        what: &str,
        found: impl Fn(Word) -> Option<T>,
    ) -> anyhow::Result<[T; 2]> {
        let (mut left, mut right) = (None, None);
        loop {
            match (left, right) {
                (Some(left), Some(right)) => return Ok([left, right]),
                (one, other) => (left, right) = (one, other),
            }
            let (end, word) = self.next(what).await?;
            let place = if end == LEFT { &mut left } else { &mut right };
            if let Some(word) = found(word) {
                *place = Some(word);
            }
        }
    }

    /// The next word that is not for the other end.
    async fn next(&mut self, what: &str) -> anyhow::Result<(usize, Word)> {
        loop {
            let [left, right] = &mut self.ends;
            let next = async {
                tokio::select! {
                    line = left.lines.next_line() => (LEFT, line),
                    line = right.lines.next_line() => (RIGHT, line),
                }
            };
            let (end, line) = timeout(PATIENCE, next)
                .await
                .with_context(|| format!("waited {PATIENCE:?} for {what}"))?;
            let line = line?.context("a process has ended")?;
            match serde_json::from_str(&line)? {
                word @ (Word::Description(_) | Word::Candidate(_)) => {
                    self.tell(1 - end, &word).await?;
                }
                Word::Failed(error) => bail!("{} says: {error}", ["left", "right"][end]),
                word => return Ok((end, word)),
            }
        }
    }
}

impl End {
    fn start(side: Side, orders: &Orders) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program cannot find itself")?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", side.host()]).arg(program);
        command.arg("party");
        let flags = [
            ("--offers", orders.offers),
            ("--tcp", orders.tcp),
            ("--calls", orders.calls),
            ("--marks", orders.marks),
            ("--link-local", orders.link_local),
            ("--one-port", orders.one_port),
        ];
        for (flag, on) in flags {
            command.args(on.then_some(flag));
        }
        for server in &orders.servers {
            command.args(["--server", server]);
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("`ip netns exec` did not start")?;
        let input = process.stdin.take().context("no input")?;
        let output = process.stdout.take().context("no output")?;
        Ok(Self {
            _process: process,
            input,
            lines: BufReader::new(output).lines(),
        })
    }
}

const SERVERS: [&str; 2] = ["turn:10.77.0.1:3478", "turn:10.77.0.1:3478?transport=tcp"];
const PATIENCE: Duration = Duration::from_secs(40);
