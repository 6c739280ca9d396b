//! The browsers' tests of DTLS, in either role: at 1.3 with a post-quantum group, and behind a HelloRetryRequest with another, at 1.2 where we
//! speak no newer version, and, as its preference, where Firefox does not.

use crate::interop::{asked::matches, browser::Kind, cases};

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
    let names = names(kind);
    cases::run(kind, names.clone(), false).await?;
    Ok(names.join(", "))
}

/// Those of all tests of a browser that are about DTLS.
fn names(kind: Kind) -> Vec<String> {
    let parts = ["offers_complete", "offer_complete", "dtls_1_2", "our_group"].map(str::to_owned);
    let mut names = cases::names(kind);
    names.retain(|name| matches(&parts, name));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_spoken_in_each_role() {
        let ours = [
            "browser_offers_complete",
            "we_offer_complete",
            "our_dtls_1_2_browser_offers",
            "our_dtls_1_2_we_offer",
            "our_group_we_offer",
        ];
        let its_own = ["dtls_1_2_browser_offers", "dtls_1_2_we_offer"];
        assert_eq!(names(Kind::Chromium), ours);
        assert_eq!(names(Kind::Firefox), [&ours[..], &its_own].concat());
    }
}
