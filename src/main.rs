//! args → logging → command; nothing else.

use std::process::ExitCode;

use clap::Parser;
use kernel_auth_exporter::cli::{Cli, Command};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let Some(Command::Simulate(args)) = cli.command else {
        return ExitCode::from(2);
    };
    tracing_subscriber::registry()
        .with(
            tracing_logfmt::builder()
                .layer()
                .with_writer(std::io::stderr),
        )
        .init();
    let shutdown = CancellationToken::new();
    let signal = shutdown.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        signal.cancel();
    });
    let address = args.listen_address();
    let served = kernel_auth_exporter::simulator::simulate(
        &address,
        args.control_address.as_deref(),
        args.options(),
        shutdown,
    );
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
