//! Two DTLS connections over a hostile wire, in simulated time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::dtls::Scenario;

fuzz_target!(|scenario: Scenario| scenario.play());
