#![no_main]

#[path = "../harness.rs"]
#[allow(dead_code, reason = "each target calls one parser")]
mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::text_tar(data));
