//! `oxirtc play`: files, to a WHIP server or to whoever comes to watch.

mod file;

use std::{cell::RefCell, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail, ensure};
use hyper::Uri;
use oxirtc_peerconnection::{
    Configuration, MediaKind, PeerConnection, PeerConnectionState, RtpSender, RtpTransceiver,
    RtpTransceiverDirection, RtpTransceiverInit, SessionDescription, media::Codec,
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    departure::Departure,
    http::{Session, url},
    outcome::{Outcome, say},
    progress::Progress,
    serve::{self, Listen, Stage},
};
use file::{Played, Playing};

/// What `oxirtc play` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// IVF (VP8, VP9, AV1), a byte stream of H.264 or H.265, Ogg Opus: one of pictures, one of sound, or both
    #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The WHIP server that it is published to; without it, who wants to watch is served from here
    #[arg(long, value_name = "URL", value_parser = url)]
    whip: Option<Uri>,
    /// The bearer token of the server, or the one that others need here
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Certificates (PEM) that the server's has to be signed by, instead of those that the web trusts
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// Pictures a second, of files that have no times
    #[arg(long, value_name = "COUNT", default_value_t = 30.0, value_parser = rate)]
    rate: f64,
    /// Plays again and again, until Ctrl-C
    #[arg(long)]
    repeat: bool,
    /// Where who wants to watch is served, without --whip
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: Listen,
}

/// Plays to the end, or until Ctrl-C.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let interval = Duration::from_secs_f64(1.0 / arguments.rate);
    let files = arguments.files.iter().map(|it| Playing::open(it, interval));
    let files: Vec<Playing> = files.collect::<Result<_, _>>()?;
    let of = |kind| files.iter().filter(|it| it.codec.kind() == kind).count();
    ensure!(
        of(MediaKind::Audio) < 2 && of(MediaKind::Video) < 2,
        "of two files one has pictures and one has sound"
    );
    match &arguments.whip {
        Some(url) => publish(&arguments, url, &files).await,
        None => {
            let stage = Stage::new();
            let place = stage.enter(ROOM).context("the room is taken")?;
            place.publish(files.iter().map(|it| it.track.clone()).collect());
            say(format_args!(
                "to watch: oxirtc record OUT --whep http://…/whep/{ROOM}"
            ));
            let serving = serve::Arguments::new(arguments.listen.clone(), arguments.token.clone());
            tokio::select! {
                served = serve::serve(serving, stage) => served,
                played = play(&files, true) => played.map(|()| Outcome::Done),
            }
        }
    }
}

/// Publishes to a WHIP server.
async fn publish(arguments: &Arguments, url: &Uri, files: &[Playing]) -> anyhow::Result<Outcome> {
    let peer = PeerConnection::new(Configuration::default())?;
    let mut senders = Vec::new();
    for file in files {
        let init = RtpTransceiverInit {
            direction: RtpTransceiverDirection::SendOnly,
            ..RtpTransceiverInit::default()
        };
        let transceiver = peer.add_transceiver(&file.track, init)?;
        prefer(&transceiver, file.codec)?;
        senders.push((transceiver.sender(), file.codec));
    }
    peer.set_local_description(None).await?;
    let offer = peer.gathered().await?;
    let (token, roots) = (arguments.token.as_deref(), arguments.roots.as_deref());
    let mut session = Session::open(url, token, roots, offer.sdp).await?;
    let answer = std::mem::take(&mut session.answer);
    let done = tokio::select! {
        done = send(&peer, answer, &senders, files, arguments.repeat) => done.map(|()| Outcome::Done),
        heard = tokio::signal::ctrl_c() => heard
            .context("Ctrl-C cannot be heard")
            .map(|()| Outcome::Interrupted),
    };
    let closed = session.close().await;
    peer.close();
    let outcome = done?;
    closed?;
    Ok(outcome)
}

async fn send(
    peer: &PeerConnection,
    answer: String,
    senders: &[(RtpSender, Codec)],
    files: &[Playing],
    repeat: bool,
) -> anyhow::Result<()> {
    let answer = SessionDescription::answer(answer);
    let set = peer.set_remote_description(answer).await;
    set.context("the server's answer cannot be used")?;
    for (sender, codec) in senders {
        ensure!(
            sender.codecs().contains(codec),
            "the server takes no {}",
            codec.name()
        );
    }
    let connected = peer.wait_for(PeerConnectionState::Connected);
    let connected = timeout(PATIENCE, connected).await;
    connected.with_context(|| format!("the server did not connect in {PATIENCE:?}"))??;
    tokio::select! {
        played = play(files, repeat) => played?,
        over = Departure::of(peer) => match over {
            Departure::Lost => bail!("the server is out of reach"),
            Departure::Left | Departure::Closed => bail!("the server has left"),
        },
    }
    // What was written last is still under way.
    sleep(FAREWELL).await;
    Ok(())
}

/// Plays all files beside each other.
async fn play(files: &[Playing], repeat: bool) -> anyhow::Result<()> {
    let progress = Progress::new("play");
    let mut start = Instant::now();
    loop {
        let totals = RefCell::new(vec![Played::default(); files.len()]);
        let playing = files.iter().enumerate().map(|(at, file)| {
            let (totals, progress) = (&totals, &progress);
            file.play(start, move |played| {
                let mut totals = totals.borrow_mut();
                if let Some(total) = totals.get_mut(at) {
                    *total = played;
                }
                let frames = totals.iter().map(|it| it.frames).sum();
                progress.show(frames, totals.iter().map(|it| it.bytes).sum());
            })
        });
        let lengths = futures_util::future::try_join_all(playing).await?;
        if !repeat {
            return Ok(());
        }
        // The next round begins when the longest is over.
        start += lengths.into_iter().max().unwrap_or_default();
    }
}

/// Nothing else is offered than what is in the file, and what repairs it.
fn prefer(transceiver: &RtpTransceiver, codec: Codec) -> anyhow::Result<()> {
    let all = RtpSender::capabilities(codec.kind()).codecs;
    let wanted = all.into_iter().filter(|it| {
        let name = it.mime_type.split('/').nth(1).unwrap_or_default();
        name.eq_ignore_ascii_case(codec.name()) || name.eq_ignore_ascii_case("rtx")
    });
    let wanted: Vec<_> = wanted.collect();
    let set = transceiver.set_codec_preferences(&wanted);
    set.with_context(|| format!("{} is not sent", codec.name()))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (0.1..=1000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("between 0.1 and 1000".to_owned())
    }
}

const ROOM: &str = "play";
const PATIENCE: Duration = Duration::from_secs(30);
const FAREWELL: Duration = Duration::from_millis(500);
