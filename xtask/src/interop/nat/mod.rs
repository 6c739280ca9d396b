//! Two connections of ours behind NATs, in a laboratory of namespaces.

use std::time::Duration;

use anyhow::{anyhow, ensure};
use tokio::time::{Instant, timeout};

use super::{
    asked::{Running, matches},
    coturn::server::{Coturn, HOST, HOST_V6},
    namespace,
};
use call::{Call, LEFT, RIGHT, orders};
use network::{Kind, Laboratory};
use party::{Orders, Pair};
use theory::Way;

mod call;
mod marks;
pub(in crate::interop) mod network;
pub(crate) mod party;
mod roam;
mod theory;

/// Where the two hosts stand.
#[derive(Debug, Clone, Copy)]
enum Case {
    /// Each behind its own.
    Apart(Kind, Kind),
    /// Behind one router, with hairpinning or without.
    Together {
        hairpin: bool,
    },
    /// No UDP on the left and no server; the right one takes streams.
    Stream,
    Roam(roam::Change, roam::Sender, Kind),
    /// The same in the middle of a call.
    Call(roam::Change, Kind),
    /// On one link, without any other addresses than those of it; by ports of their own, or by such as could have more connections.
    Link {
        one_port: bool,
    },
    Marks,
}

pub(super) fn names() -> Vec<String> {
    cases().into_iter().map(|(name, _)| name).collect()
}

pub(super) fn programs(only: &[String]) -> Vec<&'static str> {
    let looks = matches(only, MARKS).then_some("tshark");
    ["nft", "turnserver"].into_iter().chain(looks).collect()
}

pub(super) fn run(only: Vec<String>, full: bool) -> Running {
    Box::pin(run_all(only, full))
}

/// Each pair of kinds, and what does not come of kinds alone.
fn cases() -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for (index, left) in Kind::ALL.into_iter().enumerate() {
        for right in Kind::ALL.into_iter().skip(index) {
            let name = format!("{}/{}", left.name(), right.name());
            cases.push((name, Case::Apart(left, right)));
        }
    }
    let mut also = |name: &str, case| cases.push((name.to_owned(), case));
    also("one_router/hairpin", Case::Together { hairpin: true });
    also("one_router/no_hairpin", Case::Together { hairpin: false });
    also("blocked/stream", Case::Stream);
    also("link_local", Case::Link { one_port: false });
    also("link_local/one_port", Case::Link { one_port: true });
    also(MARKS, Case::Marks);
    for (name, change, sender, other) in roam::CASES {
        also(name, Case::Roam(*change, *sender, *other));
    }
    for (name, change, other) in roam::CALLS {
        also(name, Case::Call(*change, *other));
    }
    cases
}

async fn run_all(only: Vec<String>, full: bool) -> anyhow::Result<()> {
    namespace::add_address(&format!("{HOST_V6}/64"))?;
    let coturn = Coturn::start("nat", &[HOST, HOST_V6], &[]).await?;
    let bulk = if full { FULL_BULK } else { BULK };
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases() {
        if !matches(&only, &name) {
            continue;
        }
        let start = Instant::now();
        let outcome = timeout(LIMIT, run_case(case, bulk)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(anyhow!("not done in {LIMIT:?}")));
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(what) => {
                passed += 1;
                println!("ok   {name:<32} {seconds:>6.2} s  {what}");
            }
            Err(error) => {
                failed += 1;
                println!("FAIL {name:<32} {seconds:>6.2} s  {error:#}");
            }
        }
    }
    coturn.end().await?;
    println!("{passed} passed, {failed} failed");
    ensure!(passed + failed > 0, "no test has such a name");
    ensure!(failed == 0, "{failed} of {} tests failed", passed + failed);
    Ok(())
}

async fn run_case(case: Case, bulk: usize) -> anyhow::Result<String> {
    match case {
        Case::Apart(left, right) => {
            let _lab = Laboratory::apart(left, right)?;
            let way = theory::expected(left, right);
            talk(orders(), way, [left, right]).await
        }
        Case::Together { hairpin } => {
            let _lab = Laboratory::together(hairpin)?;
            let way = if hairpin { Way::Direct } else { Way::Relay };
            talk(orders(), way, [Kind::PortRestricted; 2]).await
        }
        Case::Stream => {
            let _lab = Laboratory::apart(Kind::Blocked, Kind::Open)?;
            let orders = orders().map(|it| Orders {
                tcp: true,
                servers: Vec::new(),
                ..it
            });
            talk(orders, Way::Stream, [Kind::Blocked, Kind::Open]).await
        }
        Case::Roam(change, sender, other) => roam::run(change, sender, other, bulk).await,
        Case::Call(change, other) => roam::call(change, other).await,
        Case::Link { one_port } => link(one_port).await,
        Case::Marks => marks::run().await,
    }
}

/// RFC 8445 §5.1.1.1: addresses of a link are as good as others where there are no others.
async fn link(one_port: bool) -> anyhow::Result<String> {
    let _lab = Laboratory::on_one_link()?;
    let [left, right] = orders().map(|it| Orders {
        link_local: true,
        servers: Vec::new(),
        ..it
    });
    let right = Orders { one_port, ..right };
    talk([left, right], Way::Direct, [Kind::Open; 2]).await
}

/// Connects them and has each send; says by which pair.
async fn talk(orders: [Orders; 2], way: Way, kinds: [Kind; 2]) -> anyhow::Result<String> {
    let start = Instant::now();
    let mut call = Call::connect(orders).await?;
    let opened = start.elapsed().as_secs_f64();
    for end in [LEFT, RIGHT] {
        call.transfer(end, WORDS, |_, _| Ok(())).await?;
    }
    let pairs = call.pairs().await?;
    theory::check(way, kinds, &pairs)?;
    let shown = |pair: &Pair| {
        let over = match pair.relay_protocol.as_str() {
            "" => String::new(),
            protocol => format!(" over {protocol}"),
        };
        format!(
            "{}{over} to {} ({})",
            pair.local, pair.remote, pair.protocol
        )
    };
    let [left, right] = &pairs;
    Ok(format!(
        "{way:?} after {opened:.2} s: {}, {}",
        shown(left),
        shown(right)
    ))
}

const MARKS: &str = "marks";
const WORDS: usize = 256 << 10;
const BULK: usize = 24 << 20;
const FULL_BULK: usize = 64 << 20;
const LIMIT: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_kinds_has_a_test_of_its_own() {
        let mut names = names();
        assert!(names.len() >= 24);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), cases().len());
    }
}
