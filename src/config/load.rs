//! Defaults, config file, environment and flags, the later over the earlier.

use std::ffi::OsString;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::time::Duration;

use exporter_toolkit::listener::{Listen, ListenAddress};
use secrecy::SecretString;

use super::accounts;
use super::error::{ConfigError, Origin, Problem};
use super::file::{File, Setting};
use super::key::{KeySource, reason, shown_path};
use super::values::{self, ApiUrl, QuotaShare, one_of};
use super::{Account, Api, Config, Metrics, Web};
use crate::cli::{Flags, WebFlags};
use crate::model::{Collector, CollectorSet, ProfileNameMode, States};
use crate::model::{Projects, Selection};

const DEFAULT_URL: &str = "https://api.onkernel.com";
const DEFAULT_LISTEN: &str = ":10077";

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// Environment variables, so that tests bring their own.
pub(crate) trait Env {
    /// The value of a variable, if it is set.
    fn var(&self, name: &str) -> Option<OsString>;
}

impl<F: Fn(&str) -> Option<OsString>> Env for F {
    fn var(&self, name: &str) -> Option<OsString> {
        self(name)
    }
}

/// The environment of this process: `load(&flags, &process_env)`.
pub(crate) fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Reads everything; the first mistake is the error.
///
/// Files with keys are read once to see that they hold one. No network.
pub(crate) fn load(flags: &Flags, env: &dyn Env) -> Result<Config, ConfigError> {
    let file = flags.config_file.as_deref().map(File::read).transpose()?;
    let sources = Sources {
        flags,
        env,
        file: file.as_ref(),
    };
    let url = sources.url()?;
    sources.config(url, CollectorSet::default(), || {
        accounts::load(&flags.kernel, env, file.as_ref())
    })
}

/// The API that `demo` brings along.
#[derive(Debug)]
pub(crate) struct Simulated {
    /// Its base URL, on loopback.
    pub url: String,
    /// The key that it takes.
    pub key: SecretString,
}

/// The same for `demo`: URL and key are the simulator's, every project is
/// watched unless flags choose, and every collector is on unless switched off.
///
/// The environment is not asked, so that a real key stays out of a demo.
pub(crate) fn load_demo(flags: &Flags, simulated: Simulated) -> Result<Config, ConfigError> {
    let env = |_: &str| None;
    let brings = Problem::fixed("demo brings its own API and key; leave this out");
    if flags.kernel.api_url.is_some() {
        return Err(Origin::Flag("--kernel.api-url").error(brings));
    }
    if flags.kernel.api_key_file.is_some() {
        return Err(Origin::Flag("--kernel.api-key-file").error(brings));
    }
    let file = flags.config_file.as_deref().map(File::read).transpose()?;
    if let Some(account) = file
        .as_ref()
        .and_then(File::accounts)
        .and_then(<[_]>::first)
    {
        return Err(account.origin().error(brings));
    }
    let url =
        ApiUrl::parse(&simulated.url, false).map_err(|problem| Origin::Missing.error(problem))?;
    let key = KeySource::Value(simulated.key);
    let mut account = accounts::of_flags(&flags.kernel, &env, key)?;
    if account.projects == Projects::Unscoped && !matches!(account.selection, Selection::Ids(_)) {
        account.projects = Projects::All;
    }
    let every = Collector::ALL
        .iter()
        .fold(CollectorSet::EMPTY, |set, collector| {
            set.with(*collector, true)
        });
    let sources = Sources {
        flags,
        env: &env,
        file: file.as_ref(),
    };
    sources.config(url, every, || Ok(vec![account]))
}

/// Everything that can hold a setting.
struct Sources<'a> {
    flags: &'a Flags,
    env: &'a dyn Env,
    file: Option<&'a File>,
}

