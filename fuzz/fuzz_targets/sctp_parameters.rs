//! Parameters and error causes of SCTP: what was read is written and read again, equal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|bytes: &[u8]| parse::sctp_parameters(bytes));
