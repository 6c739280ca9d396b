//! The tests of a browser: their table, and how they run one after the other.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use tokio::time::{Instant, timeout};

use super::asked::matches;
use super::browser::{Kind, Preferences};
use super::suite::Suite;
use super::{
    bundles, channels, close, connect, ended, glare, media, messages, protected, recorded, relayed,
    restart, rounds, sctp, sections, serve, simulcast, statistics, tagged, told, tones, transfer,
    visits,
};

/// A test with a name.
struct Case {
    name: &'static str,
    preferences: Preferences,
    limit: Duration,
    run: for<'s> fn(&'s Suite) -> Running<'s>,
}

/// What came of the tests.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    passed: usize,
    failed: usize,
    interrupted: bool,
}

type Running<'s> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 's>>;

pub(crate) fn names(kind: Kind) -> Vec<String> {
    of(kind).map(|case| case.name.to_owned()).collect()
}

/// The tests of a browser.
fn of(kind: Kind) -> impl Iterator<Item = &'static Case> {
    let is_of =
        move |case: &&Case| case.preferences.are_of(kind) && !LEFT_OUT.contains(&(kind, case.name));
    CASES.iter().filter(is_of)
}

/// Runs what was asked for. A test is never repeated.
pub(crate) async fn run(kind: Kind, only: Vec<String>, full: bool) -> anyhow::Result<()> {
    let steady = |case: &Case| !UNSTEADY.contains(&(kind, case.name));
    let wanted =
        |case: &&Case| matches(&only, case.name) && (full || !only.is_empty() || steady(case));
    let start = Instant::now();
    let mut count = Count::default();
    for preferences in Preferences::ALL {
        let of_session = of(kind).filter(|case| case.preferences == preferences);
        let cases: Vec<_> = of_session.filter(wanted).collect();
        if !cases.is_empty() {
            run_session(kind, preferences, &cases, &mut count).await;
        }
        if count.interrupted {
            break;
        }
    }
    let Count {
        passed,
        failed,
        interrupted,
    } = count;
    let seconds = start.elapsed().as_secs_f64();
    println!("{kind:?}: {seconds:.0} s");
    println!("{passed} passed, {failed} failed");
    ensure!(!interrupted, "interrupted");
    ensure!(passed + failed > 0, "no test has such a name");
    ensure!(failed == 0, "{failed} of {} tests failed", passed + failed);
    Ok(())
}

/// The tests that share a browser.
async fn run_session(kind: Kind, preferences: Preferences, cases: &[&Case], count: &mut Count) {
    let suite = match Suite::start(kind, preferences).await {
        Ok(suite) => suite,
        Err(error) => {
            cases
                .iter()
                .for_each(|case| println!("FAIL {:<44}  {error:#}", case.name));
            count.failed += cases.len();
            return;
        }
    };
    println!("{}, {preferences:?} preferences", suite.browser.version());
    for case in cases {
        tokio::select! {
            passed = run_case(&suite, case) => {
                count.passed += usize::from(passed);
                count.failed += usize::from(!passed);
            }
            _ = tokio::signal::ctrl_c() => {
                count.interrupted = true;
                break;
            }
        }
    }
    if let Err(error) = suite.browser.quit().await {
        println!("     {error:#}"); // the tests stand
    }
}

async fn run_case(suite: &Suite, case: &Case) -> bool {
    let start = Instant::now();
    let outcome = timeout(case.limit, (case.run)(suite)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(anyhow!("not done in {:?}", case.limit)));
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => {
            println!("ok   {:<44} {seconds:>6.2} s", case.name);
            true
        }
        Err(error) => {
            println!("FAIL {:<44} {seconds:>6.2} s  {error:#}", case.name);
            suite.tell_stories().await;
            false
        }
    }
}

macro_rules! cases {
    ($($preferences:ident $limit:literal $name:literal $run:expr;)*) => {
        &[$(Case {
            name: $name,
            preferences: Preferences::$preferences,
            limit: Duration::from_secs($limit),
            run: |suite| Box::pin($run(suite)),
        }),*]
    };
}

/// What a browser has nothing for, so that a test of it could not fail there; `docs/media.md` says what.
const LEFT_OUT: &[(Kind, &str)] = &[(Kind::Firefox, "camera_and_microphone_h264_pcma")];

/// What fails now and then through the browser's own doing: run by its name or with `--full`; `docs/media.md` says what is seen.
const UNSTEADY: &[(Kind, &str)] = &[
    (Kind::Firefox, "first_section_stopped_by_browser"),
    (Kind::Firefox, "first_section_stopped_by_us"),
];

