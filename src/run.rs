//! Arguments → logging → command; nothing else.

use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::cli::{self, AssetsArgs, CheckArgs, Cli, Command, OnceArgs, Stop};
use crate::config::{self, ConfigError, Flags, Log, process_env};
use crate::demo::DemoError;
use crate::model::Collector;
use crate::version::Build;
use crate::{app, assets, check, demo, logging, once, output, redact};

/// Why the program did not do what it was asked to.
struct Failed {
    /// In one line.
    error: String,
    code: u8,
}

impl Failed {
    fn new(error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            code: 1,
        }
    }

    /// The command line is wrong.
    fn usage(error: impl Display) -> Self {
        Self {
            code: 2,
            ..Self::new(error)
        }
    }
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Self {
        Self {
            code: error.exit_code(),
            ..Self::new(error)
        }
    }
}

/// Runs the program with the words of a command line, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // Errors keep to it that come before anything else is understood.
    let format = cli::log_format(&arguments);
    let code = match cli::parse(arguments) {
        Ok(cli) => execute(cli),
        Err(Stop::Answer(text)) => answer(&text, ExitCode::SUCCESS),
        Err(Stop::Mistake(line)) => Err(Failed::usage(line)),
    };
    let code = code.unwrap_or_else(|failed| {
        // A mistake may hold words of the command line, and one of them the key.
        logging::complain(format, &redact::guessed(&failed.error));
        ExitCode::from(failed.code)
    });
    logging::flush();
    code
}

fn execute(cli: Cli) -> Result<ExitCode, Failed> {
    let flags = cli.flags;
    let log = Log::of_flags(&flags)?;
    logging::init(&match cli.command {
        // The report says it all, unless somebody wants to see more.
        Some(Command::CheckConfig(ref args))
            if args.online && flags.values("log.level").is_empty() =>
        {
            log.quiet()
        }
        _ => log,
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::new(format_args!("no threads: {error}")))?;
    let code = match cli.command {
        None => serve(flags, &runtime),
        Some(Command::CheckConfig(args)) => check_config(&args, &flags, &runtime),
        Some(Command::Once(args)) => run_once(&args, &flags, &runtime),
        Some(Command::Demo(args)) => shown(runtime.block_on(demo::demo(&args, &flags))),
        Some(Command::Simulate(args)) => shown(runtime.block_on(demo::simulate(&args))),
        Some(Command::Assets(args)) => write_assets(&args, &flags),
        Some(Command::Generate(args)) => finish(cli::generate(&args.dir)),
        Some(Command::Version) => answer(&Build::current().text(), ExitCode::SUCCESS),
    };
    // A task that is stuck in a system call does not keep the program.
    runtime.shutdown_background();
    code
}

fn serve(flags: Flags, runtime: &Runtime) -> Result<ExitCode, Failed> {
    let config = config::load(&flags, &process_env)?;
    let loader = Arc::new(move || config::load(&flags, &process_env));
    finish(runtime.block_on(app::serve(&config, loader)))
}

fn check_config(args: &CheckArgs, flags: &Flags, runtime: &Runtime) -> Result<ExitCode, Failed> {
    if args.syntax_only {
        let config = config::load_without_keys(flags, &process_env)?;
        let summary = check::syntax(&config).map_err(Failed::new)?;
        return answer(&format!("{summary}\n"), ExitCode::SUCCESS);
    }
    let config = config::load(flags, &process_env)?;
    let summary = app::check(&config).map_err(Failed::new)?;
    if !args.online {
        return answer(&format!("{summary}\n"), ExitCode::SUCCESS);
    }
    let report = runtime.block_on(check::online(&config, args.interval));
    let report = report.map_err(Failed::new)?;
    answer(&report.text, code(report.is_good))
}

fn run_once(args: &OnceArgs, flags: &Flags, runtime: &Runtime) -> Result<ExitCode, Failed> {
    let config = config::load(flags, &process_env)?;
    let whole = runtime.block_on(once::run(&config, args));
    whole.map(code).map_err(Failed::new)
}

fn write_assets(args: &AssetsArgs, flags: &Flags) -> Result<ExitCode, Failed> {
    let mut off = Vec::new();
    if !flags.values("config.file").is_empty() {
        // The environment of whoever writes alerts says nothing of the exporter.
        let on = config::load_without_keys(flags, &|_: &str| None)?.collectors;
        let all = Collector::ALL.iter().filter(|name| !on.has(**name));
        off.extend(all.map(|name| name.as_str()));
    }
    let (mut out, mut hints) = (io::stdout().lock(), io::stderr().lock());
    let done = if args.check {
        assets::check(&args.dir, &args.options, &off, &mut out)
    } else {
        assets::run(&args.dir, &args.options, &off, &mut out, &mut hints)
    };
    match done {
        Err(error @ assets::Error::Options(_)) => Err(Failed::usage(error)),
        done => finish(done),
    }
}

/// Of a command that ran: whether the API answered fully.
fn code(whole: bool) -> ExitCode {
    if whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Of a command that shows the simulated API.
fn shown(result: Result<(), DemoError>) -> Result<ExitCode, Failed> {
    match result {
        Err(DemoError::Config(error)) => Err(error.into()),
        // No machine has such an address.
        Err(DemoError::Simulator(error)) if error.kind() == io::ErrorKind::InvalidInput => {
            Err(Failed::usage(DemoError::Simulator(error)))
        }
        result => finish(result),
    }
}

fn finish(result: Result<(), impl Display>) -> Result<ExitCode, Failed> {
    result.map(|()| ExitCode::SUCCESS).map_err(Failed::new)
}

fn answer(text: &str, code: ExitCode) -> Result<ExitCode, Failed> {
    let printed = output::print(text.as_bytes());
    printed.map_err(|error| Failed::new(format_args!("stdout: {error}")))?;
    Ok(code)
}
