//! Files published to the program and recorded from it, and what its endpoints for that refuse.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot read its program's output has failed, and programs take their time"
)]

mod serving;

use std::{
    fs::File,
    io::{BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread::sleep,
    time::{Duration, Instant},
};

use oxirtc_container::{Codec, PATTERN, Reader, TONE};
use oxirtc_peerconnection::{
    Configuration, Event, MediaKind, MediaStreamTrack, PeerConnection, PeerConnectionState,
    RtpEncodingParameters, RtpTransceiverDirection, RtpTransceiverInit, SessionDescription,
    media::{self, EncodedFrame, FrameWriter, PacketReader},
};
use serving::{Serving, interrupt, oxirtc};
use tokio::time::timeout;

const VP9: &[u8] = include_bytes!("../../container/tests/data/vp9.ivf");
const AV1: &[u8] = include_bytes!("../../container/tests/data/av1.ivf");
const H264: &[u8] = include_bytes!("../../container/tests/data/h264.h264");
const H265: &[u8] = include_bytes!("../../container/tests/data/h265.h265");
/// Streams of a camera, the first of them what is played to who does not choose.
const RIDS: [&str; 2] = ["q", "h"];

/// A folder of one test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("oxirtc-publish-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The answer to a request.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Serving {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    fn post(&self, path: &str, offer: &str) -> Answer {
        self.request("POST", path, &[("Content-Type", "application/sdp")], offer)
    }

    fn patch(&self, path: &str, tag: Option<&str>, fragment: &str) -> Answer {
        let mut headers = vec![("Content-Type", "application/trickle-ice-sdpfrag")];
        headers.extend(tag.map(|tag| ("If-Match", tag)));
        self.request("PATCH", path, &headers, fragment)
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|it| it.split_once(": "));
        lines
            .find(|it| it.0.eq_ignore_ascii_case(name))
            .map(|it| it.1)
    }
}

fn output(arguments: &[&str]) -> (Output, String) {
    let output = oxirtc(arguments).wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (output, said)
}

/// An offer with sound that is sent, or taken.
async fn offer(direction: RtpTransceiverDirection) -> (PeerConnection, String) {
    let peer = PeerConnection::new(Configuration::default()).unwrap();
    let init = RtpTransceiverInit {
        direction,
        ..RtpTransceiverInit::default()
    };
    peer.add_transceiver(MediaKind::Audio, init).unwrap();
    peer.set_local_description(None).await.unwrap();
    let sdp = peer.gathered().await.unwrap().sdp;
    (peer, sdp)
}

/// Whether a packet comes, before the track ends.
async fn first(mut packets: PacketReader) -> bool {
    packets.next().await.is_some()
}

fn read(path: &Path) -> (Codec, usize) {
    let mut reader = Reader::open(BufReader::new(File::open(path).unwrap())).unwrap();
    let frames = std::iter::from_fn(|| reader.read().unwrap()).count();
    (reader.codec(), frames)
}

/// Decodes all of a file: what is in it, and how many frames.
fn probe(path: &Path) -> String {
    let arguments =
        "-v error -count_frames -of csv=p=0 -show_entries stream=codec_name,nb_read_frames";
    let probed = Command::new("ffprobe")
        .args(arguments.split(' '))
        .arg(path)
        .output()
        .expect("ffprobe decodes it: cargo xtask setup installs it");
    let said = String::from_utf8_lossy(&probed.stderr);
    assert!(probed.status.success() && said.is_empty(), "{said}");
    let found = String::from_utf8(probed.stdout).unwrap();
    found.trim().trim_end_matches(',').to_owned()
}

