//! A file of encoded media: frames come out in bounds, and the error says where it ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|file: &[u8]| parse::container_file(file));
