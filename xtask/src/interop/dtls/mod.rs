//! Our DTLS alone against that of others.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use tokio::time::{Instant, timeout};

use super::asked::{Running, matches};

mod browsers;
mod dimpl;
mod openssl;
mod record;
mod webrtc;

/// Those of one other stack: the programs that it needs, what is built for it, its tests.
struct Others {
    programs: &'static [&'static str],
    build: &'static [&'static str],
    cases: fn() -> Vec<String>,
    run: for<'s> fn(&'s str) -> Case<'s>,
}

type Case<'s> = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<String>> + 's>>;

pub(super) fn names() -> Vec<String> {
    OTHERS.iter().flat_map(|others| (others.cases)()).collect()
}

pub(super) fn programs(only: &[String]) -> Vec<&'static str> {
    let programs = wanted(only).flat_map(|others| others.programs);
    programs.copied().collect()
}

pub(super) fn builds(only: &[String]) -> Vec<&'static [&'static str]> {
    let builds = wanted(only).map(|others| others.build);
    builds.filter(|build| !build.is_empty()).collect()
}

/// Those of whom a test was asked for.
fn wanted(only: &[String]) -> impl Iterator<Item = &'static Others> {
    OTHERS.iter().filter(move |others| {
        let mut names = (others.cases)().into_iter();
        names.any(|name| matches(only, &name))
    })
}

pub(super) fn run(only: Vec<String>, record: Option<PathBuf>) -> Running {
    match record {
        Some(directory) => Box::pin(async move { record::run(&only, &directory).await }),
        None => Box::pin(run_all(only)),
    }
}

async fn run_all(only: Vec<String>) -> anyhow::Result<()> {
    let (mut passed, mut failed) = (0, 0);
    for others in wanted(&only) {
        for name in (others.cases)().iter().filter(|name| matches(&only, name)) {
            let start = Instant::now();
            let outcome = timeout(LIMIT, (others.run)(name)).await;
            let outcome = outcome.unwrap_or_else(|_| Err(anyhow!("not done in {LIMIT:?}")));
            let seconds = start.elapsed().as_secs_f64();
            match outcome {
                Ok(what) => {
                    passed += 1;
                    println!("ok   {name:<44} {seconds:>6.2} s  {what}");
                }
                Err(error) => {
                    failed += 1;
                    println!("FAIL {name:<44} {seconds:>6.2} s  {error:#}");
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    ensure!(passed + failed > 0, "no test has such a name");
    ensure!(failed == 0, "{failed} of {} tests failed", passed + failed);
    Ok(())
}

/// Go takes a minute to build Pion the first time.
const LIMIT: Duration = Duration::from_secs(300);
/// A line each.
#[rustfmt::skip]
const OTHERS: &[Others] = &[
    Others { programs: &["openssl"], build: &["--package", "oxirtc-dtls", "--examples"], cases: openssl::names, run: |name| Box::pin(openssl::run(name)) },
    Others { programs: &[], build: &["--manifest-path", "xtask/peers/Cargo.toml", "--package", "peers-dtls"], cases: dimpl::names, run: |name| Box::pin(dimpl::run(name)) },
    Others { programs: &["go", "/usr/share/gocode/src/github.com/pion/webrtc/go.mod"], build: &[], cases: webrtc::pion_names, run: |name| Box::pin(webrtc::run(name)) },
    Others { programs: &["/usr/lib/python3/dist-packages/aiortc/__init__.py"], build: &[], cases: webrtc::aiortc_names, run: |name| Box::pin(webrtc::run(name)) },
    Others { programs: &["chromium", "chromedriver"], build: &[], cases: browsers::chromium_names, run: |name| Box::pin(browsers::run(name)) },
    Others { programs: &["firefox-esr", "geckodriver"], build: &[], cases: browsers::firefox_names, run: |name| Box::pin(browsers::run(name)) },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_test_needs_is_asked_for() {
        assert_eq!(programs(&["openssl_rsa".to_owned()]), ["openssl"]);
        assert!(programs(&["no such test".to_owned()]).is_empty());
        let pion = names().into_iter().filter(|name| name.starts_with("pion"));
        assert_eq!(pion.count(), 2);
    }
}
