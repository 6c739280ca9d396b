//! Kinds of channels, opened by either side, their traffic under loss.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use oxirtc_peerconnection::{DataChannel, Message};
use serde_json::{Value, json};

use super::call::{Call, Setup, Side};
use super::loss::Loss;
use super::peer::soon;
use super::suite::Suite;

pub(crate) async fn ordered(suite: &Suite) -> anyhow::Result<()> {
    kind(suite, json!({ "ordered": true, "protocol": "spoken" })).await
}

pub(crate) async fn unordered(suite: &Suite) -> anyhow::Result<()> {
    kind(suite, json!({ "ordered": false })).await
}

pub(crate) async fn max_retransmits_0(suite: &Suite) -> anyhow::Result<()> {
    kind(suite, json!({ "ordered": false, "maxRetransmits": 0 })).await
}

pub(crate) async fn max_packet_life_time(suite: &Suite) -> anyhow::Result<()> {
    kind(suite, json!({ "maxPacketLifeTime": 30 })).await
}

/// One channel of the kind from each side, announced as it was opened; then traffic both ways on
/// both while one datagram in 25 is lost.
async fn kind(suite: &Suite, options: Value) -> anyhow::Result<()> {
    let (call, first) = Call::connect(suite, Setup::default(), Side::Browser, "first").await?;
    let mut channels = Vec::new();
    for (opener, label) in [(Side::Browser, "theirs"), (Side::Us, "ours")] {
        let channel = call.channel(opener, label, options.clone()).await?;
        same_parameters(&channel, &call.facts(label).await?)?;
        same_as_asked(&options, &call.facts(label).await?)?;
        channels.push((label, channel));
    }
    let loss = Loss::begin(4)?;
    for (label, channel) in &channels {
        let arguments = [json!(label), json!(COUNT)];
        tokio::try_join!(call.tab.run(SEND, &arguments), send(channel))?;
    }
    loss.end()?;
    let whole = |name| options.get(name).is_none();
    let reliable = whole("maxRetransmits") && whole("maxPacketLifeTime");
    let ordered = options.get("ordered") != Some(&json!(false));
    // Unordered, the end may overtake what is still being sent again.
    let least = if reliable { COUNT } else { 0 };
    for (label, channel) in &channels {
        call.tab.run(BEGIN_ENDING, &[json!(label)]).await?;
        let came = soon("the end of the messages", receive(channel, least)).await??;
        judge(&came, reliable, ordered).with_context(|| format!("to us on {label}"))?;
        let arguments = [json!(label), json!(least)];
        let seen = tokio::select! {
            seen = call.tab.run(UNTIL_END, &arguments) => seen?,
            error = keep_ending(channel) => return Err(error),
        };
        let seen: Vec<usize> = serde_json::from_value(seen)?;
        judge(&seen, reliable, ordered).with_context(|| format!("to the browser on {label}"))?;
    }
    // What was given up has left the association well.
    first.send("still here").await?;
    call.tab
        .run(
            "const { dc } = await h.channel('first'); dc.send('so am I')",
            &[],
        )
        .await?;
    let heard = soon("a word on the first channel", first.recv()).await?;
    ensure!(
        heard == Some(Message::from("so am I")),
        "we heard {heard:?}"
    );
    call.tab
        .run(
            "const it = await h.channel('first'); await h.until(() => it.count === 1, 'a word')",
            &[],
        )
        .await?;
    call.end().await
}

