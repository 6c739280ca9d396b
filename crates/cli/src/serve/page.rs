//! The files of the page, part of the program, and the headers they go with.

use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};

/// A file and where it is served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File {
    pub(crate) path: &'static str,
    kind: &'static str,
    text: &'static str,
}

pub(crate) fn response(file: File) -> Response {
    ([(header::CONTENT_TYPE, file.kind)], file.text).into_response()
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

pub(crate) const FILES: [File; 10] = [
    File {
        path: "/",
        kind: HTML,
        text: include_str!("../web/index.html"),
    },
    File {
        path: "/page.css",
        kind: CSS,
        text: include_str!("../web/page.css"),
    },
    File {
        path: "/icon.svg",
        kind: SVG,
        text: include_str!("../web/icon.svg"),
    },
    File {
        path: "/charts.js",
        kind: SCRIPT,
        text: include_str!("../web/charts.js"),
    },
    File {
        path: "/media.js",
        kind: SCRIPT,
        text: include_str!("../web/media.js"),
    },
    File {
        path: "/page.js",
        kind: SCRIPT,
        text: include_str!("../web/page.js"),
    },
    File {
        path: "/peer.js",
        kind: SCRIPT,
        text: include_str!("../web/peer.js"),
    },
    File {
        path: "/plot.js",
        kind: SCRIPT,
        text: include_str!("../web/plot.js"),
    },
    File {
        path: "/sha256.js",
        kind: SCRIPT,
        text: include_str!("../web/sha256.js"),
    },
    File {
        path: "/transfer.js",
        kind: SCRIPT,
        text: include_str!("../web/transfer.js"),
    },
];

/// Nothing from elsewhere, nothing inline, in no one's frame; never cached, as the program may be
/// another one tomorrow.
pub(crate) const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_a_file_names_is_served() {
        let served = |name: &str| {
            FILES
                .iter()
                .any(|file| file.path.trim_start_matches('/') == name)
        };
        for file in FILES {
            let names = file.text.split(['"', '\'']).filter_map(|quoted| {
                let name = quoted.trim_start_matches("./");
                let known = [".js", ".css", ".svg"]
                    .iter()
                    .any(|end| name.ends_with(end));
                known.then_some(name)
            });
            for name in names {
                assert!(served(name), "{} names {name}", file.path);
            }
        }
    }

    #[test]
    fn the_page_names_no_other_host_and_has_nothing_inline() {
        for file in FILES {
            let foreign = file.text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !foreign.contains("http://") && !foreign.contains("https://"),
                "{}",
                file.path
            );
        }
        let page = FILES[0].text;
        assert!(!page.contains("style=") && !page.contains("onclick=") && !page.contains("<style"));
    }
}
