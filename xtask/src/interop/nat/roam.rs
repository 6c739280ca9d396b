//! A host that changes its network in the middle of a transfer, and of a call.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::sleep;

use super::{
    call::{Call, LEFT, RIGHT, orders},
    network::{Kind, Laboratory, Side, ip},
    party::{Frames, Orders, Pair},
};

/// What happens to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The link in use goes down, and another stands ready.
    Ready,
    /// The same, but what is sent from its address has left by the first link until then, and came back by none.
    Unrouted,
    /// The link goes down, and another comes up at that moment.
    Arriving,
    /// Its router has another public address from now on, and has forgotten all ports.
    Rebinding,
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Roaming,
    Other,
}

/// What there is of such tests.
#[rustfmt::skip]
pub(super) const CASES: &[(&str, Change, Sender, Kind)] = &[
    ("roam/ready/sends", Change::Ready, Sender::Roaming, Kind::Open),
    ("roam/ready/receives", Change::Ready, Sender::Other, Kind::Open),
    ("roam/ready/nat", Change::Ready, Sender::Roaming, Kind::PortRestricted),
    ("roam/ready/nat/receives", Change::Ready, Sender::Other, Kind::PortRestricted),
    ("roam/unrouted/sends", Change::Unrouted, Sender::Roaming, Kind::Open),
    ("roam/unrouted/receives", Change::Unrouted, Sender::Other, Kind::Open),
    ("roam/unrouted/nat", Change::Unrouted, Sender::Roaming, Kind::PortRestricted),
    ("roam/arriving/sends", Change::Arriving, Sender::Roaming, Kind::Open),
    ("roam/arriving/receives", Change::Arriving, Sender::Other, Kind::Open),
    ("roam/rebinding/sends", Change::Rebinding, Sender::Roaming, Kind::Open),
    ("roam/rebinding/receives", Change::Rebinding, Sender::Other, Kind::Open),
];

/// Those of calls.
#[rustfmt::skip]
pub(super) const CALLS: &[(&str, Change, Kind)] = &[
    ("roam/call/ready", Change::Ready, Kind::Open),
    ("roam/call/ready/nat", Change::Ready, Kind::PortRestricted),
    ("roam/call/arriving", Change::Arriving, Kind::Open),
];

/// Says how long nothing came.
pub(super) async fn run(
    change: Change,
    sender: Sender,
    other: Kind,
    total: usize,
) -> anyhow::Result<String> {
    let mut lab = laboratory(change, other)?;
    let mut call = Call::connect(orders()).await?;
    let [before, _] = call.pairs().await?;
    let used = side(&before);
    let from = match sender {
        Sender::Roaming => LEFT,
        Sender::Other => RIGHT,
    };
    let mut changed_at = None;
    let gap = call
        .transfer(from, total, |came, gap| {
            if came < total / 4 || changed_at.is_some() {
                return Ok(());
            }
            changed_at = Some((came, gap));
            apply(&mut lab, change, used)
        })
        .await?;
    let [after, _] = call.pairs().await?;
    // A machine that has other work to do has pauses of its own.
    let (changed_at, usual) = changed_at.unwrap_or((total, Duration::ZERO));
    ensure!(
        changed_at < total / 2,
        "the change came after {changed_at} bytes of {total}"
    );
    if change != Change::Rebinding {
        ensure!(
            before.addresses != after.addresses,
            "the pair is the same as before: {after:?}"
        );
    }
    ensure!(
        gap < change.limit() + usual,
        "nothing came for {gap:?}: from {before:?} to {after:?}"
    );
    follows(&mut call, change, used).await?;
    Ok(format!(
        "{} MiB, no more than {} ms without any ({} before); {} to {}, then {} to {}",
        total >> 20,
        gap.as_millis(),
        usual.as_millis(),
        before.local,
        before.remote,
        after.local,
        after.remote
    ))
}

/// A restart tells the address that there is, and none of a link that is down, and bytes go on.
async fn follows(call: &mut Call, change: Change, used: Side) -> anyhow::Result<()> {
    let other = match used {
        Side::Left => Side::Beside,
        _ => Side::Left,
    };
    let (gone, there) = match change {
        Change::Rebinding => (None, used),
        _ => (Some(used.private()), other),
    };
    let told = call.restart(LEFT).await?;
    ensure!(
        told.contains(&there.private()) && gone.is_none_or(|it| !told.contains(&it)),
        "after the change it tells of {told:?}"
    );
    for end in [LEFT, RIGHT] {
        call.transfer(end, AFTERWARDS, |_, _| Ok(())).await?;
    }
    Ok(())
}