/// A file that one program publishes is recorded by another one, through the server.
#[test]
fn a_published_file_is_recorded() {
    let folder = Folder::new("recorded");
    let serving = Serving::start(&["--token", "secret"]);
    let (video, audio) = (folder.with("a.ivf", PATTERN), folder.with("a.ogg", TONE));
    let whip = serving.url("/whip/room");
    let publish = ["play", &video, &audio, "--repeat", "--token", "secret"];
    let mut playing = oxirtc(&[&publish[..], &["--whip", &whip]].concat());
    let out = folder.0.join("out");
    let whep = serving.url("/whep/room");
    let record = ["record", out.to_str().unwrap(), "--seconds", "6"];
    let record = [&record[..], &["--whep", &whep, "--token", "secret"]].concat();
    // Nobody publishes at first.
    let said = once_published(&record);
    assert!(
        said.contains("frames of VP8") && said.contains("frames of opus"),
        "{said}"
    );
    let (video, audio) = (out.with_extension("ivf"), out.with_extension("ogg"));
    let (pictures, sound) = (read(&video), read(&audio));
    assert!(pictures.0 == Codec::Vp8 && pictures.1 >= 15, "{pictures:?}");
    assert!(sound.0 == Codec::Opus && sound.1 >= 50, "{sound:?}");
    assert_eq!(probe(&video), format!("vp8,{}", pictures.1));
    assert_eq!(probe(&audio), format!("opus,{}", sound.1));
    // Who publishes ends it, and the room is free.
    interrupt(&playing);
    assert_eq!(playing.wait().unwrap().code(), Some(130));
    let headers = [
        ("Content-Type", "application/sdp"),
        ("Authorization", "Bearer secret"),
    ];
    let gone = serving.request("POST", "/whep/room", &headers, "v=0\r\n");
    assert_eq!(gone.status, 404);
}

/// A server that ends says goodbye, to whom it is connected with.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_publishes_hears_of_the_end_of_the_server() {
    let folder = Folder::new("ended");
    let mut serving = Serving::start(&[]);
    let audio = folder.with("a.ogg", TONE);
    let whip = serving.url("/whip/room");
    let playing = oxirtc(&["play", &audio, "--repeat", "--whip", &whip]);
    let end = Instant::now() + Duration::from_secs(60);
    let (viewer, sdp) = offer(RtpTransceiverDirection::RecvOnly).await;
    let made = loop {
        let made = serving.post("/whep/room", &sdp);
        if made.status == 201 {
            break made;
        }
        assert!(Instant::now() < end, "nothing was published");
        sleep(Duration::from_millis(50));
    };
    let answer = SessionDescription::answer(made.body);
    viewer.set_remote_description(answer).await.unwrap();
    // What is heard comes from who publishes, who is connected then.
    let heard = viewer.transceivers()[0].receiver().track().packets();
    assert!(first(heard).await);
    let begun = Instant::now();
    interrupt(&serving.program);
    assert!(serving.program.wait().unwrap().success());
    let played = playing.wait_with_output().unwrap();
    let said = String::from_utf8(played.stderr).unwrap();
    assert_eq!(played.status.code(), Some(1), "{said}");
    assert!(said.contains("has left"), "{said}");
    // Who hears nothing waits for consent to end, which takes half a minute.
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

/// Who leaves with a goodbye and no DELETE leaves the room as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_goodbye_of_who_publishes_frees_the_room() {
    let serving = Serving::start(&[]);
    let (peer, sdp) = offer(RtpTransceiverDirection::SendOnly).await;
    let made = serving.post("/whip/a", &sdp);
    assert_eq!(made.status, 201, "{}", made.body);
    let answer = SessionDescription::answer(made.body);
    peer.set_remote_description(answer).await.unwrap();
    peer.wait_for(PeerConnectionState::Connected).await.unwrap();
    assert_eq!(serving.post("/whip/a", &sdp).status, 409);
    peer.shutdown().await;
    let begun = Instant::now();
    while serving.post("/whip/a", &sdp).status != 201 {
        // Silence alone is noticed after half a minute.
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the room stays taken"
        );
        sleep(Duration::from_millis(50));
    }
}

/// Without a server of its own, who plays serves who records.
#[test]
fn who_plays_can_be_recorded_from() {
    let folder = Folder::new("direct");
    let audio = folder.with("a.ogg", TONE);
    let playing = Serving::of(oxirtc(&["play", &audio, "--listen", "127.0.0.1:0"]));
    let out = folder.0.join("out");
    let whep = playing.url("/whep/play");
    let (recorded, said) = output(&[
        "record",
        out.to_str().unwrap(),
        "--seconds",
        "2",
        "--whep",
        &whep,
    ]);
    assert!(recorded.status.success(), "{said}");
    let (codec, packets) = read(&out.with_extension("ogg"));
    assert!(codec == Codec::Opus && packets >= 20, "{packets}");
}

