//! A host that changes its network in the middle of a transfer.

use std::time::Duration;

use anyhow::ensure;

use super::{
    call::{Call, LEFT, RIGHT, orders},
    network::{Kind, Laboratory, Side, ip},
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

/// Says how long nothing came.
pub(super) async fn run(
    change: Change,
    sender: Sender,
    other: Kind,
    total: usize,
) -> anyhow::Result<String> {
    let mut lab = Laboratory::apart(Kind::PortRestricted, other)?;
    if matches!(change, Change::Ready | Change::Unrouted) {
        lab.add_way(Kind::PortRestricted)?;
    }
    if change == Change::Ready {
        lab.route_by_source()?;
    }
    let mut call = Call::connect(orders()).await?;
    let [before, _] = call.pairs().await?;
    let beside = [Side::Beside.private(), Side::Beside.public().to_owned()];
    let on_second = before.addresses.iter().any(|it| beside.contains(it));
    let used = if on_second { Side::Beside } else { Side::Left };
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
