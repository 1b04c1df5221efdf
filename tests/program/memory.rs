//! What answers that are too large, or no answers at all, leave behind.

use kernel_api_simulator::{FaultKind, Options, Rows, Spoil};

use super::support::{Api, Program, world};

/// Not what is tried again, so that nothing waits.
fn faults() -> [FaultKind; 11] {
    [
        FaultKind::Truncate,
        FaultKind::Garbage,
        FaultKind::Html,
        FaultKind::Huge(50_000_000),
        FaultKind::Endless,
        FaultKind::Deep(50_000),
        FaultKind::MoreWithoutOffset,
        FaultKind::MoreWithZero,
        FaultKind::Circle,
        FaultKind::StuckOffset,
        FaultKind::Row(Spoil::NoId, Rows::At(3)),
    ]
}

fn peak_kib(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let mut lines = status.lines();
    let peak = lines.find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
    peak.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn rounds_of_faults_leave_nothing_behind() {
    let api = Api::with(Options {
        // Nobody reaches it, so that each scrape collects.
        rate_limit: Some(1_000_000),
        ..world(500)
    })
    .await;
    let exporter = api.exporter(&[]);
    let mut peaks = Vec::new();
    for _ in 0..4 {
        for fault in faults() {
            let name = format!("{fault:?}");
            api.control.add_fault(fault);
            let scrape = exporter.scrape().await;
            assert_eq!(scrape.value("kernel_auth_up"), Some(0.0), "{name}");
            api.control.clear_faults();
            let scrape = exporter.scrape().await;
            assert_eq!(scrape.value("kernel_auth_up"), Some(1.0), "{name}: over");
        }
        peaks.push(peak_kib(&exporter));
    }
    // The allocator keeps a page's buffer or two more once it has had to give
    // them; pages that are never given back are 16 MiB a round.
    assert!(peaks[3] - peaks[0] < 24 * 1024, "{peaks:?} KiB");
}
