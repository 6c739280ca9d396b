//! What our side says: our DTLS of its handshakes, as the only one that reads the group from them, and the engine of packets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use log::{Level, LevelFilter, Log, Metadata, Record};

/// Keeps the lines of `oxirtc-dtls`, and where they are asked for the packets that the engine shows.
struct Heard(Mutex<Vec<String>>, AtomicBool);

impl Log for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_trace = metadata.level() == Level::Trace;
        match is_trace {
            true => self.1.load(Ordering::Relaxed) && metadata.target().ends_with("engine::trace"),
            false => metadata.target().starts_with("oxirtc_dtls"),
        }
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
    begin(LevelFilter::Debug);
}

/// The same, to packets of SCTP as well.
pub(crate) fn listen_to_packets() {
    begin(LevelFilter::Trace);
}

fn begin(level: LevelFilter) {
    // Once is enough: a second time changes nothing.
    let _ = log::set_logger(&HEARD);
    log::set_max_level(level);
    HEARD
        .1
        .store(level == LevelFilter::Trace, Ordering::Relaxed);
    lock(&HEARD.0).clear();
}

/// The packets that were heard, and whether they are ours.
pub(crate) fn packets() -> Vec<(bool, Vec<u8>)> {
    let packet = |line: &String| {
        // A letter, the time, an offset of zero, the bytes.
        let line = line.strip_suffix(" SCTP")?.split(" # ").next()?;
        let mut words = line.split(' ');
        let from_us = words.next()? == "O";
        let bytes = words.skip(2).map(|word| u8::from_str_radix(word, 16).ok());
        Some((from_us, bytes.collect::<Option<_>>()?))
    };
    lock(&HEARD.0).iter().filter_map(packet).collect()
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

static HEARD: Heard = Heard(Mutex::new(Vec::new()), AtomicBool::new(false));
