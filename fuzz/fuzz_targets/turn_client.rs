//! A client of TURN and a server that answers anything, in simulated time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::turn::Scenario;

fuzz_target!(|scenario: Scenario| scenario.play());
