//! The program: everything is in the library, so that its tests can look inside.

use std::process::ExitCode;

fn main() -> ExitCode {
    kernel_auth_exporter::run(std::env::args_os())
}
