//! Two whole engines, their signalling and their network in the hands of the fuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::engine::Scenario;

fuzz_target!(|scenario: Scenario| scenario.play());
