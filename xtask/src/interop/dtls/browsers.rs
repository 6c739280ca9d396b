//! The browsers' tests of DTLS, in either role: at 1.3 with a post-quantum group, at 1.2 where we speak no newer version, and, as its
//! preference, where Firefox does not.

use crate::interop::{browser::Kind, cases};

pub(super) fn chromium_names() -> Vec<String> {
    vec!["chromium_1_3_and_1_2_both_roles".to_owned()]
}

pub(super) fn firefox_names() -> Vec<String> {
    vec!["firefox_1_3_and_1_2_both_roles".to_owned()]
}

pub(super) async fn run(name: &str) -> anyhow::Result<String> {
    let kind = match name.starts_with("chromium") {
        true => Kind::Chromium,
        false => Kind::Firefox,
    };
    let only = ["offers_complete", "offer_complete", "dtls_1_2"];
    cases::run(kind, only.map(str::to_owned).to_vec()).await?;
    Ok("see above".to_owned())
}
