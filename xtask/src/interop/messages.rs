//! Kinds and sizes of messages.

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use oxirtc_peerconnection::Message;
use serde_json::json;

use super::call::{Call, Setup, Side};
use super::peer::soon;
use super::suite::Suite;

/// Text, binary, empty, and as large as we take: each is sent, echoed, and equal; and the browser
/// took each for what it was.
pub(crate) async fn kinds_and_sizes(suite: &Suite) -> anyhow::Result<()> {
    let setup = Setup {
        echo: true,
        ..Setup::default()
    };
    let (call, channel) = Call::connect(suite, setup, Side::Browser, "echo").await?;
    let large: Vec<u8> = (0..LARGE).map(|at| (at * 7 + at / 251) as u8).collect();
    let messages = [
        Message::from(""),
        Message::from("Grüße, 世界 🚀"),
        Message::from("\0\u{feff}\r\n"),
        Message::from(Bytes::new()),
        Message::from(vec![0_u8]),
        Message::from(vec![0xff; 1200]),
        Message::from("x".repeat(65_536)),
        Message::from(large),
        Message::from("ß".repeat(LARGE / 2)),
        Message::from("after it all"),
    ];
    for message in &messages {
        channel.send(message.clone()).await?;
    }
    for message in &messages {
        let back = soon("an echo", channel.recv())
            .await?
            .context("the channel closed")?;
        let kind = |message: &Message| {
            if matches!(message, Message::Text(_)) {
                "text"
            } else {
                "binary"
            }
        };
        ensure!(
            &back == message,
            "{} of {} bytes came back as {} of {}",
            kind(message),
            message.len(),
            kind(&back),
            back.len()
        );
    }
    let facts = call.facts("echo").await?;
    let expected: Vec<_> = messages
        .iter()
        .map(|message| {
            let text = matches!(message, Message::Text(_));
            json!([if text { "text" } else { "binary" }, message.len()])
        })
        .collect();
    let seen: Vec<_> = facts["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|message| json!([message["kind"], message["size"]]))
        .collect();
    ensure!(seen == expected, "the browser saw {seen:?}");
    call.end().await
}

/// Our a=max-message-size, and Chromium's.
const LARGE: usize = 262_144;
