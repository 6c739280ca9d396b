//! A path that loses datagrams.

use std::fs;

use anyhow::Context as _;

use super::{coturn::server::PORTS, namespace::call};

/// Datagrams that arrive are dropped, in either direction, until this ends.
#[derive(Debug)]
pub(crate) struct Loss {
    /// What the system was told, in this order.
    rules: Vec<String>,
}

impl Loss {
    /// Of a hundred, so many.
    pub(crate) fn begin(percent: u8) -> anyhow::Result<Self> {
        let random = "-m statistic --mode random --probability";
        Self::with([format!("-p udp {random} 0.{percent:02} -j DROP")])
    }

    /// All, but for those between two relays of the tests' own server.
    pub(crate) fn of_all() -> anyhow::Result<Self> {
        // No other socket is to have a port of theirs.
        let free = format!("32768 {}", PORTS[0] - 1);
        fs::write("/proc/sys/net/ipv4/ip_local_port_range", free)
            .context("the ports of sockets cannot be limited")?;
        let relays = format!("{}:{}", PORTS[0], PORTS[1]);
        Self::with([
            format!("-p udp --sport {relays} --dport {relays} -j ACCEPT"),
            "-p udp -j DROP".to_owned(),
        ])
    }

    /// Dropping where they arrive: the sender of what is dropped on its way out sees an error.
    fn with(rules: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let mut loss = Self { rules: Vec::new() };
        for rule in rules {
            tell("-A", &rule)?;
            loss.rules.push(rule);
        }
        Ok(loss)
    }

    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        self.rules.drain(..).try_for_each(|rule| tell("-D", &rule))
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        for rule in &self.rules {
            if let Err(error) = tell("-D", rule) {
                println!("     the loss goes on: {error:#}");
            }
        }
    }
}

fn tell(verb: &str, rule: &str) -> anyhow::Result<()> {
    let mut arguments = vec![verb, "INPUT"];
    arguments.extend(rule.split(' '));
    call("iptables", &arguments)
}