impl Sources<'_> {
    fn config(
        &self,
        url: ApiUrl,
        collectors: CollectorSet,
        accounts: impl FnOnce() -> Result<Vec<Account>, ConfigError>,
    ) -> Result<Config, ConfigError> {
        let timeline_requests = self.api(
            "timeline_requests",
            flag(
                "--kernel.timeline-requests",
                self.flags.kernel.timeline_requests.as_ref(),
            ),
        )?;
        Ok(Config {
            api: self.api_settings(url)?,
            metrics: self.metrics()?,
            collectors: self.collectors(collectors)?,
            timeline_requests: read(timeline_requests, values::count_in(0..=1000), 20)?,
            web: web(&self.flags.web)?,
            // Last: without a key, what else is wrong is worth knowing first.
            accounts: accounts()?,
        })
    }

    /// A setting of the section `api`, unless a flag was given.
    fn api(&self, key: &str, flag: Option<Setting>) -> Result<Option<Setting>, ConfigError> {
        let in_file = self.file.map(|file| file.api(key)).transpose()?.flatten();
        Ok(flag.or(in_file))
    }

    fn url(&self) -> Result<ApiUrl, ConfigError> {
        let allow_http = match self.flags.kernel.switches.allow_http {
            Some(given) => given,
            None => read(self.api("allow_http", None)?, values::boolean, false)?,
        };
        let given = flag("--kernel.api-url", self.flags.kernel.api_url.as_ref());
        let given = match given {
            Some(given) => Some(given),
            None => env_setting(self.env, "KERNEL_BASE_URL")?,
        };
        let parse = |text: &str| ApiUrl::parse(text, allow_http);
        match self.api("url", given)? {
            Some(setting) => setting.read(parse),
            None => Ok(parse(DEFAULT_URL).expect("the default is an https URL")),
        }
    }

    fn api_settings(&self, url: ApiUrl) -> Result<Api, ConfigError> {
        let flags = &self.flags.kernel;
        let timeout = self.api("timeout", flag("--kernel.timeout", flags.timeout.as_ref()))?;
        let concurrency = self.api(
            "concurrency",
            flag("--kernel.concurrency", flags.concurrency.as_ref()),
        )?;
        let cache = self.api("cache", flag("--kernel.cache", flags.cache.as_ref()))?;
        let hold = self.api("hold", flag("--kernel.hold", flags.hold.as_ref()))?;
        let quota_share = self.api(
            "quota_share",
            flag("--kernel.quota-share", flags.quota_share.as_ref()),
        )?;
        let max_connections = self.api(
            "max_connections",
            flag("--kernel.max-connections", flags.max_connections.as_ref()),
        )?;
        let duration = |setting, least, most, default| {
            read(setting, values::duration_in(least..=most), default)
        };
        Ok(Api {
            url,
            timeout: duration(
                timeout,
                Duration::from_millis(100),
                10 * MINUTE,
                Duration::from_secs(10),
            )?,
            concurrency: match concurrency {
                Some(setting) => setting.read(values::count_up_to(256))?,
                None => values::count_up_to(256)("8").expect("8 is within 1 to 256"),
            },
            cache: duration(cache, Duration::ZERO, HOUR, Duration::ZERO)?,
            hold: duration(hold, Duration::ZERO, WEEK, 5 * MINUTE)?,
            quota_share: match quota_share {
                Some(setting) => setting.read(QuotaShare::parse)?,
                None => QuotaShare::parse("0.5").expect("0.5 is a share"),
            },
            ca_file: self.ca_file()?,
            max_connections: match max_connections {
                Some(setting) => setting.read(values::count_up_to(10_000_000))?.get(),
                None => 250_000,
            },
        })
    }

    fn ca_file(&self) -> Result<Option<PathBuf>, ConfigError> {
        let Some(file) = self.file else {
            return Ok(None);
        };
        let Some(setting) = file
            .api("ca_file")?
            .filter(|setting| !setting.text.is_empty())
        else {
            return Ok(None);
        };
        let path = file.resolve(&setting.text);
        readable(&path).map_err(|problem| setting.origin.error(problem))?;
        Ok(Some(path))
    }

    fn metrics(&self) -> Result<Metrics, ConfigError> {
        let pick = |key, given: Option<Setting>| -> Result<Option<Setting>, ConfigError> {
            let in_file = self
                .file
                .map(|file| file.metrics(key))
                .transpose()?
                .flatten();
            Ok(given.or(in_file))
        };
        let flags = &self.flags.metrics;
        let states = pick("states", flag("--metrics.states", flags.states.as_ref()))?;
        let profile_name = pick(
            "profile_name",
            flag("--metrics.profile-name", flags.profile_name.as_ref()),
        )?;
        Ok(Metrics {
            states: read(
                states,
                one_of(States::ALL, States::LABELS),
                States::default(),
            )?,
            profile_name: read(
                profile_name,
                one_of(ProfileNameMode::ALL, ProfileNameMode::LABELS),
                ProfileNameMode::default(),
            )?,
        })
    }

    fn collectors(&self, mut set: CollectorSet) -> Result<CollectorSet, ConfigError> {
        for collector in Collector::ALL {
            let in_file = self
                .file
                .map(|file| file.collector(collector.as_str()))
                .transpose()?;
            let in_file = in_file
                .flatten()
                .map(|setting| setting.read(values::boolean));
            let given = self
                .flags
                .collectors
                .given(*collector)
                .or(in_file.transpose()?);
            if let Some(on) = given {
                set = set.with(*collector, on);
            }
        }
        Ok(set)
    }
}

