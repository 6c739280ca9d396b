//! Two ICE agents, a hostile network and forged checks, in simulated time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::ice::Scenario;

fuzz_target!(|scenario: Scenario| scenario.play());
