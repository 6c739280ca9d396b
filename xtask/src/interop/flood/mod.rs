//! Many connections at one UDP port of one process: what each of them costs, and what somebody who forges STUN does to them.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, anyhow, ensure};
use oxirtc_peerconnection::{IceCandidatePair, SessionDescription};
use tokio::time::{Instant, sleep, timeout};

use super::{
    asked::{Running, matches},
    namespace::call,
    nat::network::{Laboratory, ip},
};
use process::{Order, Process, Report};
use server::Server;

mod backlog;
pub(crate) mod crowd;
pub(crate) mod forge;
mod message;
mod process;
mod server;

/// What is done, and with how many.
#[derive(Debug, Clone, Copy)]
enum Case {
    /// All have their words echoed once a second, while somebody forges.
    Echo,
    /// All are there, and nothing is said.
    Idle,
    /// None is there, and much has come while nobody could read: how fast so many readers look at it.
    Readers,
}

const CASES: [(&str, Case); 3] = [
    ("echo", Case::Echo),
    ("idle", Case::Idle),
    ("readers", Case::Readers),
];

pub(super) fn names() -> Vec<String> {
    CASES.iter().map(|(name, _)| (*name).to_owned()).collect()
}

pub(super) fn run(only: Vec<String>, full: bool) -> Running {
    Box::pin(async move {
        let (mut passed, mut failed) = (0, 0);
        for (name, case) in CASES.iter().filter(|(name, _)| matches(&only, name)) {
            let start = Instant::now();
            let outcome = timeout(LIMIT, run_case(*case, full)).await;
            let outcome = outcome.unwrap_or_else(|_| Err(anyhow!("not done in {LIMIT:?}")));
            let seconds = start.elapsed().as_secs_f64();
            match outcome {
                Ok(what) => {
                    passed += 1;
                    println!("ok   {name:<8} {seconds:>6.1} s  {what}");
                }
                Err(error) => {
                    failed += 1;
                    println!("FAIL {name:<8} {seconds:>6.1} s  {error:#}");
                }
            }
        }
        ensure!(passed + failed > 0, "no test has such a name");
        ensure!(failed == 0, "{failed} of {} tests failed", passed + failed);
        Ok(())
    })
}

async fn run_case(case: Case, full: bool) -> anyhow::Result<String> {
    let _lab = laboratory()?;
    match (case, full) {
        (Case::Echo, false) => echo(200, 10).await,
        (Case::Echo, true) => echo(1_000, 50).await,
        (Case::Idle, false) => idle(1_000).await,
        (Case::Idle, true) => idle(10_000).await,
        (Case::Readers, _) => tokio::task::spawn_blocking(backlog::run).await?,
    }
}

async fn echo(connections: usize, seconds: u64) -> anyhow::Result<String> {
    let mut server = Server::start(HERE)?;
    let mut crowd = Process::start(CROWD, "crowd")?;
    let known = connect(&mut server, &mut crowd, connections).await?;
    let before = server.pairs()?;
    let address = server.address()?;
    let forging = (known.forging(address, seconds), address.port());
    let echoed = flood(&mut crowd, forging, seconds).await?;
    let after = server.pairs()?;
    server.close();
    judge(&echoed, (&before, &after), connections)
}

async fn idle(connections: usize) -> anyhow::Result<String> {
    let memory = resident()?;
    let mut server = Server::start(HERE)?;
    let mut crowd = Process::start(CROWD, "crowd")?;
    let start = Instant::now();
    connect(&mut server, &mut crowd, connections).await?;
    let took = start.elapsed().as_secs_f64();
    // What was needed to come here is let go of.
    sleep(SETTLING).await;
    let each = resident()?.saturating_sub(memory) / connections;
    let connected = server.connected();
    server.close();
    ensure!(
        connected == connections,
        "{connected} of {connections} are there"
    );
    Ok(format!(
        "{connections} connections in {took:.1} s, {} KiB of memory each",
        each >> 10
    ))
}

/// What the one who forges is told: all that the crowd's descriptions say.
#[derive(Debug, Default)]
struct Known {
    fragments: Vec<String>,
    peers: Vec<SocketAddr>,
}

impl Known {
    fn forging(self, target: SocketAddr, seconds: u64) -> Order {
        Order::Forge {
            target,
            fragments: self.fragments,
            peers: self.peers,
            rate: RATE,
            seconds,
        }
    }
}

/// Connects so many of the crowd's with as many of the server's.
async fn connect(server: &mut Server, crowd: &mut Process, count: usize) -> anyhow::Result<Known> {
    crowd.tell(&Order::Come(count)).await?;
    let mut known = Known::default();
    let mut open = 0;
    while open < count {
        match crowd.next().await? {
            Report::Offer { number, offer } => {
                known.peers.extend(addresses(&offer));
                let answer = server.answer(offer).await?;
                known.fragments.extend(fragment(&answer));
                crowd.tell(&Order::Answer { number, answer }).await?;
            }
            Report::Open => open += 1,
            other => return Err(anyhow!("{other:?} came")),
        }
    }
    Ok(known)
}

/// What came of the echoes, and what the kernel had no room for.
#[derive(Debug)]
struct Echoed {
    forged: u64,
    asked: u64,
    late: u64,
    lost: u64,
    /// Half of them, and 99 of 100 came back in so many milliseconds.
    quantiles: [f64; 3],
    dropped: u64,
    spent: Duration,
}

