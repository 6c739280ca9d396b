//! The browsers' tests of DTLS: at 1.3 in either role with a post-quantum group, and Firefox at 1.2 as well.

use crate::interop::{browser::Kind, cases};

pub(super) fn chromium_names() -> Vec<String> {
    vec!["chromium_1_3_both_roles".to_owned()]
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
