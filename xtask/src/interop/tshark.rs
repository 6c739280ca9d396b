//! tshark, which sees what goes over a link.

use std::{io, process::Stdio, time::Duration};

use anyhow::Context as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use super::namespace::call;
use crate::setup;

/// tshark under way.
pub(crate) struct Tshark {
    process: Child,
    /// All that it says.
    output: JoinHandle<io::Result<String>>,
}

impl Tshark {
    /// Looks at a link, here or on another host of the laboratory; waits until it does. Of each packet that passes the filter it is to
    /// tell these fields.
    pub(crate) async fn start(
        host: Option<&str>,
        link: &str,
        filter: &str,
        fields: &[&str],
    ) -> anyhow::Result<Self> {
        let program = setup::find("tshark").context("tshark is missing")?;
        let mut command = match host {
            Some(host) => {
                let mut inside = Command::new("ip");
                inside.args(["netns", "exec", host]).arg(program);
                inside
            }
            None => Command::new(program),
        };
        command.args(["-n", "-l", "-i", link, "-f", filter, "-T", "fields"]);
        command.args(fields.iter().flat_map(|field| ["-e", field]));
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("tshark did not start")?;
        let mut output = process.stdout.take().context("no output")?;
        let output = tokio::spawn(async move {
            let mut text = String::new();
            output.read_to_string(&mut text).await?;
            Ok(text)
        });
        let said = process.stderr.take().context("no errors")?;
        let mut said = BufReader::new(said).lines();
        let looks = async {
            while let Some(line) = said.next_line().await? {
                // It says what it will capture on before it does, and this when it has begun.
                if line.contains("Capture started") {
                    return Ok(());
                }
            }
            anyhow::bail!("tshark does not look")
        };
        timeout(PATIENCE, looks).await.context("tshark is late")??;
        // It ends when nobody reads what else it says.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Ok(Self { process, output })
    }

    /// Ends it; what it has seen, a line a packet, with tabs between its fields.
    pub(crate) async fn end(self) -> anyhow::Result<String> {
        let id = self.process.id().context("tshark has ended")?;
        call("kill", &["-INT", &id.to_string()])?;
        let text = timeout(PATIENCE, self.output).await;
        Ok(text.context("tshark does not end")???)
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