/// Who records can be published to.
#[test]
fn who_records_can_be_published_to() {
    let folder = Folder::new("taken");
    let out = folder.0.join("out");
    let arguments = ["record", out.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let mut recording = Serving::of(oxirtc(&arguments));
    let video = folder.with("a.ivf", PATTERN);
    let whip = recording.url("/whip/record");
    let (played, said) = output(&["play", &video, "--whip", &whip]);
    assert!(played.status.success(), "{said}");
    // The recording ends with what was published.
    assert!(recording.program.wait().unwrap().success());
    let (codec, frames) = read(&out.with_extension("ivf"));
    assert!(codec == Codec::Vp8 && frames >= 40, "{frames}");
    assert_eq!(probe(&out.with_extension("ivf")), format!("vp8,{frames}"));
}

/// What the other codecs of pictures are played and recorded as, each in a room of its own.
#[test]
fn every_codec_of_pictures_is_played_and_recorded() {
    let folder = Folder::new("codecs");
    let serving = Serving::start(&[]);
    let (folder, serving) = (&folder, &serving);
    std::thread::scope(|scope| {
        for (name, file, end, codec) in [
            ("vp9", VP9, "ivf", Codec::Vp9),
            ("av1", AV1, "ivf", Codec::Av1),
            ("h264", H264, "h264", Codec::H264),
            ("hevc", H265, "h265", Codec::H265),
        ] {
            scope.spawn(move || {
                let path = folder.with(&format!("{name}.{end}"), file);
                let whip = serving.url(&format!("/whip/{name}"));
                let whep = serving.url(&format!("/whep/{name}"));
                let playing = oxirtc(&["play", &path, "--repeat", "--whip", &whip]);
                let out = folder.0.join(format!("{name}-out"));
                let record = ["record", out.to_str().unwrap(), "--seconds", "4"];
                let said = once_published(&[&record[..], &["--whep", &whep]].concat());
                interrupt(&playing);
                let (found, frames) = read(&out.with_extension(end));
                assert!(found == codec && frames >= 10, "{name}: {frames}, {said}");
                let recorded = probe(&out.with_extension(end));
                assert_eq!(recorded, format!("{name},{frames}"));
                assert!(playing.wait_with_output().unwrap().status.code() == Some(130));
            });
        }
    });
}

/// Runs a command until it finds what is to be published: what it says.
fn once_published(arguments: &[&str]) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let (done, said) = output(arguments);
        if done.status.success() {
            return String::from_utf8(done.stdout).unwrap();
        }
        assert!(said.contains("404"), "{said}");
        assert!(Instant::now() < end, "nothing was published");
        sleep(Duration::from_millis(200));
    }
}

/// On a terminal one line says how far it is, anew and anew.
#[test]
fn a_line_says_how_far_it_is() {
    let folder = Folder::new("progress");
    let serving = Serving::start(&[]);
    let audio = folder.with("a.ogg", TONE);
    let command = format!(
        "{} play {audio} --whip {}",
        env!("CARGO_BIN_EXE_oxirtc"),
        serving.url("/whip/a")
    );
    // A terminal of its own.
    let shown = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .output()
        .expect("script is a part of Debian's bsdutils");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let frames = shown
        .split(" frames, ")
        .filter_map(|it| it.rsplit(' ').next());
    let frames: Vec<u64> = frames.filter_map(|it| it.parse().ok()).collect();
    assert!(frames.len() > 4 && frames.is_sorted(), "{shown:?}");
    assert!(frames.last() >= Some(&100), "{shown:?}");
    assert!(
        shown.contains(" kbit/s") && !shown.contains('\n'),
        "{shown:?}"
    );
}