async fn send(channel: &DataChannel) -> anyhow::Result<()> {
    for number in 0..COUNT {
        channel.send(number.to_string()).await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// What was given up may hold up a channel until a timer of SCTP runs out, and the end may itself be
/// given up: it is said until it is heard.
async fn keep_ending(channel: &DataChannel) -> anyhow::Error {
    loop {
        if let Err(error) = channel.send(END).await {
            return error.into();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The numbers that came when the end was heard, and as many as must come.
async fn receive(channel: &DataChannel, least: usize) -> anyhow::Result<Vec<usize>> {
    let mut came = Vec::new();
    let mut ended = false;
    while !ended || came.len() < least {
        match channel.recv().await {
            Some(Message::Text(text)) if text == END => ended = true,
            Some(Message::Text(text)) => came.push(text.parse()?),
            other => bail!("{other:?} came"),
        }
    }
    Ok(came)
}

fn judge(came: &[usize], reliable: bool, ordered: bool) -> anyhow::Result<()> {
    let distinct: BTreeSet<_> = came.iter().copied().collect();
    ensure!(
        distinct.len() == came.len(),
        "messages came twice: {came:?}"
    );
    ensure!(!ordered || came.is_sorted(), "out of order: {came:?}");
    ensure!(
        !reliable || came.len() == COUNT,
        "{} of {COUNT} came",
        came.len()
    );
    // RFC 9260 §7.2.3: after two losses of one packet there is one in flight, and what waits meanwhile
    // may be given up.
    ensure!(
        came.len() > COUNT / 10,
        "only {} of {COUNT} came",
        came.len()
    );
    Ok(())
}

fn same_parameters(ours: &DataChannel, theirs: &Value) -> anyhow::Result<()> {
    let ours = json!({
        "label": ours.label(), "protocol": ours.protocol(), "id": ours.id(), "ordered": ours.ordered(),
        "maxRetransmits": ours.max_retransmits(), "maxPacketLifeTime": ours.max_packet_life_time(),
        "negotiated": ours.negotiated(),
    });
    for (name, value) in ours.as_object().into_iter().flatten() {
        ensure!(
            &theirs[name] == value,
            "{name} is {value} here, {} in the browser",
            theirs[name]
        );
    }
    Ok(())
}

fn same_as_asked(options: &Value, facts: &Value) -> anyhow::Result<()> {
    for (name, value) in options.as_object().into_iter().flatten() {
        ensure!(
            &facts[name] == value,
            "{name} was to be {value}, is {}",
            facts[name]
        );
    }
    Ok(())
}

/// RFC 8832 §4: no OPEN; both sides just know.
pub(crate) async fn negotiated_id_0(suite: &Suite) -> anyhow::Result<()> {
    let call = Call::start(
        suite,
        Setup {
            echo: true,
            ..Setup::default()
        },
    )
    .await?;
    let options = json!({ "negotiated": true, "id": 0, "protocol": "known" });
    let init = serde_json::from_value(options.clone())?;
    let ours = call.peer.connection().create_data_channel("both", init)?;
    call.tab.run("h.open('both', A[0])", &[options]).await?;
    soon("the channel to open", ours.opened()).await??;
    same_parameters(&ours, &call.facts("both").await?)?;
    ours.send("to id 0").await?;
    let back = soon("the echo", ours.recv()).await?;
    ensure!(back == Some(Message::from("to id 0")), "{back:?} came back");
    ensure!(
        !call.peer.has_arrived().await,
        "a negotiated channel was announced"
    );
    call.end().await
}

/// 100 from each side, with a word echoed on each.
pub(crate) async fn many(suite: &Suite) -> anyhow::Result<()> {
    let call = Call::start(
        suite,
        Setup {
            echo: true,
            ..Setup::default()
        },
    )
    .await?;
    call.tab
        .run(
            "for (let i = 0; i < 100; i++) h.open(`theirs ${i}`, {})",
            &[],
        )
        .await?;
    let mut channels = Vec::new();
    for _ in 0..100 {
        channels.push(call.peer.arrived().await?);
    }
    for number in 0..100 {
        let init = oxirtc_peerconnection::DataChannelInit::default();
        channels.push(
            call.peer
                .connection()
                .create_data_channel(&format!("ours {number}"), init)?,
        );
    }
    for channel in &channels {
        soon("a channel to open", channel.opened()).await??;
        channel.send(format!("on {}", channel.label())).await?;
    }
    for channel in &channels {
        let back = soon("an echo", channel.recv()).await?;
        let expected = Message::from(format!("on {}", channel.label()));
        ensure!(
            back == Some(expected),
            "{back:?} came back on {}",
            channel.label()
        );
    }
    let labels: BTreeSet<_> = channels.iter().map(DataChannel::label).collect();
    let ids: BTreeSet<_> = channels.iter().filter_map(DataChannel::id).collect();
    ensure!(
        labels.len() == 200 && ids.len() == 200,
        "{} labels, {} ids",
        labels.len(),
        ids.len()
    );
    let parity = |ours: bool| -> BTreeSet<_> {
        let own = channels
            .iter()
            .filter(|channel| channel.label().starts_with("ours") == ours);
        own.filter_map(DataChannel::id).map(|id| id % 2).collect()
    };
    // RFC 8832 §6: even for the DTLS client, odd for the server.
    ensure!(
        parity(true).len() == 1 && parity(false).len() == 1 && parity(true) != parity(false),
        "ids {ids:?}"
    );
    call.end().await
}

const SEND: &str = "const { dc } = await h.channel(A[0]);
    for (let number = 0; number < A[1]; number++) {
      dc.send(String(number));
      await new Promise((resolve) => setTimeout(resolve, 3));
    }";

const BEGIN_ENDING: &str = "const { dc } = await h.channel(A[0]);
    dc.send('end');
    setInterval(() => dc.readyState === 'open' && dc.send('end'), 100);";

const UNTIL_END: &str = "const { messages } = await h.channel(A[0]);
    const texts = () => messages.map((message) => message.text);
    const numbers = () => texts().filter((text) => text !== 'end').map(Number);
    await h.until(() => texts().includes('end') && numbers().length >= A[1], 'the end of the messages');
    return numbers();";

const END: &str = "end";
const COUNT: usize = 300;
const PAUSE: Duration = Duration::from_millis(3);
