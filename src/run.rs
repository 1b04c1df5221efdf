//! Arguments → logging → command; nothing else.

use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::{self, AssetsArgs, Command, Stop};
use crate::config::{self, ConfigError, Log, process_env};
use crate::version::Build;
use crate::{app, assets, demo, logging, once, output, redact};

/// Runs the program with the words of a command line, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match cli::parse(arguments) {
        Ok(cli) => cli,
        Err(Stop::Answer(text)) => return answer(&text, ExitCode::SUCCESS),
        Err(Stop::Mistake(line)) => return complain(&line, 2),
    };
    let flags = cli.flags;
    match Log::of_flags(&flags) {
        Ok(log) => logging::init(&log),
        Err(error) => return refuse(&error),
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("error: no threads: {error}"), 1),
    };
    let code = match cli.command {
        None => match config::load(&flags, &process_env) {
            Ok(config) => {
                let loader = Arc::new(move || config::load(&flags, &process_env));
                finish(runtime.block_on(app::serve(&config, loader)))
            }
            Err(error) => refuse(&error),
        },
        Some(Command::CheckConfig) => match config::load(&flags, &process_env) {
            Ok(config) => match app::check(&config) {
                Ok(summary) => answer(&format!("{summary}\n"), ExitCode::SUCCESS),
                Err(error) => complain(&format!("error: {error}"), 1),
            },
            Err(error) => refuse(&error),
        },
        Some(Command::Once(args)) => match config::load(&flags, &process_env) {
            Ok(config) => {
                match runtime.block_on(once::run(
                    &config,
                    args.format,
                    args.wide,
                    args.output.as_deref(),
                )) {
                    Ok(true) => ExitCode::SUCCESS,
                    Ok(false) => ExitCode::FAILURE,
                    Err(error) => complain(&format!("error: {error}"), 1),
                }
            }
            Err(error) => refuse(&error),
        },
        Some(Command::Demo(args)) => finish(runtime.block_on(demo::demo(&args, &flags))),
        Some(Command::Simulate(args)) => finish(runtime.block_on(demo::simulate(&args))),
        Some(Command::Assets(args)) => write_assets(&args),
        Some(Command::Generate(args)) => finish(cli::generate(&args.dir)),
        Some(Command::Version) => answer(&Build::current().text(), ExitCode::SUCCESS),
    };
    // A task that is stuck in a system call does not keep the program.
    runtime.shutdown_background();
    logging::flush();
    code
}

fn write_assets(args: &AssetsArgs) -> ExitCode {
    let (mut out, mut hints) = (io::stdout().lock(), io::stderr().lock());
    match assets::run(&args.dir, &args.options, &mut out, &mut hints) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ assets::Error::Options(_)) => complain(&format!("error: {error}"), 2),
        Err(error) => complain(&format!("error: {error}"), 1),
    }
}

fn finish(result: Result<(), impl Display>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("error: {error}"), 1),
    }
}

fn refuse(error: &ConfigError) -> ExitCode {
    complain(&format!("error: {error}"), error.exit_code())
}

fn answer(text: &str, code: ExitCode) -> ExitCode {
    match output::print(text.as_bytes()) {
        Ok(()) => code,
        Err(error) => complain(&format!("error: stdout: {error}"), 1),
    }
}

/// A mistake may hold words of the command line, and one of them the key.
fn complain(line: &str, code: u8) -> ExitCode {
    logging::complain(&redact::guessed(line));
    ExitCode::from(code)
}
