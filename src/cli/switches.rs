//! Flags with a `--no-` twin, of which the last one given wins. clap's derive
//! has no such thing, so these are put together by hand.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::model::{Collector, CollectorSet};

/// The switches of the API.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KernelSwitches {
    /// `--kernel.allow-http`.
    pub allow_http: Option<bool>,
}

/// The switches of the server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WebSwitches {
    /// `--web.systemd-socket`.
    pub systemd_socket: Option<bool>,
    /// `--web.enable-lifecycle`.
    pub enable_lifecycle: Option<bool>,
}

/// `--collector.NAME` and `--no-collector.NAME`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CollectorFlags {
    given: CollectorSet,
    on: CollectorSet,
}

impl Default for CollectorFlags {
    fn default() -> Self {
        Self {
            given: CollectorSet::EMPTY,
            on: CollectorSet::EMPTY,
        }
    }
}

impl CollectorFlags {
    /// Whether a flag switched it, and how.
    pub(crate) fn given(self, collector: Collector) -> Option<bool> {
        self.given.has(collector).then(|| self.on.has(collector))
    }

    /// The same with `collector` switched by a flag.
    #[must_use]
    pub(crate) fn with(self, collector: Collector, on: bool) -> Self {
        Self {
            given: self.given.with(collector, true),
            on: self.on.with(collector, on),
        }
    }
}

/// A flag with a `--no-` twin, of which the last one given wins.
pub(super) struct Switch {
    pub(super) name: &'static str,
    no: &'static str,
    help: &'static str,
}

macro_rules! switch {
    ($name:literal, $help:literal) => {
        Switch {
            name: $name,
            no: concat!("no-", $name),
            help: $help,
        }
    };
}

const ALLOW_HTTP: Switch = switch!(
    "kernel.allow-http",
    "Allow a plain http:// URL to a host other than this machine [default: off]"
);
const SYSTEMD_SOCKET: Switch = switch!(
    "web.systemd-socket",
    "Take the listening sockets from systemd [default: off]"
);
const ENABLE_LIFECYCLE: Switch = switch!(
    "web.enable-lifecycle",
    "Reload the configuration on POST or PUT to /-/reload; SIGHUP always does [default: off]"
);

const fn collector_switch(collector: Collector) -> Switch {
    match collector {
        Collector::Status => {
            switch!(
                "collector.status",
                "Whether each connection is logged in [default: on]"
            )
        }
        Collector::Auth => switch!("collector.auth", "When that was last checked [default: on]"),
        Collector::Flow => switch!(
            "collector.flow",
            "The latest login flow: state, step, expiry, error [default: on]"
        ),
        Collector::Reauth => switch!(
            "collector.reauth",
            "Whether an unattended re-login is possible, and why [default: on]"
        ),
        Collector::Settings => {
            switch!(
                "collector.settings",
                "How each connection is configured [default: on]"
            )
        }
        Collector::Timeline => switch!(
            "collector.timeline",
            "Login history; costs requests of its own [default: off]"
        ),
        Collector::Org => switch!(
            "collector.org",
            "Limits, plan and key expiry of the organisation [default: off]"
        ),
    }
}

/// All switches.
pub(super) fn switches() -> impl Iterator<Item = Switch> {
    let collectors = Collector::ALL
        .iter()
        .map(|collector| collector_switch(*collector));
    [ALLOW_HTTP, SYSTEMD_SOCKET, ENABLE_LIFECYCLE]
        .into_iter()
        .chain(collectors)
}

impl Switch {
    fn define(self, command: Command) -> Command {
        let yes = Arg::new(self.name)
            .long(self.name)
            .action(ArgAction::SetTrue)
            .overrides_with_all([self.name, self.no])
            .help(self.help);
        let no = Arg::new(self.no)
            .long(self.no)
            .action(ArgAction::SetTrue)
            .overrides_with_all([self.name, self.no])
            .hide(true);
        command.arg(yes).arg(no)
    }

    fn read(self, matches: &ArgMatches) -> Option<bool> {
        if matches.get_flag(self.name) {
            return Some(true);
        }
        matches.get_flag(self.no).then_some(false)
    }
}

/// [`Args`] for a type with `define(Command) -> Command` and
/// `read(&ArgMatches) -> Self`.
macro_rules! args_by_hand {
    ($($name:ident),+) => {$(
        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                Self::define(command)
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::define(command)
            }
        }

        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self::read(matches))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = Self::read(matches);
                Ok(())
            }
        }
    )+};
}

args_by_hand!(KernelSwitches, WebSwitches, CollectorFlags);

impl KernelSwitches {
    fn define(command: Command) -> Command {
        ALLOW_HTTP.define(command)
    }

    fn read(matches: &ArgMatches) -> Self {
        Self {
            allow_http: ALLOW_HTTP.read(matches),
        }
    }
}

impl WebSwitches {
    fn define(command: Command) -> Command {
        ENABLE_LIFECYCLE.define(SYSTEMD_SOCKET.define(command))
    }

    fn read(matches: &ArgMatches) -> Self {
        Self {
            systemd_socket: SYSTEMD_SOCKET.read(matches),
            enable_lifecycle: ENABLE_LIFECYCLE.read(matches),
        }
    }
}

impl CollectorFlags {
    fn define(command: Command) -> Command {
        let command = command.next_help_heading("Collectors");
        Collector::ALL.iter().fold(command, |command, collector| {
            collector_switch(*collector).define(command)
        })
    }

    fn read(matches: &ArgMatches) -> Self {
        let read =
            |flags: Self, collector: &Collector| match collector_switch(*collector).read(matches) {
                Some(on) => flags.with(*collector, on),
                None => flags,
            };
        Collector::ALL.iter().fold(Self::default(), read)
    }
}
