//! What our DTLS says of its handshakes: the only one that reads the group from them.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use log::{LevelFilter, Log, Metadata, Record};

/// Keeps the lines of `oxirtc-dtls`.
struct Heard(Mutex<Vec<String>>);

impl Log for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("oxirtc_dtls")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = record.args().to_string();
            lock(&self.0).push(line);
        }
    }

    fn flush(&self) {}
}

/// Listens from here on, with what was heard before forgotten.
pub(crate) fn listen() {
    // Once is enough: a second time changes nothing.
    if log::set_logger(&HEARD).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
    lock(&HEARD.0).clear();
}

/// How the last association was connected, which has to have all of these in it.
pub(crate) fn connected(expected: &[&str]) -> anyhow::Result<String> {
    let lines = lock(&HEARD.0);
    let line = lines.iter().rfind(|line| line.contains("connected as "));
    let line = line.context("no handshake was heard")?;
    for part in expected {
        ensure!(line.contains(part), "«{line}» has no «{part}»");
    }
    Ok(line.clone())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static HEARD: Heard = Heard(Mutex::new(Vec::new()));
