//! Recordings of handshakes with browsers: what went over the path, and the secrets of our side. From these the tests of
//! `oxirtc-dtls` work everything out again. Of our key share the shared secret stands in its place, as the crypto library
//! gives no private key away.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{
    Message, SessionDescription,
    engine::{KeyLog, Settings},
};

use crate::interop::asked::matches;
use crate::interop::browser::{Kind, Preferences};
use crate::interop::call::{Call, Setup, Side};
use crate::interop::heard;
use crate::interop::peer::soon;
use crate::interop::suite::Suite;
use crate::interop::tap::{Seen, Tap};

/// Lines of secrets as a recording has them.
#[derive(Default)]
struct Secrets(Mutex<String>);

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push_str(&format!("{label} {} {}\n", hex(client_random), hex(secret)));
    }

    fn log_shared_secret(&self, client_random: &[u8; 32], secret: &[u8]) {
        self.log("shared", client_random, secret);
    }
}

/// A file for each browser and each role of ours.
pub(super) async fn run(only: &[String], directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)?;
    let browsers = [("chromium", Kind::Chromium), ("firefox", Kind::Firefox)];
    for (name, kind) in browsers {
        if !matches(only, name) {
            continue;
        }
        let suite = Suite::start(kind, Preferences::Open).await?;
        let version = suite.browser.version();
        let major = version.split([' ', '.']).nth(1).unwrap_or_default();
        for (offerer, role) in [(Side::Browser, "client"), (Side::Us, "server")] {
            let recording = record(&suite, offerer).await?;
            let file = directory.join(format!("{name}-{major}.we-are-{role}.hex"));
            let text = format!("# {version}; we are the {role}\n{recording}");
            std::fs::write(&file, text)?;
            println!("     {}", file.display());
        }
        suite.browser.quit().await?;
    }
    Ok(())
}

/// A call in which a word goes each way, at whose end the association is closed.
async fn record(suite: &Suite, offerer: Side) -> anyhow::Result<String> {
    heard::listen();
    let tap = Tap::begin()?;
    let secrets = Arc::new(Secrets::default());
    let settings = Settings::default().key_log(secrets.clone());
    let call = Call::start_with(suite, Setup::default(), settings).await?;
    let channel = call
        .channel(offerer, "recorded", serde_json::json!({}))
        .await?;
    channel.send("hello from Rust").await?;
    call.tab
        .run(
            "(await h.channel('recorded')).dc.send('hello from the browser')",
            &[],
        )
        .await?;
    let word = soon("the greeting", channel.recv()).await?;
    let expected = Some(Message::from("hello from the browser"));
    ensure!(word == expected, "we heard {word:?}");
    println!("     {}", heard::connected(&["DTLS 1.3"])?);
    let connection = call.peer.connection().clone();
    call.end().await?;
    let descriptions = [
        connection.local_description(),
        connection.remote_description(),
    ];
    let [Some(ours), Some(theirs)] = descriptions else {
        anyhow::bail!("the descriptions are gone");
    };
    let seen = tap.end()?;
    write(&ours, &theirs, offerer, &seen, &secrets)
}

fn write(
    ours: &SessionDescription,
    theirs: &SessionDescription,
    offerer: Side,
    seen: &[Seen],
    secrets: &Secrets,
) -> anyhow::Result<String> {
    let (our_letter, their_letter) = match offerer {
        Side::Browser => ('c', 's'),
        Side::Us => ('s', 'c'),
    };
    let mut text = String::new();
    for (letter, description) in [(our_letter, ours), (their_letter, theirs)] {
        let fingerprint = values(description, "a=fingerprint:").next();
        let fingerprint = fingerprint.context("a description without a fingerprint")?;
        writeln!(text, "fingerprint {letter} {fingerprint}")?;
    }
    text.push_str(&secrets.0.lock().unwrap_or_else(PoisonError::into_inner));
    let port = |candidate: &str| candidate.split(' ').nth(5)?.parse().ok();
    let ports: BTreeSet<u16> = values(ours, "a=candidate:").filter_map(port).collect();
    // RFC 7983: the first byte says what it is.
    let is_dtls = |it: &&Seen| matches!(it.payload.first(), Some(20..=63));
    let of_call = |it: &&Seen| ports.contains(&it.from) || ports.contains(&it.to);
    for it in seen.iter().filter(is_dtls).filter(of_call) {
        let letter = match ports.contains(&it.from) {
            true => our_letter,
            false => their_letter,
        };
        writeln!(text, "{letter} {}", hex(&it.payload))?;
    }
    Ok(text)
}

fn values<'d>(description: &'d SessionDescription, name: &'d str) -> impl Iterator<Item = &'d str> {
    description
        .sdp
        .lines()
        .filter_map(move |line| line.strip_prefix(name))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
