//! A candidate line, as `addIceCandidate` is given it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_sdp::Candidate;

fuzz_target!(|text: &str| {
    if let Ok(candidate) = Candidate::parse(text) {
        assert_eq!(Candidate::parse(&candidate.to_string()), Ok(candidate));
    }
});