async fn flood(
    crowd: &mut Process,
    (forging, port): (Order, u16),
    seconds: u64,
) -> anyhow::Result<Echoed> {
    let mut forger = Process::start(FORGER, "forge")?;
    let (dropped, spent) = (drops(port)?, processor()?);
    crowd.tell(&Order::Echo { seconds }).await?;
    forger.tell(&forging).await?;
    let forged = match forger.next().await? {
        Report::Forged(count) => count,
        other => return Err(anyhow!("{other:?} came")),
    };
    let spent = processor()?.saturating_sub(spent);
    match crowd.next().await? {
        Report::Echoed {
            asked,
            late,
            lost,
            quantiles,
        } => Ok(Echoed {
            forged,
            asked,
            late,
            lost,
            quantiles,
            dropped: drops(port)?.saturating_sub(dropped),
            spent,
        }),
        other => Err(anyhow!("{other:?} came")),
    }
}

fn judge(
    echoed: &Echoed,
    (before, after): (&[IceCandidatePair], &[IceCandidatePair]),
    connections: usize,
) -> anyhow::Result<String> {
    let changed = before
        .iter()
        .zip(after)
        .filter(|(old, new)| old != new)
        .count();
    let Echoed {
        forged,
        asked,
        late,
        lost,
        quantiles: [half, most, worst],
        dropped,
        spent,
    } = echoed;
    let told = format!(
        "{connections} connections, {asked} echoes beside {forged} forged: {late} later than 100 ms, {lost} lost; half in \
         {half:.1} ms, 99 of 100 in {most:.1} ms, all in {worst:.0} ms; the kernel dropped {dropped}; {:.1} s of a processor",
        spent.as_secs_f64()
    );
    ensure!(
        before.len() == connections && after.len() == connections,
        "a pair is missing: {told}"
    );
    ensure!(changed == 0, "{changed} pairs changed: {told}");
    // What the kernel had no room for is lost on the way, and comes late: that excuses as many again, and no more.
    let allowed = asked / 100;
    ensure!(late + lost <= allowed + allowed.min(*dropped), "{told}");
    Ok(told)
}

/// The server's network, the crowd's, and that of who forges, who may say to be of the crowd.
fn laboratory() -> anyhow::Result<Laboratory> {
    let mut lab = Laboratory::default();
    ip(&format!("link set br0 address {HERE_LINK}"))?;
    for (name, address) in [(CROWD, CROWD_ADDRESS), (FORGER, "10.77.0.40")] {
        lab.add_namespace(name)?;
        lab.uplink(name, "eth0", address)?;
        ip(&format!(
            "-n {name} neigh replace {HERE} lladdr {HERE_LINK} dev eth0 nud permanent"
        ))?;
    }
    ip(&format!("-n {CROWD} link set eth0 address {CROWD_LINK}"))?;
    ip(&format!(
        "neigh replace {CROWD_ADDRESS} lladdr {CROWD_LINK} dev br0 nud permanent"
    ))?;
    ip(&format!("-n {FORGER} link set eth0 arp off"))?;
    ip(&format!(
        "-n {FORGER} neigh replace {HERE} lladdr {HERE_LINK} dev eth0 nud permanent"
    ))?;
    ip(&format!("-n {FORGER} addr add {CROWD_ADDRESS}/32 dev eth0"))?;
    // The largest buffers are the system's to grant.
    let _ = call("sysctl", &["-qw", "net.core.rmem_max=8388608"]);
    Ok(lab)
}

/// What a description says of addresses.
fn addresses(offer: &SessionDescription) -> Vec<SocketAddr> {
    let lines = offer
        .sdp
        .lines()
        .filter(|line| line.starts_with("a=candidate:"));
    let address = |line: &str| {
        let mut words = line.split(' ').skip(4);
        let (address, port) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(SocketAddr::new(address, port))
    };
    lines.filter_map(address).collect()
}

fn fragment(answer: &SessionDescription) -> Option<String> {
    let line = answer
        .sdp
        .lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"));
    line.map(|it| it.trim().to_owned())
}

/// Datagrams that found no room in the socket of our port.
fn drops(port: u16) -> anyhow::Result<u64> {
    let table = std::fs::read_to_string("/proc/self/net/udp")?;
    let port = format!(":{port:04X}");
    let ours = table.lines().filter(|line| {
        let local = line.split_whitespace().nth(1);
        local.is_some_and(|local| local.ends_with(&port))
    });
    let dropped = ours.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok());
    Ok(dropped.sum())
}

/// Bytes of memory that this process has.
fn resident() -> anyhow::Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no VmRSS")?.parse::<usize>()? << 10)
}

/// How long processors have worked for this process.
fn processor() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').context("no stat")?;
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|it| it.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

const HERE: &str = "10.77.0.1";
const HERE_LINK: &str = "02:00:00:00:00:01";
const CROWD: &str = "crowd";
const CROWD_ADDRESS: &str = "10.77.0.30";
const CROWD_LINK: &str = "02:00:00:00:00:30";
const FORGER: &str = "forger";
/// Forged messages a second.
const RATE: u64 = 20_000;
const SETTLING: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn echoed([late, lost, dropped]: [u64; 3]) -> Echoed {
        Echoed {
            forged: 1_000_000,
            asked: 10_000,
            late,
            lost,
            quantiles: [1.0; 3],
            dropped,
            spent: Duration::ZERO,
        }
    }

    #[test]
    fn what_the_kernel_dropped_excuses_a_few() {
        let judged = |counts| judge(&echoed(counts), (&[], &[]), 0);
        judged([60, 40, 0]).unwrap();
        judged([60, 41, 0]).unwrap_err();
        judged([60, 45, 5]).unwrap();
        judged([60, 46, 5]).unwrap_err();
        judged([100, 100, 900_000]).unwrap();
        judged([100, 101, 900_000]).unwrap_err();
        judge(&echoed([0; 3]), (&[], &[]), 1).unwrap_err();
    }
}
