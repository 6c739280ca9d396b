//! OpenSSL's `s_client` and `s_server`, at DTLS 1.2: the examples of `oxirtc-dtls` connect with them in either
//! role, export the same keys, and each hears what the other said.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    time::timeout,
};

use crate::run;

/// What a test varies.
struct Case {
    name: &'static str,
    /// Of OpenSSL's certificate.
    key: &'static [&'static str],
    ours: &'static [&'static str],
    /// Of `s_client` and `s_server` alike.
    theirs: &'static [&'static str],
    /// A line that `s_client` or `s_server` reads from its configuration.
    option: &'static str,
    /// What both agree on: how our example prints it.
    agreed: &'static str,
    roles: &'static [&'static str],
}

/// A program, and the lines that it prints.
struct Program {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<String>,
    said: Vec<String>,
}

pub(super) fn names() -> Vec<String> {
    let of_case = |case: &Case| {
        let name = case.name;
        let roles = case.roles.iter();
        roles.map(move |role| format!("openssl_{name}_we_are_{role}"))
    };
    CASES.iter().flat_map(of_case).collect()
}

pub(super) async fn run(name: &str) -> anyhow::Result<String> {
    let case = CASES
        .iter()
        .find(|case| name.starts_with(&format!("openssl_{}_we", case.name)));
    let case = case.context("no such test")?;
    let we_are_client = name.ends_with("client");
    let directory = Directory::new(name)?;
    let fingerprint = make_certificate(case, &directory).await?;
    let port = free_port()?;
    let (mut server, mut client) = if we_are_client {
        let theirs = openssl(
            case,
            &directory,
            &["s_server", "-accept", &format!("127.0.0.1:{port}")],
            &["-verify", "1", "-listen"],
        )?;
        (theirs, None)
    } else {
        (
            example("server", case, port, &fingerprint)?,
            None::<Program>,
        )
    };
    server
        .hears(if we_are_client {
            "ACCEPT"
        } else {
            "listening on"
        })
        .await?;
    let mut client = match client.take() {
        Some(client) => client,
        None if we_are_client => example("client", case, port, &fingerprint)?,
        None => openssl(
            case,
            &directory,
            &["s_client", "-connect", &format!("127.0.0.1:{port}")],
            &[],
        )?,
    };
    let mut keys = Vec::new();
    for program in [&mut server, &mut client] {
        let line = program.hears("Keying material: ").await?;
        keys.push(line.trim().to_owned());
    }
    ensure!(
        keys.first() == keys.get(1),
        "the exported keys differ: {keys:?}"
    );
    if we_are_client {
        server.hears("hello from oxirtc").await?;
        server.says("hello from OpenSSL\n").await?;
        client.hears("received: hello from OpenSSL").await?;
    } else {
        client.says("hello from OpenSSL\n").await?;
        server.hears("received: hello from OpenSSL").await?;
        // Our server echoes.
        client.hears("hello from OpenSSL").await?;
        client.says("Q\n").await?;
    }
    let ours = if we_are_client {
        &mut client
    } else {
        &mut server
    };
    let ended = timeout(PATIENCE, ours.child.wait()).await;
    let ended = ended.with_context(|| format!("our side does not end: {:?}", ours.said))??;
    ensure!(
        ended.success(),
        "our side ended with {ended}: {:?}",
        ours.said
    );
    let agreed = ours.said.iter().find(|line| line.starts_with("DTLS 1.2 "));
    let agreed = agreed.context("our side says no version")?;
    ensure!(
        agreed.contains(case.agreed),
        "«{agreed}» is not «{}»",
        case.agreed
    );
    Ok(format!("{agreed}, equal keys"))
}

/// A key and a certificate for OpenSSL, and its fingerprint.
async fn make_certificate(case: &Case, directory: &Directory) -> anyhow::Result<String> {
    let mut command = Command::new("openssl");
    command.args([
        "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=peer", "-newkey",
    ]);
    command
        .args(case.key)
        .args(["-keyout", "key.pem", "-out", "cert.pem"]);
    output(command.current_dir(&directory.0)).await?;
    let mut command = Command::new("openssl");
    command.args([
        "x509",
        "-in",
        "cert.pem",
        "-noout",
        "-fingerprint",
        "-sha256",
    ]);
    let line = output(command.current_dir(&directory.0)).await?;
    let (_, digits) = line.trim().split_once('=').context("no fingerprint")?;
    Ok(format!("sha-256 {digits}"))
}

fn openssl(
    case: &Case,
    directory: &Directory,
    role: &[&str],
    more: &[&str],
) -> anyhow::Result<Program> {
    let mut command = Command::new("openssl");
    command
        .args(role)
        .args(["-dtls1_2", "-cert", "cert.pem", "-key", "key.pem"]);
    command.args(["-use_srtp", "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"]);
    command.args([
        "-keymatexport",
        "EXTRACTOR-dtls_srtp",
        "-keymatexportlen",
        "60",
    ]);
    let cookie = case.ours.contains(&"--cookie");
    // Cookies of `s_server` are asked for by `-listen`.
    command.args(more.iter().filter(|flag| cookie || **flag != "-listen"));
    command.args(case.theirs).current_dir(&directory.0);
    let configuration = format!(
        "openssl_conf = default\n[default]\nssl_conf = ssl\n[ssl]\nsystem_default = options\n[options]\n{}\n",
        case.option
    );
    std::fs::write(directory.0.join("openssl.cnf"), configuration)?;
    command.env("OPENSSL_CONF", directory.0.join("openssl.cnf"));
    Program::start("openssl", command)
}