/// RFC 9725 §4.2, §4.3: what makes, changes and ends a session.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_session_is_made_changed_and_ended() {
    let serving = Serving::start(&["--server", "stun:stun.example.org"]);
    let (_peer, sdp) = offer(RtpTransceiverDirection::SendOnly).await;
    let options = serving.request("OPTIONS", "/whip/a", &[], "");
    assert_eq!(options.header("accept-post"), Some("application/sdp"));
    let made = serving.post("/whip/a", &sdp);
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(made.body.starts_with("v=0") && made.body.contains("a=recvonly"));
    assert_eq!(made.header("content-type"), Some("application/sdp"));
    assert_eq!(
        made.header("link"),
        Some("<stun:stun.example.org>; rel=\"ice-server\"")
    );
    let session = made.header("location").unwrap();
    let tag = made.header("etag").unwrap();
    // One publishes in a room.
    assert_eq!(serving.post("/whip/a", &sdp).status, 409);
    let candidate = "a=mid:0\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n";
    assert_eq!(serving.patch(session, None, candidate).status, 428);
    assert_eq!(serving.patch(session, Some("\"x\""), candidate).status, 412);
    assert_eq!(serving.patch(session, Some(tag), "no fragment").status, 400);
    let taken = serving.patch(session, Some(tag), candidate);
    assert_eq!(taken.status, 204, "{}", taken.body);
    let other = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
    assert_eq!(serving.patch(session, Some(tag), other).status, 412);
    let restarted = serving.patch(session, Some("*"), other);
    assert_eq!(restarted.status, 200, "{}", restarted.body);
    let new = restarted.header("etag").unwrap();
    assert_ne!(new, tag);
    assert!(restarted.body.contains("a=ice-ufrag:") && !made.body.contains(&restarted.body));
    assert_eq!(serving.patch(session, Some(tag), candidate).status, 412);
    assert_eq!(serving.patch(session, Some(new), candidate).status, 204);
    // A restart with a candidate that cannot be used is none: the generation that was goes on.
    let another = "a=ice-ufrag:efgh\r\na=ice-pwd:0123456789012345678901\r\n";
    let spoilt = format!("{another}a=mid:0\r\na=candidate:1 1 udp nonsense\r\n");
    let refused = serving.patch(session, Some("*"), &spoilt);
    assert_eq!((refused.status, refused.body.lines().count()), (400, 1));
    let same = format!("{other}{candidate}");
    assert_eq!(serving.patch(session, Some(new), &same).status, 204);
    let good = serving.patch(session, Some("*"), &format!("{another}{candidate}"));
    assert_eq!(good.status, 200, "{}", good.body);
    assert_eq!(serving.request("DELETE", session, &[], "").status, 200);
    assert_eq!(serving.request("DELETE", session, &[], "").status, 404);
    // The room is free as soon as its session has gone.
    let end = Instant::now() + Duration::from_secs(20);
    while serving.post("/whip/a", &sdp).status != 201 {
        assert!(Instant::now() < end, "the room stays taken");
        sleep(Duration::from_millis(50));
    }
}

