//! Somebody who forges STUN: he knows the fragments and addresses of all, and no password.

use std::{
    io::{self, BufRead as _},
    net::UdpSocket,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::time::Instant;

use super::{
    message,
    process::{Order, Report, say},
};

/// Forges as it is told by a line.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    match forge(serde_json::from_str(&line)?) {
        Ok(sent) => say(&Report::Forged(sent)),
        Err(error) => say(&Report::Failed(format!("{error:#}"))),
    }
    Ok(())
}

fn forge(order: Order) -> anyhow::Result<u64> {
    let Order::Forge {
        target,
        fragments,
        peers,
        rate,
        seconds,
    } = order
    else {
        bail!("it only forges");
    };
    let own = (0..OWN).map(|_| UdpSocket::bind("10.77.0.40:0"));
    let own = own.collect::<io::Result<Vec<_>>>()?;
    // The other end of each path, as it looks.
    let spoofed = peers.iter().map(UdpSocket::bind);
    let spoofed = spoofed
        .collect::<io::Result<Vec<_>>>()
        .context("not as the crowd")?;
    let (start, mut sent, mut refused) = (Instant::now(), 0_u64, 0_u64);
    let mut bytes = Vec::new();
    while start.elapsed() < Duration::from_secs(seconds) {
        let due = start.elapsed().as_micros() as u64 * rate / 1_000_000;
        // A pace beyond what can be kept ends in time as well.
        while sent + refused < due && start.elapsed() < Duration::from_secs(seconds) {
            let number = sent + refused;
            bytes.clear();
            let fragment = pick(&fragments, number).context("no fragments")?;
            message::write(&mut bytes, number, fragment);
            let sockets = if number % 2 == 0 { &own } else { &spoofed };
            let socket = pick(sockets, number / 3).context("no sockets")?;
            match socket.send_to(&bytes, target) {
                Ok(_) => sent += 1,
                Err(_) => refused += 1,
            }
        }
        thread::sleep(TICK);
    }
    Ok(sent)
}

fn pick<T>(from: &[T], number: u64) -> Option<&T> {
    from.get(number as usize % from.len().max(1))
}

/// Sockets with an address of its own.
const OWN: usize = 256;
const TICK: Duration = Duration::from_millis(1);
