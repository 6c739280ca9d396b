//! `oxirtc record`: what a WHEP server plays, or what is published here, into files.

mod output;

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use hyper::Uri;
use oxirtc_peerconnection::{
    Configuration, MediaKind, MediaStreamTrack, PeerConnection, PeerConnectionState,
    RtpTransceiverDirection, RtpTransceiverInit, SessionDescription,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    departure::Departure,
    http::{Session, url},
    outcome::{Outcome, say},
    progress::Progress,
    serve::{self, Listen, Stage},
};
use output::Output;

/// What `oxirtc record` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How the files begin: OUT becomes OUT.ivf (VP8, VP9, AV1), OUT.h264, OUT.h265 and OUT.ogg (Opus)
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// The WHEP server that is recorded; without it, what somebody publishes here
    #[arg(long, value_name = "URL", value_parser = url)]
    whep: Option<Uri>,
    /// The bearer token of the server, or the one that others need here
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Certificates (PEM) that the server's has to be signed by, instead of those that the web trusts
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// Ends after so many seconds; without it, with the peer or with Ctrl-C
    #[arg(long, value_name = "COUNT", value_parser = seconds)]
    seconds: Option<f64>,
    /// Where somebody can publish, without --whep
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: Listen,
}

/// What all tracks of a recording share.
struct Recording<'r> {
    out: &'r Path,
    progress: Progress,
    frames: AtomicU64,
    bytes: AtomicU64,
    /// When its first frame was captured.
    begin: Mutex<Option<Instant>>,
    /// Becomes true when it is to end.
    ending: watch::Sender<bool>,
}

/// Records until the peer ends, the time is over, or Ctrl-C: each is a success.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    match &arguments.whep {
        Some(url) => play(&arguments, url).await,
        None => {
            let stage = Stage::new();
            say(format_args!(
                "to publish: oxirtc play FILE --whip http://…/whip/{ROOM}"
            ));
            let serving = serve::Arguments::new(arguments.listen.clone(), arguments.token.clone());
            let recording = async {
                let tracks = stage.opened(ROOM).await;
                record(&arguments, &tracks).await
            };
            tokio::select! {
                biased;
                done = recording => done.map(|()| Outcome::Done),
                served = serve::serve(serving, stage.clone()) => served,
            }
        }
    }
}

/// Records what a WHEP server plays.
async fn play(arguments: &Arguments, url: &Uri) -> anyhow::Result<Outcome> {
    let peer = PeerConnection::new(Configuration::default())?;
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let init = RtpTransceiverInit {
            direction: RtpTransceiverDirection::RecvOnly,
            ..RtpTransceiverInit::default()
        };
        peer.add_transceiver(kind, init)?;
    }
    peer.set_local_description(None).await?;
    let offer = peer.gathered().await?;
    let (token, roots) = (arguments.token.as_deref(), arguments.roots.as_deref());
    let mut session = Session::open(url, token, roots, offer.sdp).await?;
    let answer = std::mem::take(&mut session.answer);
    let done = watch_server(arguments, &peer, answer).await;
    // A server that has ended knows that.
    let closed = session.close().await;
    peer.close();
    done?;
    if let Err(error) = closed {
        log::info!("{error:#}");
    }
    Ok(Outcome::Done)
}

async fn watch_server(
    arguments: &Arguments,
    peer: &PeerConnection,
    answer: String,
) -> anyhow::Result<()> {
    let answer = SessionDescription::answer(answer);
    let set = peer.set_remote_description(answer).await;
    set.context("the server's answer cannot be used")?;
    let playing = peer
        .transceivers()
        .into_iter()
        .filter(|it| it.current_direction() == Some(RtpTransceiverDirection::RecvOnly));
    let tracks: Vec<_> = playing.map(|it| it.receiver().track().clone()).collect();
    ensure!(!tracks.is_empty(), "the server plays nothing");
    let connected = timeout(PATIENCE, peer.wait_for(PeerConnectionState::Connected)).await;
    connected.with_context(|| format!("the server did not connect in {PATIENCE:?}"))??;
    let over = async {
        match Departure::of(peer).await {
            Departure::Lost => bail!("the server is out of reach"),
            Departure::Left | Departure::Closed => Ok(()),
        }
    };
    tokio::pin!(over);
    let recording = record(arguments, &tracks);
    tokio::pin!(recording);
    tokio::select! {
        done = &mut recording => done,
        over = &mut over => {
            // The files are whole whatever has ended it.
            peer.close();
            recording.await?;
            over
        }
    }
}