/// Each refusal is a status and one line.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_cannot_be_is_refused_in_a_line() {
    let serving = Serving::start(&["--token", "secret", "--sessions", "1"]);
    let (_sender, sends) = offer(RtpTransceiverDirection::SendOnly).await;
    let (_taker, takes) = offer(RtpTransceiverDirection::RecvOnly).await;
    let kind = ("Content-Type", "application/sdp");
    let token = ("Authorization", "bearer secret");
    let post = |path: &str, headers: &[(&str, &str)], body: &str| {
        let answer = serving.request("POST", path, headers, body);
        assert!(
            answer.body.lines().count() == 1 || answer.status == 201,
            "{}",
            answer.body
        );
        answer
    };
    let refused = post("/whip/a", &[kind], &sends);
    assert_eq!(
        (refused.status, refused.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    assert_eq!(
        post(
            "/whip/a",
            &[kind, ("Authorization", "Bearer secres")],
            &sends
        )
        .status,
        401
    );
    assert_eq!(post("/whip/a", &[token], &sends).status, 415);
    assert_eq!(
        post("/whip/a", &[kind, token], "no description").status,
        400
    );
    assert_eq!(post("/whip/a", &[kind, token], &takes).status, 422);
    assert_eq!(post("/whep/a", &[kind, token], &takes).status, 404);
    let odd = post("/whip/a%0Ab", &[kind, token], &sends);
    assert!(
        odd.status == 404 && odd.body.starts_with("the name of a room"),
        "{}",
        odd.body
    );
    let long = format!("{sends}{}", "a=x\r\n".repeat(20_000));
    assert_eq!(post("/whip/a", &[kind, token], &long).status, 413);
    // Of who has no token nothing is read.
    assert_eq!(post("/whip/a", &[kind], &long).status, 401);
    assert_eq!(post("/whip/a", &[token], &long).status, 415);
    let headers = [("Content-Type", "application/trickle-ice-sdpfrag")];
    let patched = serving.request("PATCH", "/session/a", &headers, &long);
    assert_eq!(patched.status, 401);
    // What was refused has left nothing behind: the one place and the room are free.
    assert_eq!(post("/whip/a", &[kind, token], &sends).status, 201);
    let full = post("/whip/b", &[kind, token], &sends);
    assert_eq!((full.status, full.header("retry-after")), (503, Some("10")));
}

/// A method that is not for a place is refused in a line, and told which are.
#[test]
fn what_is_not_done_somewhere_is_refused_in_a_line() {
    let serving = Serving::start(&[]);
    for (method, path, allowed) in [
        ("GET", "/session/a", "PATCH"),
        ("GET", "/whip/a", "POST"),
        ("PUT", "/whep/a", "POST"),
        ("POST", "/", "GET"),
        ("DELETE", "/signal", "GET"),
    ] {
        let refused = serving.request(method, path, &[], "");
        assert_eq!(refused.status, 405, "{method} {path}");
        let line = format!("{method} is nothing that can be done here; Allow says what is\n");
        assert_eq!(refused.body, line);
        let allow = refused.header("allow").unwrap();
        assert!(allow.contains(allowed), "{method} {path}: {allow}");
    }
}

/// Who plays sees of simulcast the stream that it asks for, can trickle and restart, and ends its session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_plays_chooses_a_stream_and_changes_its_session() {
    let serving = Serving::start(&[]);
    let camera = PeerConnection::new(Configuration::default()).unwrap();
    let (track, writer) = MediaStreamTrack::from_frames(MediaKind::Video);
    writer.set_rids(RIDS);
    let init = RtpTransceiverInit {
        direction: RtpTransceiverDirection::SendOnly,
        send_encodings: RIDS.map(RtpEncodingParameters::named).to_vec(),
        ..RtpTransceiverInit::default()
    };
    camera.add_transceiver(&track, init).unwrap();
    camera.set_local_description(None).await.unwrap();
    let made = serving.post("/whip/a", &camera.gathered().await.unwrap().sdp);
    assert_eq!(made.status, 201, "{}", made.body);
    let answer = SessionDescription::answer(made.body);
    camera.set_remote_description(answer).await.unwrap();
    let filming = tokio::spawn(film(writer));
    for (query, rid) in [("?rid=h", "h"), ("?x=1&rid=q", "q"), ("", "q")] {
        let viewer = PeerConnection::new(Configuration::default()).unwrap();
        let init = RtpTransceiverInit {
            direction: RtpTransceiverDirection::RecvOnly,
            ..RtpTransceiverInit::default()
        };
        let transceiver = viewer.add_transceiver(MediaKind::Video, init).unwrap();
        viewer.set_local_description(None).await.unwrap();
        let offer = viewer.gathered().await.unwrap().sdp;
        let made = serving.post(&format!("/whep/a{query}"), &offer);
        assert_eq!(made.status, 201, "{}", made.body);
        let session = made.header("location").unwrap().to_owned();
        let tag = made.header("etag").unwrap().to_owned();
        let answer = SessionDescription::answer(made.body);
        viewer.set_remote_description(answer).await.unwrap();
        let mut frames = transceiver.receiver().track().frames().unwrap();
        for _ in 0..20 {
            let frame = timeout(Duration::from_secs(30), frames.next()).await;
            let frame = frame.expect("a frame in time").expect("a frame");
            assert_eq!(frame.payload.last(), rid.as_bytes().last(), "{query}");
        }
        let candidate = "a=mid:0\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n";
        assert_eq!(
            serving.patch(&session, Some("\"x\""), candidate).status,
            412
        );
        assert_eq!(serving.patch(&session, Some(&tag), candidate).status, 204);
        let other = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
        let restarted = serving.patch(&session, Some("*"), other);
        assert_eq!(restarted.status, 200, "{}", restarted.body);
        assert_eq!(serving.request("DELETE", &session, &[], "").status, 200);
        assert_eq!(serving.request("DELETE", &session, &[], "").status, 404);
        // The end is told to who plays.
        let over = async { while !matches!(viewer.next_event().await, Some(Event::PeerClosed)) {} };
        timeout(Duration::from_secs(20), over).await.unwrap();
    }
    filming.abort();
}

/// What a camera with two encoders gives: key frames that VP8 would have, full of the letter of their stream.
async fn film(writer: FrameWriter) {
    loop {
        for rid in RIDS {
            let mut payload = vec![rid.as_bytes()[0]; 400];
            payload[..10].copy_from_slice(&[0, 0, 0, 0x9d, 1, 0x2a, 64, 1, 180, 0]);
            let mut frame = EncodedFrame::new(media::Codec::Vp8, payload);
            frame.rid = Some(rid.to_owned());
            if writer.write(frame).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(33)).await;
    }
}

