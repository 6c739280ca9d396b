//! Streams of peers to an ICE agent, cut anyhow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::streams::Scenario;

fuzz_target!(|scenario: Scenario| scenario.play());
