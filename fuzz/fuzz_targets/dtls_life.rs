//! Two connected DTLS connections that renew their keys all the time, in simulated time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::dtls::Life;

fuzz_target!(|life: Life| life.play());
