//! `cargo xtask interop`: our stack against a real peer, in a network of its own.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use crate::{run, setup};
use asked::Running;
use browser::Kind;

mod asked;
mod browser;
mod bundles;
mod call;
mod cases;
mod channels;
mod close;
mod connect;
mod coturn;
mod dtls;
mod ended;
pub(crate) mod flood;
mod glare;
mod gstreamer;
mod heard;
mod loss;
mod media;
mod messages;
mod namespace;
pub(crate) mod nat;
mod peer;
mod protected;
mod recorded;
mod relayed;
mod restart;
mod rounds;
mod sctp;
mod sections;
mod serve;
mod server;
mod simulcast;
mod statistics;
mod suite;
mod tagged;
mod tap;
mod told;
mod tones;
mod transfer;
mod tshark;
mod visits;

/// What `interop` can be told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Whom to test against
    #[arg(value_parser = PEERS.iter().map(|peer| peer.name).collect::<Vec<_>>())]
    peer: String,
    /// Only tests whose names contain one of these
    only: Vec<String>,
    /// Also what takes minutes, of coturn; what a browser makes unsteady; longer transfers, of nat; all the connections, of flood
    #[arg(long)]
    full: bool,
    /// Of `dtls`: write a recording of a handshake with each browser in each role, with its secrets, instead
    #[arg(long, value_name = "DIRECTORY")]
    record: Option<PathBuf>,
    /// Say the names of the tests and end
    #[arg(long)]
    list: bool,
}

/// Someone to test against: its name on the command line, its tests, and for those of them that were asked
/// for the programs that they need and what `cargo build` is told.
struct Peer {
    name: &'static str,
    cases: fn() -> Vec<String>,
    programs: fn(&[String]) -> Vec<&'static str>,
    builds: fn(&[String]) -> Vec<&'static [&'static str]>,
    run: fn(Arguments) -> Running,
}

/// Builds first, then enters the namespace, where cargo could fetch nothing.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let peer = PEERS.iter().find(|peer| peer.name == arguments.peer);
    let peer = peer.with_context(|| format!("no peer «{}»", arguments.peer))?;
    if arguments.list {
        (peer.cases)().iter().for_each(|name| println!("{name}"));
        return Ok(());
    }
    if cfg!(debug_assertions) && OPTIMISED.contains(&peer.name) {
        let mut again = run::cargo();
        again.args(["run", "--quiet", "--release", "--package", "xtask", "--"]);
        return run::check(again.args(std::env::args_os().skip(1)));
    }
    if namespace::inside() {
        namespace::build()?;
        let runtime = tokio::runtime::Runtime::new().context("no threads")?;
        return runtime.block_on((peer.run)(arguments.clone()));
    }
    let only = match arguments.record {
        Some(_) if arguments.only.is_empty() => &BROWSERS.map(str::to_owned).to_vec(),
        _ => &arguments.only,
    };
    let programs = (peer.programs)(only);
    for program in programs.iter().chain(NETWORK) {
        ensure!(
            setup::find(program).is_some(),
            "{program} is missing: run `cargo xtask setup --others`"
        );
    }
    for what in (peer.builds)(only) {
        let mut build = run::cargo();
        build.args(["build", "--quiet"]).args(what);
        if !cfg!(debug_assertions) {
            build.arg("--release"); // as this program is
        }
        run::check(&mut build)?;
    }
    namespace::reenter()
}

/// A peer whose tests are those of [`cases`].
const fn browser(
    name: &'static str,
    names: fn() -> Vec<String>,
    programs: fn(&[String]) -> Vec<&'static str>,
    run: fn(Arguments) -> Running,
) -> Peer {
    Peer {
        name,
        cases: names,
        programs,
        builds: |_| vec![&["--package", "oxirtc-cli"]],
        run,
    }
}

/// A line each.
#[rustfmt::skip]
const PEERS: &[Peer] = &[
    browser("chromium", || cases::names(Kind::Chromium), |_| vec!["chromium", "chromedriver", "turnserver"], |it| Box::pin(cases::run(Kind::Chromium, it.only, it.full))),
    browser("firefox", || cases::names(Kind::Firefox), |_| vec!["firefox-esr", "geckodriver", "turnserver"], |it| Box::pin(cases::run(Kind::Firefox, it.only, it.full))),
    Peer { name: "dtls", cases: dtls::names, programs: dtls::programs, builds: dtls::builds, run: |it| dtls::run(it.only, it.record) },
    Peer { name: "coturn", cases: coturn::names, programs: |_| vec!["turnserver"], builds: |_| vec![], run: |it| coturn::run(it.only, it.full) },
    Peer { name: "nat", cases: nat::names, programs: nat::programs, builds: |_| vec![], run: |it| nat::run(it.only, it.full) },
    Peer { name: "gstreamer", cases: gstreamer::names, programs: |_| GSTREAMER.to_vec(), builds: |_| vec![&["--package", "oxirtc-cli"]], run: |it| gstreamer::run(it.only) },
    Peer { name: "flood", cases: flood::names, programs: |_| vec![], builds: |_| vec![], run: |it| flood::run(it.only, it.full) },
];

/// Who would measure the compiler's haste and not us.
const OPTIMISED: [&str; 1] = ["flood"];
/// Of whom there are recordings.
const BROWSERS: [&str; 2] = ["chromium", "firefox"];
/// GStreamer, which has no program of its own here, and who plays what it publishes. Of a package its licence is always there.
const GSTREAMER: &[&str] = &[
    "chromium",
    "chromedriver",
    "/usr/share/doc/gir1.2-gst-plugins-bad-1.0/copyright",
    "/usr/share/doc/gstreamer1.0-nice/copyright",
    "/usr/share/doc/gstreamer1.0-plugins-good/copyright",
    "/usr/share/doc/python3-gst-1.0/copyright",
];
/// What the namespace itself needs.
const NETWORK: &[&str] = &["ip", "iptables", "unshare", "kill"];
