//! What a call is to us and to the browser: each number of ours beside the browser's for the same thing.

use anyhow::{Context as _, ensure};
use oxirtc_peerconnection::{DataChannelInit, engine::Parity, media::Codec};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use super::call::Call;
use super::media;
use super::peer::soon;
use super::suite::Suite;

/// A report, or ours of before and after the browser's was made.
struct Reports {
    before: Vec<Value>,
    theirs: Vec<Value>,
    after: Vec<Value>,
}

/// Numbers that were laid beside each other.
#[derive(Default)]
struct Beside {
    compared: usize,
    wrong: Vec<String>,
}

/// Media both ways and a channel: bytes, packets, loss, round trip, the pair, codecs, and what the channel carried.
pub(crate) async fn agree(suite: &Suite) -> anyhow::Result<()> {
    // Firefox counts from zero again once an offer of ours names RED and ULPFEC, which its own has not.
    let parity = match suite.is_firefox() {
        true => Parity::Never,
        false => Parity::default(),
    };
    let filmed = media::Filmed {
        parity,
        ..media::Filmed::new(Codec::Vp8, Codec::Opus)
    };
    let call = media::filming(suite, filmed).await?;
    talk(&call).await?;
    // Until each has told the other what came.
    sleep(Duration::from_secs(6)).await;
    let before = ours(&call).await?;
    let theirs = call.tab.run("return h.stats()", &[]).await?;
    let theirs = theirs.as_array().context("a list")?.clone();
    let after = ours(&call).await?;
    let reports = Reports {
        before,
        theirs,
        after,
    };
    let mut beside = Beside::default();
    for kind in ["audio", "video"] {
        reports.compare_streams(kind, &mut beside)?;
    }
    reports.compare_pairs(&mut beside)?;
    reports.compare_channels(&mut beside)?;
    let Beside { compared, wrong } = beside;
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    ensure!(compared >= 20, "only {compared} numbers are at both ends");
    call.end().await
}

/// Twenty messages there, and back.
async fn talk(call: &Call) -> anyhow::Result<()> {
    let connection = call.peer.connection();
    let channel = connection.create_data_channel("counted", DataChannelInit::default())?;
    soon("the channel to open", channel.opened()).await??;
    let echo = "(await h.channel('counted')).echo = true";
    call.tab.run(echo, &[]).await?;
    for size in 1..=20 {
        channel.send(vec![7; size * 100]).await?;
        soon("the echo", channel.recv()).await?.context("an echo")?;
    }
    Ok(())
}

pub(super) async fn ours(call: &Call) -> anyhow::Result<Vec<Value>> {
    let report = call.peer.connection().get_stats(None).await?;
    let objects = report.iter().map(serde_json::to_value);
    Ok(objects.collect::<Result<_, _>>()?)
}

