//! coturn itself: a process with a certificate and a log, for the length of one test.

use std::{
    fs::{self, File},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use oxirtc_peerconnection::IceServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::token;
use crate::setup;

/// A server under way. It ends with this value.
pub(crate) struct Coturn {
    process: Child,
    directory: Directory,
    /// The authority that its certificate is from, in DER.
    pub(crate) root: Vec<u8>,
}

/// How it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Coturn {
    /// Starts one at these addresses of the bridge, with these options beside the usual ones; `name` is the test's.
    pub(crate) async fn start(
        name: &str,
        hosts: &[&str],
        options: &[&str],
    ) -> anyhow::Result<Self> {
        let directory = Directory::new(name)?;
        let root = directory.write_certificate()?;
        let log = File::create(directory.0.join("log")).context("no log")?;
        let program = setup::find("turnserver").context("turnserver is missing")?;
        let process = Command::new(program)
            .args(OPTIONS)
            .args(hosts.iter().map(|it| format!("--listening-ip={it}")))
            .args(hosts.iter().map(|it| format!("--relay-ip={it}")))
            .arg(format!("--min-port={}", PORTS[0]))
            .arg(format!("--max-port={}", PORTS[1]))
            .args(options)
            .current_dir(&directory.0)
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log)
            .kill_on_drop(true)
            .spawn()
            .context("turnserver did not start")?;
        let mut coturn = Self {
            process,
            directory,
            root,
        };
        coturn.listens(hosts).await?;
        Ok(coturn)
    }

    /// Waits until all of its ports are open.
    async fn listens(&mut self, hosts: &[&str]) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        for port in [PORT, TLS_PORT] {
            for host in hosts {
                let host: IpAddr = host.parse()?;
                while TcpStream::connect(SocketAddr::new(host, port))
                    .await
                    .is_err()
                {
                    if let Some(status) = self.process.try_wait()? {
                        bail!("turnserver ended with {status}: {}", self.log());
                    }
                    if Instant::now() > end {
                        bail!(
                            "turnserver does not listen at {host}:{port}: {}",
                            self.log()
                        );
                    }
                    sleep(TICK).await;
                }
            }
        }
        Ok(())
    }

    /// The key that it shares with an authorization server, which it is given here.
    pub(crate) async fn key(&self) -> anyhow::Result<[u8; token::KEY]> {
        let key = [0x5a; token::KEY];
        let insert = format!(
            "INSERT OR REPLACE INTO oauth_key (kid, ikm_key, timestamp, lifetime, as_rs_alg, realm) \
             VALUES ('{}', '{}', 0, 0, 'A256GCM', '{}');",
            token::KEY_ID,
            STANDARD.encode(key),
            token::SERVER
        );
        let program = setup::find("sqlite3").context("sqlite3 is missing")?;
        let end = Instant::now() + PATIENCE;
        loop {
            // coturn may be writing there.
            let output = Command::new(&program)
                .args(["-cmd", ".timeout 10000"])
                .arg(self.directory.0.join("users"))
                .arg(&insert)
                .output()
                .await?;
            if output.status.success() {
                return Ok(key);
            }
            // It makes its tables when it listens already.
            if Instant::now() > end {
                let said = String::from_utf8_lossy(&output.stderr);
                bail!("coturn was given no key: {said}");
            }
            sleep(TICK).await;
        }
    }

    /// Ends it, and waits until it is gone.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("turnserver does not end")
    }

    /// All that it has said.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.directory.0.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How often it has said that.
    pub(crate) fn said(&self, what: &str) -> usize {
        self.log().matches(what).count()
    }

    /// Waits until it has said that so often.
    pub(crate) async fn says(&self, times: usize, what: &str) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.said(what) < times {
            if Instant::now() > end {
                bail!("coturn has not said «{what}» {times} times: {}", self.log());
            }
            sleep(TICK).await;
        }
        Ok(())
    }
}

impl Transport {
    /// The server at this host, for a user whom it knows.
    pub(crate) fn server(self, host: &str, password: &str) -> IceServer {
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        let url = match self {
            Self::Udp => format!("turn:{host}:{PORT}"),
            Self::Tcp => format!("turn:{host}:{PORT}?transport=tcp"),
            Self::Tls => format!("turns:{host}:{TLS_PORT}"),
        };
        IceServer::with_credential(url, "alice", password)
    }
}

/// A place for files, which goes when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> anyhow::Result<Self> {
        let name = format!("oxirtc-coturn-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// A key, and a certificate for [`HOST`] alone, made for this run; gives the authority that signed it.
    fn write_certificate(&self) -> anyhow::Result<Vec<u8>> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec![HOST.to_owned()])?;
        let certificate = params.signed_by(&key, &authority)?;
        fs::write(self.0.join("cert.pem"), certificate.pem())?;
        fs::write(self.0.join("key.pem"), key.serialize_pem())?;
        Ok(authority.der().to_vec())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left behind in the temporary directory does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// That of the namespace's bridge.
pub(crate) const HOST: &str = "10.77.0.1";
pub(crate) const HOST_V6: &str = "fd77::1";
pub(crate) const PASSWORD: &str = "secret";
/// Those of relays, from the first to the last.
pub(crate) const PORTS: [u16; 2] = [50_000, 50_999];
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;
const PATIENCE: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(50);
/// A line each.
#[rustfmt::skip]
const OPTIONS: &[&str] = &[
    "-n",
    "--listening-port=3478", "--tls-listening-port=5349",
    "--cert=cert.pem", "--pkey=key.pem",
    "--lt-cred-mech", "--realm=example.org", "--user=alice:secret",
    "--userdb=users", "--pidfile=pid",
    "--no-cli", "--relay-threads=1",
    "--log-file=stdout", "--simple-log", "--verbose",
];
