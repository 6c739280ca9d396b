//! A path that loses datagrams.

use std::process::Command;

use anyhow::{Context as _, ensure};

/// So many of a hundred datagrams that arrive are dropped, in either direction, until this ends.
#[derive(Debug)]
pub(crate) struct Loss {
    percent: u8,
    is_on: bool,
}

impl Loss {
    pub(crate) fn begin(percent: u8) -> anyhow::Result<Self> {
        rule("-A", percent)?;
        Ok(Self {
            percent,
            is_on: true,
        })
    }

    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        self.is_on = false;
        rule("-D", self.percent)
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        if self.is_on
            && let Err(error) = rule("-D", self.percent)
        {
            println!("     the loss goes on: {error:#}");
        }
    }
}

/// Dropping where they arrive: the sender of what is dropped on its way out sees an error.
fn rule(verb: &str, percent: u8) -> anyhow::Result<()> {
    let what =
        format!("INPUT -p udp -m statistic --mode random --probability 0.{percent:02} -j DROP");
    let output = Command::new("iptables")
        .arg(verb)
        .args(what.split(' '))
        .output()
        .context("iptables did not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "iptables refuses the rule: {}",
        said.trim()
    );
    Ok(())
}