/// A line each: preferences, seconds, name, function.
const CASES: &[Case] = cases! {
    Open 40 "browser_offers_trickle" connect::browser_offers_trickle;
    Open 40 "browser_offers_complete" connect::browser_offers_complete;
    Open 40 "we_offer_trickle" connect::we_offer_trickle;
    Open 40 "we_offer_complete" connect::we_offer_complete;
    Open 40 "our_dtls_1_2_browser_offers" connect::our_dtls_1_2_browser_offers;
    Open 40 "our_dtls_1_2_we_offer" connect::our_dtls_1_2_we_offer;
    Open 40 "our_group_we_offer" connect::our_group_we_offer;
    Dtls12 40 "dtls_1_2_browser_offers" connect::dtls_1_2_browser_offers;
    Dtls12 40 "dtls_1_2_we_offer" connect::dtls_1_2_we_offer;
    Open 40 "both_offer" connect::both_offer;
    Open 90 "perfect_negotiation_browser_gives_way" glare::browser_gives_way;
    Open 90 "perfect_negotiation_we_give_way" glare::we_give_way;
    Open 60 "sections_come_together" sections::come_together;
    Open 40 "rsa_certificates" connect::rsa_certificates;
    Open 40 "forged_fingerprint" connect::forged_fingerprint;
    Open 60 "text_binary_empty_and_256_kib" messages::kinds_and_sizes;
    Open 40 "ordered" channels::ordered;
    Open 40 "unordered" channels::unordered;
    Open 40 "max_retransmits_0" channels::max_retransmits_0;
    Open 40 "max_packet_life_time" channels::max_packet_life_time;
    Open 40 "negotiated_id_0" channels::negotiated_id_0;
    Open 60 "channels_200" channels::many;
    Open 120 "transfer_64_mib_each_way" transfer::each_way;
    Open 60 "sctp_as_it_comes" sctp::as_it_comes;
    Open 60 "sctp_without_i_data" sctp::without_i_data;
    Open 60 "sctp_with_checksums" sctp::with_checksums;
    Trials 60 "sctp_trial_of_i_data" sctp::trial_of_i_data;
    Trials 60 "sctp_trial_of_snap" sctp::trial_of_snap;
    Trials 60 "sctp_trials_declined" sctp::trials_declined;
    Open 60 "browser_closes_channel" close::browser_closes_channel;
    Open 60 "we_close_channel" close::we_close_channel;
    Open 60 "we_shut_down" close::we_shut_down;
    Open 40 "browser_closes_connection" close::browser_closes_connection;
    Open 90 "ice_restart_by_browser_in_transfer" restart::by_browser;
    Open 90 "ice_restart_by_us_in_transfer" restart::by_us;
    Open 60 "camera_and_microphone_vp8_opus" media::echo_vp8;
    Open 60 "camera_and_microphone_vp9_g722" media::echo_vp9;
    Open 60 "camera_and_microphone_av1_pcmu" media::echo_av1;
    Open 60 "camera_and_microphone_h264_pcma" media::echo_h264;
    Open 90 "camera_recorded_and_10_percent_lost" recorded::camera;
    Open 60 "file_played_to_the_browser" recorded::played;
    Open 90 "camera_and_microphone_protected" protected::camera_and_microphone;
    Open 60 "tones_heard_by_the_browser" tones::heard_by_the_browser;
    Open 60 "tones_heard_by_us" tones::heard_by_us;
    Open 90 "max_bundle_browser_offers" bundles::browser_offers;
    Open 90 "max_bundle_we_offer" bundles::we_offer;
    Open 90 "first_section_stopped_by_browser" tagged::stopped_by_browser;
    Open 90 "first_section_stopped_by_us" tagged::stopped_by_us;
    Open 180 "tracks_held_added_removed_100_rounds" rounds::of_all_kinds;
    Open 90 "tracks_ended_by_both" ended::by_both;
    Open 90 "simulcast_of_three_streams" simulcast::three_streams;
    Open 60 "statistics_agree" statistics::agree;
    Open 120 "browser_opens_streams" told::browser_opens_streams;
    Open 60 "browser_relayed" relayed::browser_offers;
    Open 60 "browser_relayed_we_offer" relayed::we_offer;
    Open 60 "camera_and_microphone_relayed" relayed::camera;
    Open 60 "relays_without_udp" relayed::without_udp;
    Open 60 "streams_without_udp" relayed::streams_without_udp;
    Open 60 "tab_closed" close::tab_closed;
    Open 120 "serve_page" async |suite: &Suite| serve::page(&suite.browser, &suite.file_name("serve"), false).await;
    Open 90 "serve_page_files_in_a_queue" visits::files_in_a_queue;
    Open 60 "serve_page_server_stopped" visits::server_stopped;
    Open 60 "serve_page_on_a_phone" visits::on_a_phone;
    Open 60 "serve_page_by_https" visits::by_https;
    Open 60 "serve_page_from_another_machine" visits::from_another_machine;
    Default 120 "names_that_we_resolve" told::we_resolve;
    Default 120 "names_that_we_resolve_we_offer" told::we_resolve_and_offer;
    Default 120 "names_that_the_browser_resolves" told::browser_resolves;
    Default 120 "serve_page_default_preferences" async |suite: &Suite| {
        serve::page(&suite.browser, &suite.file_name("serve-default"), true).await
    };
};