fn example(
    role: &'static str,
    case: &Case,
    port: u16,
    fingerprint: &str,
) -> anyhow::Result<Program> {
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let program = run::target()?.join(profile).join("examples").join(role);
    let mut command = Command::new(program);
    command.args([
        &format!("127.0.0.1:{port}"),
        fingerprint,
        "--once",
        "--version",
        "DTLS 1.2",
    ]);
    command.args(case.ours);
    Program::start(role, command)
}

impl Program {
    fn start(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .with_context(|| format!("{name} did not start"))?;
        let (heard, lines) = mpsc::unbounded_channel();
        let mut output = BufReader::new(child.stdout.take().context("no output")?).lines();
        let also = heard.clone();
        // When nobody listens any more the test is over.
        tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                let _ = also.send(line);
            }
        });
        let mut errors = BufReader::new(child.stderr.take().context("no output")?).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = errors.next_line().await {
                let _ = heard.send(line);
            }
        });
        let input = child.stdin.take();
        Ok(Self {
            name,
            child,
            input,
            lines,
            said: Vec::new(),
        })
    }

    /// Waits for a line with that in it, and gives what stands behind it there.
    async fn hears(&mut self, what: &str) -> anyhow::Result<String> {
        let hearing = async {
            while let Some(line) = self.lines.recv().await {
                let found = line.split_once(what).map(|(_, rest)| rest.to_owned());
                self.said.push(line);
                if found.is_some() {
                    return found;
                }
            }
            None
        };
        match timeout(PATIENCE, hearing).await {
            Ok(Some(rest)) => Ok(rest),
            _ => bail!("{} did not say «{what}» but {:#?}", self.name, self.said),
        }
    }

    async fn says(&mut self, line: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("it has no input")?;
        input.write_all(line.as_bytes()).await?;
        Ok(input.flush().await?)
    }
}

/// A place for files, which goes when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("oxirtc-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left behind in the temporary directory does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().await.context("openssl did not start")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// In the namespace nobody else takes it.
fn free_port() -> anyhow::Result<u16> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").context("no loopback address")?;
    Ok(socket.local_addr()?.port())
}

const PATIENCE: Duration = Duration::from_secs(15);
const BOTH: &[&str] = &["client", "server"];
const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P384: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
const RSA: &[&str] = &["rsa:2048"];

/// A line each.
#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "plain", key: P256, ours: &[], theirs: &[], option: "", agreed: "TLS_ECDHE_ECDSA_WITH_AES_", roles: BOTH },
    Case { name: "rsa", key: RSA, ours: &["--key", "rsa"], theirs: &[], option: "", agreed: "TLS_ECDHE_RSA_WITH_AES_", roles: BOTH },
    Case { name: "p384", key: P384, ours: &["--key", "p-384"], theirs: &[], option: "", agreed: "TLS_ECDHE_ECDSA_WITH_AES_", roles: BOTH },
    // OpenSSL's DTLS has no server with such a key.
    Case { name: "ed25519", key: &["ed25519"], ours: &["--key", "ed25519"], theirs: &[], option: "", agreed: "TLS_ECDHE_ECDSA_WITH_AES_", roles: &["server"] },
    Case { name: "cookie", key: P256, ours: &["--cookie"], theirs: &[], option: "", agreed: "TLS_ECDHE_ECDSA_WITH_AES_", roles: BOTH },
    Case { name: "aes256", key: P256, ours: &[], theirs: &["-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], option: "", agreed: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", roles: BOTH },
    Case { name: "chacha20", key: P256, ours: &[], theirs: &["-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], option: "", agreed: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", roles: BOTH },
    Case { name: "p256_group", key: P256, ours: &[], theirs: &["-groups", "P-256"], option: "", agreed: "secp256r1", roles: BOTH },
    Case { name: "p384_group", key: P384, ours: &["--group", "secp384r1", "--key", "p-384"], theirs: &[], option: "", agreed: "secp384r1", roles: BOTH },
    Case { name: "mtu_256", key: RSA, ours: &["--key", "rsa", "--room", "228"], theirs: &["-mtu", "256"], option: "", agreed: "TLS_ECDHE_RSA_WITH_AES_", roles: BOTH },
    Case { name: "no_extended_master_secret", key: P256, ours: &[], theirs: &[], option: "Options = -ExtendedMasterSecret", agreed: "TLS_ECDHE_ECDSA_WITH_AES_", roles: BOTH },
    Case { name: "no_renegotiation", key: P256, ours: &[], theirs: &["-no_renegotiation"], option: "", agreed: "TLS_ECDHE_ECDSA_WITH_AES_", roles: BOTH },
];