/// A page of another server has to have been given a token; without one nobody's page but our own may do anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn pages_of_other_servers_need_a_token() {
    let (_sender, sends) = offer(RtpTransceiverDirection::SendOnly).await;
    let kind = ("Content-Type", "application/sdp");
    let origin = ("Origin", "http://player.example");
    let open = Serving::start(&[]);
    let refused = open.request("POST", "/whip/a", &[kind, origin], &sends);
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("access-control-allow-origin"), None);
    let own = ("Origin", &*open.url(""));
    let made = open.request("POST", "/whip/a", &[kind, own], &sends);
    assert_eq!(made.status, 201, "{}", made.body);

    let guarded = Serving::start(&["--token", "secret"]);
    let asks = ("Access-Control-Request-Method", "POST");
    let preflight = guarded.request("OPTIONS", "/whip/a", &[origin, asks], "");
    assert_eq!(preflight.status, 204);
    let allowed = preflight.header("access-control-allow-headers").unwrap();
    assert!(allowed.contains("Authorization"), "{allowed}");
    let without = guarded.request("POST", "/whip/a", &[kind, origin], &sends);
    assert_eq!(without.status, 401);
    let token = ("Authorization", "Bearer secret");
    let made = guarded.request("POST", "/whip/a", &[kind, token, origin], &sends);
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.header("access-control-allow-origin"), Some("*"));
    let told = made.header("access-control-expose-headers").unwrap();
    assert!(told.contains("Location") && told.contains("ETag"), "{told}");
    let session = made.header("location").unwrap();
    let stranger = guarded.request("DELETE", session, &[origin], "");
    assert_eq!(stranger.status, 401);
    let ended = guarded.request("DELETE", session, &[token, origin], "");
    assert_eq!(ended.status, 200);
}

/// By https, with a certificate of one's own.
#[test]
fn a_file_is_published_by_https() {
    let folder = Folder::new("secure");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = folder.with("certificate.pem", made.cert.pem().as_bytes());
    let key = folder.with("key.pem", made.signing_key.serialize_pem().as_bytes());
    let with = ["--certificate", &certificate, "--key", &key];
    let serving = Serving::start(&with);
    let audio = folder.with("a.ogg", TONE);
    let whip = format!("https://localhost:{}/whip/a", serving.address.port());
    let play = ["play", &audio, "--whip", &whip];
    let (refused, said) = output(&play);
    assert!(
        refused.status.code() == Some(1) && said.contains("cannot be reached"),
        "{said}"
    );
    let (played, said) = output(&[&play[..], &["--roots", &certificate]].concat());
    assert!(played.status.success(), "{said}");
    let (wrong, said) = output(&["serve", "--certificate", &audio, "--key", &key]);
    assert!(
        wrong.status.code() == Some(1) && said.contains("no certificate in PEM form"),
        "{said}"
    );
}

/// What is wrong with a file, or with a server, is one line.
#[test]
fn what_cannot_be_played_is_one_line() {
    let folder = Folder::new("wrong");
    let named = folder.with("a.ogg", PATTERN);
    let short = folder.with("short.ivf", &PATTERN[..20]);
    let cut = folder.with("cut.ivf", &PATTERN[..3000]);
    let text = folder.with("text", b"hello");
    let good = folder.with("good.ivf", PATTERN);
    // Behind its first frame comes one of VP9.
    let first = u32::from_le_bytes(PATTERN[32..36].try_into().unwrap()) as usize;
    let first = &PATTERN[..44 + first];
    let mixed = [first, b"\x01\0\0\0\x01\0\0\0\0\0\0\0\x82"].concat();
    let mixed = folder.with("mixed.ivf", &mixed);
    let elsewhere = format!("at byte {}: a frame that is none of VP8", first.len());
    let sets = folder.with("sets.h264", b"\0\0\0\x01\x67\x42\0\x1f");
    let cases: [(&[&str], &str); 8] = [
        (&[&named], "its name says Ogg, but it holds Vp8"),
        (
            &[&short],
            "the file ends at byte 20, in the middle of the header",
        ),
        (&[&text], "it is neither IVF nor Ogg"),
        (&[&good, &good], "one has pictures and one has sound"),
        (
            &[&cut, "--listen", "127.0.0.1:0"],
            "the file ends at byte 3000, in the middle of a frame",
        ),
        (&[&mixed, "--listen", "127.0.0.1:0"], &elsewhere),
        (
            &[&sets, "--listen", "127.0.0.1:0"],
            "the file ends at byte 8, in the middle of a picture: its slices are missing",
        ),
        (
            &[&good, "--whip", "http://127.0.0.1:1/whip/a"],
            "cannot be reached",
        ),
    ];
    for (arguments, line) in cases {
        let (output, said) = output(&[&["play"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(line) && said.lines().count() == 1, "{said}");
    }
}
