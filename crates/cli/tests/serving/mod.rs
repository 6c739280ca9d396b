//! The program, started as a user starts it.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its program's output has failed"
)]

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

/// A program that serves, and where. It ends with this.
pub(crate) struct Serving {
    pub(crate) program: Child,
    pub(crate) address: SocketAddr,
}

impl Serving {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::of(oxirtc(
            &[&["serve", "--listen", "127.0.0.1:0"], arguments].concat(),
        ))
    }

    /// Waits until the program says where it serves.
    pub(crate) fn of(mut program: Child) -> Self {
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let line = lines.find(|it| it.as_ref().unwrap().starts_with("oxirtc serves"));
        let line = line.unwrap().unwrap();
        let mut words = line.split(' ');
        let url = words.find_map(|word| word.split_once("://")).unwrap().1;
        let address = url.trim_end_matches('/').parse().unwrap();
        Self { program, address }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

pub(crate) fn oxirtc(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_oxirtc"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What Ctrl-C does.
pub(crate) fn interrupt(program: &Child) {
    let id = program.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
}
