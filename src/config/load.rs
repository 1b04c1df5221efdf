//! From flags, environment and config file to one [`Config`].

use exporter_toolkit::listener::Listen;
use secrecy::SecretString;

use super::Config;
use super::accounts::{self, Keys};
use super::error::{ConfigError, Origin};
use super::file::File;
use super::key::KeySource;
use super::setting::{Source, readable};
use super::sources::{Env, Flags, Sources};
use super::table::{self, Api, ConfigFile, Metrics, Watch, Web, collectors};
use super::values::{ApiUrl, ExternalUrl, Prefix};
use crate::model::{Collector, CollectorSet, Projects, Selection};

/// Reads everything; the first mistake is the error.
///
/// Files with keys are read once to see that they hold one. No network.
pub(crate) fn load(flags: &Flags, env: &Env<'_>) -> Result<Config, ConfigError> {
    read(flags, env, Keys::AtHand)
}

/// The same where neither keys nor certificates are, as in the checks of a
/// repository. What it returns is good for nothing but to be told.
pub(crate) fn load_without_keys(flags: &Flags, env: &Env<'_>) -> Result<Config, ConfigError> {
    read(flags, env, Keys::Elsewhere)
}

fn read(flags: &Flags, env: &Env<'_>, keys: Keys) -> Result<Config, ConfigError> {
    let file = config_file(flags, env)?;
    let file = file.as_ref();
    let sources = Sources { flags, env, file };
    Ok(Config {
        file: file.map(File::path),
        api: api(&sources, keys)?,
        metrics: Metrics::read(&sources)?,
        collectors: collectors(&sources, CollectorSet::default())?,
        web: web(&sources)?,
        // Last: without a key, what else is wrong is worth knowing first.
        accounts: accounts::load(&sources, keys)?,
    })
}

/// Flags of what `demo` brings itself.
pub(crate) const BROUGHT_BY_DEMO: [&str; 2] = ["kernel.api-url", "kernel.api-key-file"];

/// The same for `demo`: `url` and `key` are the simulator's, every project is
/// watched unless flags choose, and every collector is on unless switched off.
///
/// The environment is not asked, so that a real key stays out of a demo.
pub(crate) fn load_demo(
    flags: &Flags,
    url: &str,
    key: SecretString,
) -> Result<Config, ConfigError> {
    const BRINGS: &str = "demo brings its own API and key; leave this out";
    let env = |_: &str| None;
    let file = config_file(flags, &env)?;
    let sources = Sources {
        flags,
        env: &env,
        file: file.as_ref(),
    };
    for flag in BROUGHT_BY_DEMO {
        if let Some(given) = sources.texts(table::row(flag))?.first() {
            return Err(given.origin.error(BRINGS));
        }
    }
    let in_file = file.as_ref().and_then(File::accounts);
    if let Some(account) = in_file.iter().flatten().next() {
        return Err(account.error(BRINGS));
    }
    let mut account = accounts::of_flags(&Watch::read(&sources)?, KeySource::Value(key))?;
    if account.projects == Projects::Unscoped && !matches!(account.selection, Selection::Ids(_)) {
        account.projects = Projects::All;
    }
    let every = Collector::ALL
        .iter()
        .fold(CollectorSet::EMPTY, |set, name| set.with(*name, true));
    let url = ApiUrl::parse(url).map_err(|problem| Origin::Nowhere.error(problem))?;
    Ok(Config {
        file: file.as_ref().map(File::path),
        api: Api {
            url,
            ..api(&sources, Keys::AtHand)?
        },
        metrics: Metrics::read(&sources)?,
        collectors: collectors(&sources, every)?,
        web: web(&sources)?,
        accounts: vec![account],
    })
}

fn config_file(flags: &Flags, env: &Env<'_>) -> Result<Option<File>, ConfigError> {
    let file = None;
    let named = ConfigFile::read(&Sources { flags, env, file })?.path;
    named
        .map(|path| File::read(&path, table::rows()))
        .transpose()
}

fn api(sources: &Sources<'_>, keys: Keys) -> Result<Api, ConfigError> {
    let api = Api::read(sources)?;
    let roots = sources
        .file
        .map(|file| file.root().texts(table::row_of_key("api.ca_file")));
    if let (Keys::AtHand, Some(roots)) = (keys, roots.transpose()?) {
        roots.last().map_or(Ok(()), readable)?;
    }
    if api.url.is_in_the_clear() && !api.allow_http {
        let given = sources.texts(table::row("kernel.api-url"))?;
        let origin = given
            .last()
            .map_or(Origin::Nowhere, |text| text.origin.clone());
        return Err(origin.error(
            "http:// would send the key in the clear to another machine; use https://, or allow it \
             with --kernel.allow-http (api.allow_http in the config file)",
        ));
    }
    Ok(api)
}

fn web(sources: &Sources<'_>) -> Result<Web, ConfigError> {
    let web = Web::read(sources)?;
    let addresses = sources.texts(table::row("web.listen-address"))?;
    match addresses.first() {
        Some(given) if web.systemd_socket => Err(given.origin.error(
            "with --web.systemd-socket it is systemd that names the address; use one of the two",
        )),
        _ => Ok(web),
    }
}

impl Web {
    /// Where to listen, of the two settings that say so.
    pub(crate) fn listen(&self) -> Listen {
        if self.systemd_socket {
            return Listen::Systemd;
        }
        Listen::Addresses(self.listen_address.clone())
    }

    /// What stands before every path, of the two settings that say so.
    pub(crate) fn prefix(&self) -> Prefix {
        let external = self.external_url.as_ref().map(ExternalUrl::path);
        let prefix = self.route_prefix.as_ref().or(external);
        prefix.cloned().unwrap_or_default()
    }
}