fn web(flags: &WebFlags) -> Result<Web, ConfigError> {
    let path = flag("--web.telemetry-path", flags.telemetry_path.as_ref());
    let max_requests = flag("--web.max-requests", flags.max_requests.as_ref());
    let offset = flag("--web.timeout-offset", flags.timeout_offset.as_ref());
    let offsets = values::duration_in(Duration::ZERO..=MINUTE);
    Ok(Web {
        listen: listen(flags)?,
        telemetry_path: read(path, values::telemetry_path, "/metrics".to_owned())?,
        config_file: flags.config_file.clone(),
        max_requests: match max_requests {
            Some(setting) => setting.read(values::count_up_to(10_000))?.get(),
            None => 40,
        },
        timeout_offset: read(offset, offsets, Duration::from_millis(500))?,
        enable_lifecycle: flags.switches.enable_lifecycle.unwrap_or(false),
    })
}

fn listen(flags: &WebFlags) -> Result<Listen, ConfigError> {
    const FLAG: &str = "--web.listen-address";
    if flags.switches.systemd_socket.unwrap_or(false) {
        if flags.listen_address.is_empty() {
            return Ok(Listen::Systemd);
        }
        return Err(Origin::Flag(FLAG).error(Problem::fixed(
            "with --web.systemd-socket systemd names the address; leave one of the two out",
        )));
    }
    let address = |text: &str| {
        let parsed: Result<ListenAddress, _> = text.parse();
        parsed.map_err(|error| Problem::new(error.to_string()))
    };
    let mut addresses = list(&flags.listen_address, FLAG, address)?;
    if addresses.is_empty() {
        addresses.push(DEFAULT_LISTEN.parse().expect("the default is an address"));
    }
    Ok(Listen::Addresses(addresses))
}

/// A flag's value, if it was given.
pub(super) fn flag(name: &'static str, value: Option<&String>) -> Option<Setting> {
    value.map(|text| Setting {
        text: text.clone(),
        origin: Origin::Flag(name),
    })
}

/// A variable's value; empty is as good as not set.
pub(super) fn env_setting(
    env: &dyn Env,
    name: &'static str,
) -> Result<Option<Setting>, ConfigError> {
    let origin = Origin::Env(name.into());
    match env.var(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) if text.is_empty() => Ok(None),
        Some(Ok(text)) => Ok(Some(Setting { text, origin })),
        Some(Err(_)) => Err(origin.error(Problem::fixed("not UTF-8 text"))),
    }
}

/// Reads what was given, else takes the default.
fn read<T>(
    setting: Option<Setting>,
    parse: impl Fn(&str) -> Result<T, Problem>,
    default: T,
) -> Result<T, ConfigError> {
    setting.map_or(Ok(default), |setting| setting.read(parse))
}

/// The values of a repeatable flag, each once.
fn list<T: Clone + Eq + Hash>(
    values: &[String],
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Vec<T>, ConfigError> {
    accounts::each_once(&accounts::settings(name, values), parse)
}

fn readable(path: &Path) -> Result<(), Problem> {
    let shown = shown_path(path);
    let unreadable =
        |error: std::io::Error| Problem::new(format!("file {shown}: {}", reason(error.kind())));
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Problem::new(format!("file {shown}: not a regular file")));
    }
    std::fs::File::open(path).map_err(unreadable)?;
    Ok(())
}
