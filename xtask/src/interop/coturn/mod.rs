//! Relays of coturn: two connections of ours that reach each other through them alone.

use std::time::Duration;

use anyhow::{anyhow, ensure};
use tokio::time::{Instant, sleep, timeout};

use super::{
    asked::{Running, matches},
    namespace,
};
use call::{Call, Gathered, gather, settings};
use server::{Coturn, HOST, HOST_V6, PASSWORD, Transport};

mod call;
pub(super) mod media;
pub(super) mod server;
mod token;

/// A test with a name, and what coturn is told beside the usual.
struct Case {
    name: &'static str,
    options: &'static [&'static str],
    /// It takes minutes.
    only_full: bool,
    run: for<'s> fn(&'s Coturn, usize) -> Outcome<'s>,
}

/// What there is to say of a test that has passed.
type Outcome<'s> = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<String>> + 's>>;

pub(super) fn names() -> Vec<String> {
    CASES.iter().map(|case| case.name.to_owned()).collect()
}

pub(super) fn run(only: Vec<String>, full: bool) -> Running {
    Box::pin(run_all(only, full))
}

async fn run_all(only: Vec<String>, full: bool) -> anyhow::Result<()> {
    namespace::add_address(&format!("{HOST_V6}/64"))?;
    let (mut passed, mut failed) = (0, 0);
    let bulk = if full { FULL_BULK } else { BULK };
    let asked = |case: &&Case| matches(&only, case.name) && (full || !case.only_full);
    for case in CASES.iter().filter(asked) {
        let start = Instant::now();
        let outcome = run_case(case, bulk).await;
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(what) => {
                passed += 1;
                println!("ok   {:<32} {seconds:>6.2} s  {what}", case.name);
            }
            Err(error) => {
                failed += 1;
                println!("FAIL {:<32} {seconds:>6.2} s  {error:#}", case.name);
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    ensure!(passed + failed > 0, "no test has such a name");
    ensure!(failed == 0, "{failed} of {} tests failed", passed + failed);
    Ok(())
}

async fn run_case(case: &Case, bulk: usize) -> anyhow::Result<String> {
    let coturn = Coturn::start(case.name, &[HOST, HOST_V6], case.options).await?;
    let outcome = timeout(LIMIT, (case.run)(&coturn, bulk)).await;
    // The next is not to meet this one at its ports.
    coturn.end().await?;
    outcome.unwrap_or_else(|_| Err(anyhow!("not done in {LIMIT:?}")))
}

/// Data through a relay on each side, and both allocations given back at the end.
async fn relayed(
    coturn: &Coturn,
    ways: [Transport; 2],
    host: &str,
    bulk: usize,
) -> anyhow::Result<String> {
    let settings = settings(coturn).ipv4(!host.contains(':'));
    let servers = ways.map(|way| way.server(host, PASSWORD));
    let call = Call::connect(servers, settings).await?;
    let protocols = call.relay_protocols()?;
    ensure!(
        protocols == ways.map(|way| format!("{way:?}")),
        "the servers were reached by {protocols:?}"
    );
    let start = Instant::now();
    call.exchange(bulk).await?;
    let mib = bulk as f64 / f64::from(1 << 20);
    let speed = mib / start.elapsed().as_secs_f64();
    let made = coturn.said("incoming packet ALLOCATE processed, success");
    ensure!(made >= 2, "coturn knows of {made} allocations");
    call.end();
    // RFC 8656 §7: a lifetime of zero ends an allocation.
    coturn.says(made, ", lifetime=0").await?;
    Ok(format!(
        "{mib:.0} MiB each way at {speed:.1} MiB/s, {made} allocations given back"
    ))
}

async fn wrong_password(coturn: &Coturn) -> anyhow::Result<String> {
    for way in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        let server = way.server(HOST, "other");
        let url = server.urls.concat();
        let (_connection, _channel, gathered) = gather(server, settings(coturn)).await?;
        refused(&gathered, 401, &url)?;
    }
    Ok("401 over each transport".to_owned())
}

/// The certificate is for one of the two addresses, by an authority that nobody else knows.
async fn unproven(coturn: &Coturn) -> anyhow::Result<String> {
    let default = oxirtc_peerconnection::engine::Settings::default();
    for (host, settings) in [(HOST, default), (HOST_V6, settings(coturn))] {
        let server = Transport::Tls.server(host, PASSWORD);
        let url = server.urls.concat();
        let (_connection, _channel, gathered) = gather(server, settings).await?;
        refused(&gathered, 701, &url)?;
    }
    let asked = coturn.said("incoming packet");
    ensure!(asked == 0, "it was asked {asked} times all the same");
    Ok("701 for an unknown authority and for another address".to_owned())
}

/// Tokens of an authorization server that coturn shares a key with, and one of another key.
async fn oauth(coturn: &Coturn, bulk: usize) -> anyhow::Result<String> {
    let server = || async {
        let mut server = Transport::Udp.server(HOST, PASSWORD);
        server.username = Some(token::KEY_ID.to_owned());
        server.credential = Some(token::granted(&coturn.key().await?)?.into());
        anyhow::Ok(server)
    };
    let servers = [server().await?, server().await?];
    let call = Call::connect(servers, settings(coturn).ipv6(false)).await?;
    call.exchange(bulk).await?;
    call.end();
    let mut other = server().await?;
    other.credential = Some(token::granted(&[7; token::KEY])?.into());
    let url = other.urls.concat();
    let (_connection, _channel, gathered) = gather(other, settings(coturn).ipv6(false)).await?;
    refused(&gathered, 401, &url)?;
    Ok("data over two relays by tokens, 401 for one of another key".to_owned())
}

/// One allocation a user: the second connection has none.
async fn quota(coturn: &Coturn) -> anyhow::Result<String> {
    let server = || Transport::Udp.server(HOST, PASSWORD);
    let settings = || settings(coturn).ipv6(false);
    let (_connection, _channel, first) = gather(server(), settings()).await?;
    let errors = &first.errors;
    ensure!(errors.is_empty(), "the first is refused: {errors:?}");
    let (_connection, _channel, second) = gather(server(), settings()).await?;
    refused(&second, 486, &server().urls.concat())?;
    Ok("486 for the second".to_owned())
}

fn refused(gathered: &Gathered, code: u16, url: &str) -> anyhow::Result<()> {
    let Gathered { candidates, errors } = gathered;
    ensure!(candidates.is_empty(), "candidates: {candidates:?}");
    ensure!(
        *errors == [(code, url.to_owned())],
        "{errors:?} where {code} was expected of {url}"
    );
    Ok(())
}

/// Nonces end, and what was given for a short time, while words go round. Each allocation is refreshed half-way, each permission after
/// [`PERMITTED`], and each of these requests is made twice, as the nonce of the one before has ended.
async fn outlives(coturn: &Coturn, time: Duration, lifetime: Duration) -> anyhow::Result<String> {
    let servers = [Transport::Udp, Transport::Tcp].map(|way| way.server(HOST, PASSWORD));
    let call = Call::connect(servers, settings(coturn).ipv6(false)).await?;
    let end = Instant::now() + time;
    let mut words = 0;
    while Instant::now() < end {
        call.echo().await?;
        words += 1;
        sleep(PAUSE).await;
    }
    let count = |what: &str| coturn.said(&format!("incoming packet {what} processed, success"));
    let refreshed = count("REFRESH");
    let permitted = count("CREATE_PERMISSION");
    let stale = coturn.said("error 438: Stale nonce");
    call.end();
    let often = |each: Duration| 2 * (time.as_secs() / each.as_secs()) as usize;
    let refreshes = often(lifetime / 2);
    ensure!(
        refreshed >= refreshes && permitted >= 2 + often(PERMITTED) && stale >= refreshes,
        "{refreshed} refreshes, {permitted} permissions, {stale} stale nonces: {}",
        coturn.log()
    );
    Ok(format!(
        "{words} words each way, {refreshed} refreshes, {permitted} permissions, {stale} stale nonces"
    ))
}

const BULK: usize = 4 << 20;
const FULL_BULK: usize = 64 << 20;
const LIMIT: Duration = Duration::from_secs(400);
const PAUSE: Duration = Duration::from_millis(100);
/// After so long a permission of five minutes is renewed.
const PERMITTED: Duration = Duration::from_secs(240);

macro_rules! cases {
    ($($name:literal $full:literal $options:expr, |$coturn:ident, $bulk:pat_param| $run:expr;)*) => {
        &[$(Case {
            name: $name,
            options: $options,
            only_full: $full,
            run: |$coturn, $bulk| Box::pin($run),
        }),*]
    };
}

/// A line each: name, whether with `--full` only, options, what is done.
#[rustfmt::skip]
const CASES: &[Case] = cases! {
    "udp" false &[], |coturn, bulk| relayed(coturn, [Transport::Udp; 2], HOST, bulk);
    "tcp" false &[], |coturn, bulk| relayed(coturn, [Transport::Tcp; 2], HOST, bulk);
    "tls" false &[], |coturn, bulk| relayed(coturn, [Transport::Tls; 2], HOST, bulk);
    "udp_and_tls" false &[], |coturn, bulk| relayed(coturn, [Transport::Udp, Transport::Tls], HOST, bulk);
    "audio_and_video" false &[], |coturn, _| media::call(coturn, [Transport::Udp; 2]);
    "audio_and_video_udp_and_tls" false &[], |coturn, _| media::call(coturn, [Transport::Udp, Transport::Tls]);
    "ipv6" false &[], |coturn, bulk| relayed(coturn, [Transport::Udp; 2], HOST_V6, bulk);
    "wrong_password" false &[], |coturn, _| wrong_password(coturn);
    "unproven_certificate" false &[], |coturn, _| unproven(coturn);
    "quota" false &["--user-quota=1"], |coturn, _| quota(coturn);
    "oauth" false &["--oauth"], |coturn, bulk| oauth(coturn, bulk);
    "stale_nonce_short_lifetime" false &["--stale-nonce=2", "--max-allocate-lifetime=10"], |coturn, _| outlives(coturn, Duration::from_secs(8), Duration::from_secs(10));
    "permissions_end" true &["--stale-nonce=5", "--max-allocate-lifetime=60"], |coturn, _| outlives(coturn, Duration::from_secs(320), Duration::from_secs(60));
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_the_transport() {
        let url = |way: Transport, host| way.server(host, PASSWORD).urls.concat();
        assert_eq!(url(Transport::Udp, HOST), "turn:10.77.0.1:3478");
        assert_eq!(
            url(Transport::Tcp, HOST),
            "turn:10.77.0.1:3478?transport=tcp"
        );
        assert_eq!(url(Transport::Tls, HOST_V6), "turns:[fd77::1]:5349");
    }
}
