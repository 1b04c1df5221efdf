//! Tells systemd how it goes, where systemd asks (`Type=notify`).

use sd_notify::NotifyState;

/// The listeners are bound, the configuration is in force.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] ends it, whatever came of it.
pub(super) fn reloading() {
    // In one message: systemd takes what it hears later for an older reload.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic clock for the service manager"),
    }
}

/// Running answers are being finished.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    // Nothing happens where nobody asked. That a message is lost stops nothing.
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager was not told");
    }
}
