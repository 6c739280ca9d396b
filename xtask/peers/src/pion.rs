//! Pion: a program of its own, with both ends in it, that `cargo xtask bench` has built.

use std::{env, process::Command, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{
    path::Path,
    relay::Relay,
    work::{Flow, Flowed, SetUps, Stack},
};

pub struct Pion;

impl Stack for Pion {
    fn name(&self) -> &'static str {
        "pion"
    }

    fn version(&self) -> &'static str {
        "3.1.56"
    }

    fn flow(&self, flow: Flow, path: Option<Path>, time: Duration) -> Result<Flowed> {
        let path = path.context("Pion is measured over paths alone")?;
        let relay = Relay::start(path)?;
        let program = env::var_os("PION").context("PION names no program")?;
        let [near, far] = relay.ports.map(|port| port.to_string());
        // Its reader has a buffer of 65,535 bytes.
        let message = flow.message.min(usize::from(u16::MAX)).to_string();
        let seconds = time.as_secs().to_string();
        let arguments = [near, far, seconds, message];
        let output = Command::new(program).args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "Pion ended with {said}");
        let figures: Value = serde_json::from_slice(&output.stdout)?;
        let figure = |name: &str| figures[name].as_f64().context("a figure is missing");
        Ok(Flowed {
            messages: figure("messages")? as u64,
            wall: Duration::from_secs_f64(figure("wall")?),
            // It is another process's.
            cpu: Duration::ZERO,
        })
    }

    fn ping_pong(&self, _rounds: usize) -> Result<Vec<Duration>> {
        bail!("Pion is measured over paths alone")
    }

    fn set_up(&self, _connections: usize) -> Result<SetUps> {
        bail!("Pion is measured over paths alone")
    }
}
