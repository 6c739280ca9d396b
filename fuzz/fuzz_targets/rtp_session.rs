//! The receive path as a whole: packets in any order into a session.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|bytes: &[u8]| parse::rtp_session(bytes, oxirtc_netsim::epoch()));
