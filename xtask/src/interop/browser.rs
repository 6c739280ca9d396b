//! A browser driven by WebDriver: one session for a suite, one tab for a test.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use fantoccini::wd::{TimeoutConfiguration, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::setup;

/// The browsers of the suites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Chromium by chromedriver
    Chromium,
    /// Firefox by geckodriver
    Firefox,
}

/// Which settings a session starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preferences {
    /// Real addresses in candidates, as after a permission for the microphone.
    Open,
    /// As `Open`, and DTLS 1.2 at most, which Firefox alone has a preference for.
    Dtls12,
    /// As `Open`, and with what Chromium alone tries: I-DATA, and INIT chunks in descriptions.
    Trials,
    /// What a visitor has who never changed a setting: `.local` names only.
    Default,
}

impl Preferences {
    pub(crate) const ALL: [Self; 4] = [Self::Open, Self::Dtls12, Self::Trials, Self::Default];

    /// Whether that browser has such settings.
    pub(crate) fn are_of(self, kind: Kind) -> bool {
        match self {
            Self::Dtls12 => kind == Kind::Firefox,
            Self::Trials => kind == Kind::Chromium,
            Self::Open | Self::Default => true,
        }
    }
}

/// A session, and the driver it runs in.
#[derive(Debug)]
pub(crate) struct Browser {
    client: Client,
    driver: Child,
}

impl Browser {
    /// Starts driver and browser, at most three times.
    pub(crate) async fn start(kind: Kind, preferences: Preferences) -> anyhow::Result<Self> {
        let mut last = anyhow!("not tried");
        for attempt in 1..=STARTS {
            match Self::try_start(kind, preferences).await {
                Ok(browser) => return Ok(browser),
                Err(error) => {
                    println!("     {kind:?} did not start ({attempt} of {STARTS}): {error:#}");
                    last = error;
                }
            }
        }
        Err(last.context(format!("{kind:?} did not start in {STARTS} attempts")))
    }

    async fn try_start(kind: Kind, preferences: Preferences) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut driver = start_driver(kind, port).await?;
        let capabilities = capabilities(kind, preferences);
        let capabilities = capabilities.as_object().cloned().unwrap_or_default();
        let connecting = async {
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities)
                .connect(&format!("http://127.0.0.1:{port}"))
                .await
        };
        let connected = timeout(START, connecting)
            .await
            .context("no session in time");
        let client = match connected.and_then(|client| client.context("no session")) {
            Ok(client) => client,
            Err(error) => {
                driver.kill().await.context("the driver does not end")?;
                return Err(error);
            }
        };
        let browser = Self { client, driver };
        let waits = TimeoutConfiguration::new(Some(SCRIPT), Some(LOAD), Some(Duration::ZERO));
        browser.client.update_timeouts(waits).await?;
        browser.resize(WINDOW).await?;
        Ok(browser)
    }

    /// Width and height of the window.
    pub(crate) async fn resize(&self, (width, height): (u32, u32)) -> anyhow::Result<()> {
        Ok(self.client.set_window_size(width, height).await?)
    }

    /// Opens a tab at that address and closes the one before it.
    pub(crate) async fn open(&self, url: &str) -> anyhow::Result<Tab> {
        let before = self.client.window().await?;
        let tab = self.open_beside(url).await?;
        self.client.switch_to_window(before).await?;
        self.client.close_window().await?;
        self.client.switch_to_window(tab.window.clone()).await?;
        Ok(tab)
    }

    /// Opens a tab at that address; the others stay.
    pub(crate) async fn open_beside(&self, url: &str) -> anyhow::Result<Tab> {
        let window = self.client.new_window(true).await?.handle;
        let tab = Tab {
            client: self.client.clone(),
            window,
        };
        tab.client.switch_to_window(tab.window.clone()).await?;
        tab.client.goto(url).await?;
        Ok(tab)
    }

    /// What the browser says it is.
    pub(crate) fn version(&self) -> String {
        let text = |name| {
            let value = self.client.capabilities().and_then(|all| all.get(name));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        format!("{} {}", text("browserName"), text("browserVersion"))
    }

    /// Ends session, browser and driver.
    pub(crate) async fn quit(mut self) -> anyhow::Result<()> {
        let ended = timeout(START, self.client.close()).await;
        self.driver
            .kill()
            .await
            .context("the driver does not end")?;
        ended
            .context("the browser did not quit in time")?
            .context("the browser did not quit")
    }
}

/// A tab of a session, the current one.
#[derive(Debug, Clone)]
pub(crate) struct Tab {
    client: Client,
    window: WindowHandle,
}