/// Sound and pictures go on, both ways; says how long none came.
pub(super) async fn call(change: Change, other: Kind) -> anyhow::Result<String> {
    let mut lab = laboratory(change, other)?;
    let orders = orders().map(|it| Orders { calls: true, ..it });
    let mut call = Call::connect(orders).await?;
    let [before, _] = call.pairs().await?;
    call.watch().await?;
    sleep(PART).await;
    let usual = call.played().await?;
    call.watch().await?;
    apply(&mut lab, change, side(&before))?;
    sleep(PART).await;
    let since = call.played().await?;
    let [after, _] = call.pairs().await?;
    ensure!(
        before.addresses != after.addresses,
        "the pair is the same as before: {after:?}"
    );
    let mut told = Vec::new();
    for (usual, since) in usual.into_iter().zip(since) {
        let kinds = [
            ("sound", usual.sound, since.sound),
            ("pictures", usual.pictures, since.pictures),
        ];
        for (what, usual, since) in kinds {
            told.push(format!("{what} {}", goes_on(change, usual, since)?));
        }
    }
    Ok(format!(
        "here {}, there {}; {} to {}, then {} to {}",
        told[..2].join(" and "),
        told[2..].join(" and "),
        before.local,
        before.remote,
        after.local,
        after.remote
    ))
}

/// Whether frames have come as before, but for the time that the change may take.
fn goes_on(change: Change, usual: Frames, since: Frames) -> anyhow::Result<String> {
    let told = format!("{} ms ({} before)", since.gap, usual.gap);
    let limit = change.limit() + Duration::from_millis(usual.gap);
    ensure!(
        Duration::from_millis(since.gap) < limit,
        "nothing came for {told}"
    );
    ensure!(
        since.count >= usual.count / 2,
        "{} frames came, and {} before",
        since.count,
        usual.count
    );
    ensure!(usual.count > 0, "no frame came before");
    Ok(told)
}

/// The host on the left has another way, if it is to have one.
fn laboratory(change: Change, other: Kind) -> anyhow::Result<Laboratory> {
    let mut lab = Laboratory::apart(Kind::PortRestricted, other)?;
    if matches!(change, Change::Ready | Change::Unrouted) {
        lab.add_way(Kind::PortRestricted)?;
    }
    if change == Change::Ready {
        lab.route_by_source()?;
    }
    Ok(lab)
}

/// The way that the host on the left uses.
fn side(pair: &Pair) -> Side {
    let beside = [Side::Beside.private(), Side::Beside.public().to_owned()];
    let on_second = pair.addresses.iter().any(|it| beside.contains(it));
    if on_second { Side::Beside } else { Side::Left }
}

fn apply(lab: &mut Laboratory, change: Change, used: Side) -> anyhow::Result<()> {
    let down = || ip(&format!("-n {} link set {} down", used.host(), used.link()));
    match change {
        Change::Ready | Change::Unrouted => down(),
        Change::Arriving => {
            down()?;
            lab.add_way(Kind::PortRestricted)
        }
        Change::Rebinding => {
            // What a router has masqueraded behind an address goes with the address.
            let router = used.router();
            let (old, new) = (used.public(), Side::Beside.public());
            ip(&format!("-n {router} addr add {new}/24 dev wan"))?;
            ip(&format!("-n {router} addr delete {old}/24 dev wan"))?;
            // The other address of a network goes with its first.
            ip(&format!("-n {router} addr replace {new}/24 dev wan"))
        }
    }
}

impl Change {
    /// How long nothing may come.
    fn limit(self) -> Duration {
        match self {
            Self::Ready => Duration::from_secs(1),
            Self::Unrouted | Self::Arriving => Duration::from_secs(3),
            // Nothing tells of it but the silence, after a second; and payload moves half a second after the first check.
            Self::Rebinding => Duration::from_secs(3),
        }
    }
}

/// Bytes each way after a restart.
const AFTERWARDS: usize = 64 << 10;
/// How long frames are watched before the change, and after it.
const PART: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(count: u32, gap: u64) -> Frames {
        let text = format!("{{\"count\":{count},\"gap\":{gap}}}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_call_that_stands_still_does_not_go_on() {
        let usual = frames(120, 60);
        goes_on(Change::Ready, usual, frames(100, 900)).unwrap();
        goes_on(Change::Ready, usual, frames(100, 1100)).unwrap_err();
        goes_on(Change::Arriving, usual, frames(100, 1100)).unwrap();
        goes_on(Change::Ready, usual, frames(59, 900)).unwrap_err();
        goes_on(Change::Ready, frames(0, 0), frames(100, 100)).unwrap_err();
    }
}
