//! Names that are asked for and answered for, and a link where anybody says anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::mdns::Scenario;

fuzz_target!(|scenario: Scenario| scenario.play());
