//! Two SCTP associations over a hostile wire with forged chunks, in simulated time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::sctp::Scenario;

fuzz_target!(|scenario: Scenario| scenario.play());