/// Records tracks until they end, the time is over, or Ctrl-C.
async fn record(arguments: &Arguments, tracks: &[MediaStreamTrack]) -> anyhow::Result<()> {
    let recording = Recording {
        out: &arguments.out,
        progress: Progress::new("record"),
        frames: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        begin: Mutex::new(None),
        ending: watch::Sender::new(false),
    };
    let done = recording.all(tracks, arguments.seconds).await?;
    // The line of progress goes before the lines about the files.
    drop(recording);
    let mut lines = 0;
    for line in done {
        if let Some(line) = line? {
            say(line);
            lines += 1;
        }
    }
    ensure!(lines > 0, "nothing has come");
    Ok(())
}

impl Recording<'_> {
    /// Records all tracks until they end, the time is over, or Ctrl-C: what came of each.
    async fn all(
        &self,
        tracks: &[MediaStreamTrack],
        seconds: Option<f64>,
    ) -> anyhow::Result<Vec<anyhow::Result<Option<String>>>> {
        let all = futures_util::future::join_all(tracks.iter().map(|it| self.track(it)));
        tokio::pin!(all);
        let limit = async {
            match seconds {
                Some(seconds) => sleep(Duration::from_secs_f64(seconds)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            done = &mut all => return Ok(done),
            () = limit => {}
            heard = tokio::signal::ctrl_c() => heard.context("Ctrl-C cannot be heard")?,
        }
        self.ending.send_replace(true);
        Ok(all.await)
    }

    /// Records one track: a line about its file, if there is one.
    async fn track(&self, track: &MediaStreamTrack) -> anyhow::Result<Option<String>> {
        let mut frames = track.frames()?;
        let mut ending = self.ending.subscribe();
        let mut output = None;
        loop {
            let frame = tokio::select! {
                biased;
                frame = frames.next() => frame,
                _ = ending.wait_for(|ending| *ending) => None,
            };
            let Some(frame) = frame else { break };
            let file = match &mut output {
                Some(file) => file,
                None if !frame.is_key() => continue,
                None => {
                    let begin = self.since(frame.captured);
                    output.insert(Output::create(self.out, &frame, begin)?)
                }
            };
            if let Err(error) = file.write(&frame) {
                return self.cut(output, error);
            }
            let frames = self.frames.fetch_add(1, Ordering::Relaxed) + 1;
            let len = frame.payload.len() as u64;
            let bytes = self.bytes.fetch_add(len, Ordering::Relaxed) + len;
            self.progress.show(frames, bytes);
        }
        output.map(Output::finish).transpose()
    }

    /// What was written until then is a whole file.
    fn cut(&self, output: Option<Output>, error: anyhow::Error) -> anyhow::Result<Option<String>> {
        self.ending.send_replace(true);
        if let Some(output) = output {
            say(output.finish()?);
        }
        Err(error)
    }

    /// How long after the first frame of all this one was captured.
    fn since(&self, captured: Option<Instant>) -> Duration {
        let mut begin = self.begin.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(captured) = captured else {
            return Duration::ZERO;
        };
        captured.saturating_duration_since(*begin.get_or_insert(captured))
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if seconds > 0.0 && seconds <= 1e6 {
        Ok(seconds)
    } else {
        Err("more than 0, and no more than a million".to_owned())
    }
}

const ROOM: &str = "record";
const PATIENCE: Duration = Duration::from_secs(30);