impl Reports {
    /// What one end sends is what the other receives, by the SSRC.
    fn compare_streams(&self, kind: &str, beside: &mut Beside) -> anyhow::Result<()> {
        for (sender, receiver) in [("ours", "theirs"), ("theirs", "ours")] {
            let sends_here = sender == "ours";
            let (before, after, theirs) = match sends_here {
                true => {
                    let before = stream(&self.before, "outbound-rtp", kind, None);
                    let before = before.context("we send nothing")?;
                    let ssrc = before["ssrc"].as_u64();
                    let after = stream(&self.after, "outbound-rtp", kind, ssrc);
                    let theirs = stream(&self.theirs, "inbound-rtp", kind, ssrc);
                    (before, after, theirs)
                }
                false => {
                    let theirs = stream(&self.theirs, "outbound-rtp", kind, None);
                    let theirs = theirs.context("the browser sends nothing")?;
                    let ssrc = theirs["ssrc"].as_u64();
                    let before = stream(&self.before, "inbound-rtp", kind, ssrc);
                    let after = stream(&self.after, "inbound-rtp", kind, ssrc);
                    (before.context("we receive nothing")?, after, Some(theirs))
                }
            };
            let what = format!("{kind}, sent by {sender}, received by {receiver}");
            let after = after.with_context(|| format!("{what}: gone"))?;
            let theirs = theirs.with_context(|| format!("{what}: not known to the browser"))?;
            let (own, other) = match sends_here {
                true => ("Sent", "Received"),
                false => ("Received", "Sent"),
            };
            // Browsers look for bandwidth with padding, which they count as packets.
            let packets = if kind == "video" && !sends_here {
                60.0
            } else {
                10.0
            };
            for (member, tolerance) in [("packets", packets), ("bytes", 15_000.0)] {
                let count = |stream: &Value, way| once(stream, member, way);
                let values = (
                    &count(before, own),
                    &count(after, own),
                    &count(theirs, other),
                );
                beside.counted(&format!("{what}: {member}{own}, once"), values, tolerance);
            }
            let received = if sends_here { theirs } else { before };
            beside.near(
                &format!("{what}: packetsLost"),
                &received["packetsLost"],
                &json!(0),
                5.0,
            );
            let codec = |list, of: &Value| by_id(list, &of["codecId"]);
            let codecs = (codec(&self.before, before), codec(&self.theirs, theirs));
            let codecs = (codecs.0.context("a codec")?, codecs.1.context("a codec")?);
            for member in ["mimeType", "payloadType", "clockRate"] {
                beside.same(
                    &format!("{what}: {member}"),
                    &codecs.0[member],
                    &codecs.1[member],
                );
            }
            if sends_here {
                self.compare_reports(&what, before, beside);
            }
        }
        Ok(())
    }

    /// What the browser has reported of a stream of ours, beside what it says itself.
    fn compare_reports(&self, what: &str, sent: &Value, beside: &mut Beside) {
        let told = by_id(&self.before, &sent["remoteId"]);
        let what = format!("{what}: what was reported of it");
        let Some(told) = told else {
            return beside.wrong.push(format!("{what} is not here"));
        };
        beside.near(
            &format!("{what}, fractionLost"),
            &told["fractionLost"],
            &json!(0),
            0.05,
        );
        beside.near(
            &format!("{what}, roundTripTime"),
            &told["roundTripTime"],
            &json!(0),
            0.25,
        );
    }

    /// The pair in use: its ends, its round trip, and what went over it.
    fn compare_pairs(&self, beside: &mut Beside) -> anyhow::Result<()> {
        let before = selected(&self.before).context("no pair here")?;
        let after = selected(&self.after).context("no pair here")?;
        let theirs = selected(&self.theirs).context("no pair at the browser")?;
        for (own, other) in [("local", "remote"), ("remote", "local")] {
            let end = |list, pair: &Value, of: &str| {
                by_id(list, &pair[format!("{of}CandidateId")]).cloned()
            };
            let here = end(&self.before, before, own).context("a candidate")?;
            let there = end(&self.theirs, theirs, other).context("a candidate")?;
            for member in ["port", "protocol", "address"] {
                let what = format!("{own} candidate here, {other} there: {member}");
                beside.same(&what, &here[member], &there[member]);
            }
        }
        let member = "currentRoundTripTime";
        beside.near(
            &format!("pair: {member}"),
            &before[member],
            &theirs[member],
            0.1,
        );
        for (own, other) in [
            ("bytesSent", "bytesReceived"),
            ("bytesReceived", "bytesSent"),
        ] {
            let values = (&before[own], &after[own], &theirs[other]);
            // Browsers count what is around payload in their own ways.
            let tolerance = before[own].as_f64().unwrap_or_default() * 0.1 + 30_000.0;
            beside.counted(&format!("pair: {own}"), values, tolerance);
        }
        Ok(())
    }

