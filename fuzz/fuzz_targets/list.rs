#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kernel_auth_exporter::testing::fuzz("list", input));
