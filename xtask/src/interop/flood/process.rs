//! A process in a namespace of its own that is told what to do, line by line.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use oxirtc_peerconnection::SessionDescription;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A line to such a process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// To the crowd: so many connect.
    Come(usize),
    Answer {
        number: usize,
        answer: SessionDescription,
    },
    /// To the crowd: each has a word echoed a second.
    Echo { seconds: u64 },
    Forge {
        target: SocketAddr,
        /// Of connections there.
        fragments: Vec<String>,
        /// The ends of the paths that they have.
        peers: Vec<SocketAddr>,
        /// Messages a second.
        rate: u64,
        seconds: u64,
    },
}

/// A line of such a process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    Offer {
        number: usize,
        offer: SessionDescription,
    },
    /// One more has its channel.
    Open,
    Echoed {
        asked: u64,
        late: u64,
        lost: u64,
        /// Half, 99 of 100 and all of those that came back did so in so many milliseconds.
        quantiles: [f64; 3],
    },
    /// So many messages were sent.
    Forged(u64),
    Failed(String),
}

/// A process that goes with this value.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    _process: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// This program, in a namespace.
    pub(super) fn start(namespace: &'static str, command: &str) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program cannot find itself")?;
        let mut process = Command::new("ip")
            .args(["netns", "exec", namespace])
            .arg(program)
            .arg(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("`ip netns exec` did not start")?;
        let input = process.stdin.take().context("no input")?;
        let output = process.stdout.take().context("no output")?;
        Ok(Self {
            name: namespace,
            _process: process,
            input,
            lines: BufReader::new(output).lines(),
        })
    }

    pub(super) async fn tell(&mut self, order: &Order) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(order)?;
        line.push('\n');
        Ok(self.input.write_all(line.as_bytes()).await?)
    }

    pub(super) async fn next(&mut self) -> anyhow::Result<Report> {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.with_context(|| format!("the {} says nothing", self.name))??;
        let line = line.with_context(|| format!("the {} has ended", self.name))?;
        match serde_json::from_str(&line)? {
            Report::Failed(error) => bail!("the {} says: {error}", self.name),
            report => Ok(report),
        }
    }
}

/// Says a line.
pub(super) fn say(report: &Report) {
    match serde_json::to_string(report) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("a report that is not JSON: {error}"),
    }
}

const PATIENCE: Duration = Duration::from_secs(90);