    fn compare_channels(&self, beside: &mut Beside) -> anyhow::Result<()> {
        let find = |list: &[Value]| {
            let mut list = list.iter();
            let found = list.find(|it| it["type"] == "data-channel" && it["label"] == "counted");
            found.cloned()
        };
        let ours = find(&self.before).context("no channel here")?;
        let theirs = find(&self.theirs).context("no channel at the browser")?;
        for member in ["messages", "bytes"] {
            for (own, other) in [("Sent", "Received"), ("Received", "Sent")] {
                let (own, other) = (format!("{member}{own}"), format!("{member}{other}"));
                beside.same(&format!("channel: {own}"), &ours[&own], &theirs[&other]);
            }
        }
        beside.same(
            "channel: identifier",
            &ours["dataChannelIdentifier"],
            &theirs["dataChannelIdentifier"],
        );
        Ok(())
    }
}

impl Beside {
    /// A count that grows: the browser's was read between ours. What is on its way, and what the browser keeps of an earlier
    /// reading, is within the tolerance.
    fn counted(&mut self, what: &str, (before, after, theirs): (&Value, &Value, &Value), by: f64) {
        let [Some(before), Some(after), Some(theirs)] = [before, after, theirs].map(Value::as_f64)
        else {
            return self.absent(what, theirs);
        };
        let agrees = theirs >= before - by && theirs <= after + by;
        self.told(
            what,
            &format!("{before} to {after}, there {theirs}, ±{by:.0}"),
            agrees,
        );
    }

    fn near(&mut self, what: &str, ours: &Value, theirs: &Value, by: f64) {
        let (Some(here), Some(there)) = (ours.as_f64(), theirs.as_f64()) else {
            return self.absent(what, theirs);
        };
        let agrees = (here - there).abs() <= by;
        self.told(what, &format!("{here}, there {there}, ±{by}"), agrees);
    }

    fn same(&mut self, what: &str, ours: &Value, theirs: &Value) {
        if ours.is_null() || theirs.is_null() {
            return self.absent(what, theirs);
        }
        let agrees = match (ours.as_f64(), theirs.as_f64()) {
            (Some(here), Some(there)) => here == there,
            _ => ours == theirs,
        };
        self.told(what, &format!("{ours}, there {theirs}"), agrees);
    }

    /// What the browser does not tell is no difference; what we do not tell is one.
    fn absent(&mut self, what: &str, theirs: &Value) {
        println!("     {what}: not told by both");
        if !theirs.is_null() {
            self.wrong.push(format!("{what} is not told here"));
        }
    }

    fn told(&mut self, what: &str, numbers: &str, agrees: bool) {
        println!("     {what}: {numbers}");
        self.compared += 1;
        if !agrees {
            self.wrong.push(format!("{what}: {numbers}"));
        }
    }
}

/// The stream of a kind that carries something, or that with an SSRC.
fn stream<'v>(list: &'v [Value], of: &str, kind: &str, ssrc: Option<u64>) -> Option<&'v Value> {
    let is = |it: &&Value| {
        let named = ssrc.is_none_or(|ssrc| it["ssrc"].as_u64() == Some(ssrc));
        it["type"] == of && it["kind"] == kind && named
    };
    list.iter().find(is)
}

/// How many were sent or received, without retransmissions: browsers look for bandwidth with those of what has come long ago, and
/// a duplicate is not counted here.
fn once(stream: &Value, member: &str, way: &str) -> Value {
    let all = stream[format!("{member}{way}")].as_f64();
    let mut capital = member.to_owned();
    capital.get_mut(..1).map(str::make_ascii_uppercase);
    let again = stream[format!("retransmitted{capital}{way}")].as_f64();
    json!(all.map(|all| all - again.unwrap_or_default()))
}

fn by_id<'v>(list: &'v [Value], id: &Value) -> Option<&'v Value> {
    list.iter().find(|it| !id.is_null() && it["id"] == *id)
}

/// The pair of the transport; where there is no transport, that which is nominated and in use.
fn selected(list: &[Value]) -> Option<&Value> {
    let mut transports = list.iter().filter(|it| it["type"] == "transport");
    let named = transports.find_map(|it| by_id(list, &it["selectedCandidatePairId"]));
    let mut pairs = list.iter().filter(|it| it["type"] == "candidate-pair");
    named.or_else(|| pairs.find(|it| it["state"] == "succeeded" && it["nominated"] == true))
}
