//! args → logging → command; nothing else.

use std::io::{self, Write};
use std::process::ExitCode;

use kernel_auth_exporter::cli::{self, Command, Stop};
use kernel_auth_exporter::config::{self, ConfigError};
use kernel_auth_exporter::logging;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Stop::Answer(text)) => return answer(&text, ExitCode::SUCCESS),
        Err(Stop::Mistake(line)) => return complain(&line, 2),
    };
    logging::init(cli.log);
    match cli.command {
        Some(Command::CheckConfig(_)) => match config::check(&cli.flags, &config::process_env) {
            Ok(summary) => answer(&format!("{summary}\n"), ExitCode::SUCCESS),
            Err(error) => refuse(&error),
        },
        Some(Command::Demo(_) | Command::Simulate(_) | Command::Assets(_)) => {
            complain("not wired", 1)
        }
        Some(Command::Once(_)) | None => match config::load(&cli.flags, &config::process_env) {
            Ok(_) => complain("not wired", 1),
            Err(error) => refuse(&error),
        },
    }
}

fn refuse(error: &ConfigError) -> ExitCode {
    complain(&format!("error: {error}"), error.exit_code())
}

fn answer(text: &str, code: ExitCode) -> ExitCode {
    // A reader that went away (`| head`) is no failure.
    let _ = io::stdout().write_all(text.as_bytes());
    code
}

fn complain(line: &str, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{line}");
    ExitCode::from(code)
}
