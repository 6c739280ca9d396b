//! A datagram of DTLS records: they tile it, and their headers are written as they were read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|datagram: &[u8]| parse::records(datagram));
