use std::{error::Error, io::Write, sync::Mutex};

use oxirtc_dtls::KeyLog;

/// Secrets, a line each, for Wireshark. The crate itself reads no environment: only whoever passes
/// `--key-log` gets this.
#[derive(Debug)]
pub(crate) struct File(Mutex<std::fs::File>);

impl File {
    pub(crate) fn of_environment() -> Result<Self, Box<dyn Error>> {
        let path = std::env::var_os("SSLKEYLOGFILE");
        let path = path.ok_or("--key-log writes to SSLKEYLOGFILE, which is not set")?;
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)?;
        Ok(Self(Mutex::new(file)))
    }
}

impl KeyLog for File {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        if let Ok(mut file) = self.0.lock()
            && let Err(error) = file.write_all(line.as_bytes())
        {
            eprintln!("the key log: {error}");
        }
    }
}
