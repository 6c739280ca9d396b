//! oxirtc and dimpl, each as client and as server.

use anyhow::{Context, Result, ensure};
use dimpl::{NamedGroup, certificate};
use oxirtc_dtls::{Certificate, Config, Fingerprint, Group, HashAlgorithm};

use crate::{
    dimpl::{self as theirs, Theirs},
    end::{self, End, Role, Version, Wire},
    oxirtc::{self as ours, Ours},
};

/// What both are told.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// Of ours; dimpl finds out by itself where both may be spoken.
    versions: &'static [Version],
    agreed: Version,
    /// Of ours, and which of them dimpl has too.
    groups: &'static [Group],
    group: Group,
    /// The server asks for a cookie.
    cookie: bool,
}

pub fn run(only: &[&str]) -> Result<()> {
    let (mut passed, mut failed) = (0, 0);
    for case in CASES {
        for role in [Role::Client, Role::Server] {
            let name = format!("dimpl {} we are {role:?}", case.name).to_lowercase();
            if !only.is_empty() && !only.iter().any(|part| name.contains(part)) {
                continue;
            }
            match play(case, role) {
                Ok(what) => {
                    passed += 1;
                    println!("ok     {name}: {what}");
                }
                Err(error) => {
                    failed += 1;
                    println!("FAILED {name}: {error:#}");
                }
            }
        }
    }
    println!("dimpl: {passed} passed, {failed} failed");
    ensure!(failed == 0, "{failed} failed");
    Ok(())
}

/// Connected, with the same keys exported, each knowing the other's certificate, and payload both ways.
fn play(case: &Case, role: Role) -> Result<String> {
    let ours = ours::certificate()?;
    let theirs = certificate::generate_self_signed_certificate()?;
    let digest = certificate::calculate_fingerprint(&theirs.certificate);
    let expected = Fingerprint::new(HashAlgorithm::Sha256, digest);
    let (leaf, other) = (theirs.certificate.clone(), other(role));
    let mut us = Ours::new(configure(case, &ours), role, expected)?;
    let version = (case.versions.len() == 1).then_some(case.agreed);
    let config = theirs::config()
        .kx_groups(&[NamedGroup::X25519, NamedGroup::Secp256r1])
        .use_server_cookie(case.cookie)
        .build()?;
    let mut peer = Theirs::new(version, other, config, theirs)?;
    let mut wire = Wire::default();
    {
        let (client, server): (&mut dyn End, &mut dyn End) = match role {
            Role::Client => (&mut us, &mut peer),
            Role::Server => (&mut peer, &mut us),
        };
        end::run(client, server, &mut wire)?;
        end::carry(client, server, &mut wire, &[7; 1200], 10)?;
        end::carry(server, client, &mut wire, &[7; 900], 10)?;
    }
    let connection = &us.connection;
    let agreed = ours::version(case.agreed);
    let version = connection.protocol_version();
    ensure!(version == Some(agreed.id()), "version {version:?}");
    ensure!(us.exported()? == peer.exported()?, "the keys differ");
    ensure!(
        peer.peer == ours.der(),
        "it has another certificate of ours"
    );
    let seen = connection.remote_certificates().first();
    ensure!(seen == Some(&leaf), "we have another certificate of its");
    let suite = connection.cipher_suite().context("no suite")?;
    let group = connection.group().context("no group")?;
    ensure!(group == case.group, "group {group}");
    Ok(format!("{agreed} {suite} {group}, equal keys"))
}

fn configure(case: &Case, certificate: &Certificate) -> Config {
    let versions: Vec<_> = case.versions.iter().copied().map(ours::version).collect();
    ours::config(case.agreed, certificate)
        .versions(&versions)
        .groups(case.groups)
        .cookie_exchange(case.cookie)
}

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

const fn case(
    name: &'static str,
    versions: &'static [Version],
    groups: &'static [Group],
    cookie: bool,
) -> Case {
    Case {
        name,
        versions,
        agreed: versions[0],
        groups,
        group: match groups[0] {
            Group::X25519MlKem768 => Group::X25519,
            other => other,
        },
        cookie,
    }
}

use Version::{Dtls12, Dtls13};

/// A line each. Who asks for a cookie is whoever serves. dimpl knows no post-quantum group.
#[rustfmt::skip]
const CASES: &[Case] = &[
    case("1.2", &[Dtls12], &[Group::X25519], false),
    case("1.2 cookie", &[Dtls12], &[Group::X25519], true),
    case("1.3", &[Dtls13], &[Group::X25519], false),
    case("1.3 cookie", &[Dtls13], &[Group::X25519], true),
    case("1.3 all groups", &[Dtls13], &Group::ALL, false),
    case("1.3 P-256", &[Dtls13], &[Group::P256], false),
    case("1.3 of both", &[Dtls13, Dtls12], &Group::ALL, false),
    case("1.3 of both, cookie", &[Dtls13, Dtls12], &Group::ALL, true),
];