impl Tab {
    /// Runs the body of an async function, which sees its arguments as `A`, and gives what it returns.
    pub(crate) async fn run(&self, body: &str, arguments: &[Value]) -> anyhow::Result<Value> {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             (async (A) => {{ {body} }})(Array.from(arguments).slice(0, -1))
               .then((value) => done({{ value: value === undefined ? null : value }}),
                     (error) => done({{ error: `${{error}} ${{error && error.stack}}` }}));"
        );
        let mut answer = self
            .client
            .execute_async(&script, arguments.to_vec())
            .await?;
        if let Some(error) = answer.get("error") {
            bail!(
                "in the browser: {}",
                error.as_str().unwrap_or_default().trim()
            );
        }
        Ok(answer["value"].take())
    }

    /// Closes it; another tab must be there, which becomes the current one.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.client.close_window().await?;
        let windows = self.client.windows().await?;
        let next = windows.into_iter().next().context("no other tab")?;
        Ok(self.client.switch_to_window(next).await?)
    }

    pub(crate) async fn click(&self, css: &str) -> anyhow::Result<()> {
        Ok(self.client.find(Locator::Css(css)).await?.click().await?)
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) -> anyhow::Result<()> {
        Ok(self
            .client
            .find(Locator::Css(css))
            .await?
            .send_keys(text)
            .await?)
    }

    /// A PNG of what the window shows.
    pub(crate) async fn screenshot(&self) -> anyhow::Result<Vec<u8>> {
        Ok(self.client.screenshot().await?)
    }
}

async fn start_driver(kind: Kind, port: u16) -> anyhow::Result<Child> {
    let (name, arguments) = match kind {
        Kind::Chromium => ("chromedriver", vec![format!("--port={port}")]),
        Kind::Firefox => {
            let port = port.to_string();
            (
                "geckodriver",
                [
                    "--host",
                    "127.0.0.1",
                    "--port",
                    &port,
                    "--websocket-port",
                    "0",
                ]
                .map(str::to_owned)
                .to_vec(),
            )
        }
    };
    let program =
        setup::find(name).with_context(|| format!("{name} is missing: run `cargo xtask setup`"))?;
    let mut driver = Command::new(program)
        .args(arguments)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{name} did not start"))?;
    let output = driver.stdout.take().context("the driver has no output")?;
    let mut lines = BufReader::new(output).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await? {
            if line.contains("started successfully") || line.contains("Listening on") {
                return Ok(());
            }
        }
        bail!("{name} ended at once")
    };
    timeout(START, ready)
        .await
        .with_context(|| format!("{name} was not ready in time"))??;
    // A driver whose output nobody reads stops when the pipe is full.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(driver)
}

fn capabilities(kind: Kind, preferences: Preferences) -> Value {
    let open = preferences != Preferences::Default;
    match kind {
        Kind::Chromium => {
            let mut arguments = vec![
                "--headless=new",
                "--no-sandbox", // it refuses to run as root with it
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
            ];
            if open {
                arguments.extend([
                    "--use-fake-device-for-media-stream",
                    "--use-fake-ui-for-media-stream",
                    // What is analysed has to be played.
                    "--autoplay-policy=no-user-gesture-required",
                ]);
            }
            if preferences == Preferences::Trials {
                arguments.push(TRIALS);
            }
            json!({ "acceptInsecureCerts": true, "goog:chromeOptions": { "binary": chromium(), "args": arguments } })
        }
        Kind::Firefox => {
            let mut settings = if open {
                json!({
                    "media.navigator.permission.disabled": true,
                    "media.navigator.streams.fake": true,
                    "media.autoplay.default": 0,
                    "media.autoplay.blocking_policy": 0,
                    "media.peerconnection.ice.obfuscate_host_addresses": false,
                })
            } else {
                json!({})
            };
            if preferences == Preferences::Dtls12 {
                // The numbers are TLS' own: 0x0303.
                settings["media.peerconnection.dtls.version.max"] = json!(771);
            }
            json!({ "acceptInsecureCerts": true, "moz:firefoxOptions": { "binary": "/usr/bin/firefox-esr", "args": ["-headless"], "prefs": settings } })
        }
    }
}

/// The program itself, without Debian's wrapper, where it is.
fn chromium() -> &'static str {
    let plain = "/usr/lib/chromium/chromium";
    if std::path::Path::new(plain).is_file() {
        plain
    } else {
        "/usr/bin/chromium"
    }
}

fn free_port() -> anyhow::Result<u16> {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").context("no loopback address")?;
    let port = socket.local_addr()?.port();
    ensure!(port != 0, "no free port");
    Ok(port)
}

/// The window of most tests.
pub(crate) const WINDOW: (u32, u32) = (1280, 1150);
const TRIALS: &str =
    "--force-fieldtrials=WebRTC-DataChannelMessageInterleaving/Enabled/WebRTC-Sctp-Snap/Enabled/";
const STARTS: u32 = 3;
const START: Duration = Duration::from_secs(30);
const LOAD: Duration = Duration::from_secs(20);
const SCRIPT: Duration = Duration::from_secs(120);
