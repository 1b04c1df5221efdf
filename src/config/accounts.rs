//! The accounts: one from flags and environment, or those of the config file.

use std::path::Path;

use secrecy::SecretString;

use super::Account;
use super::error::{ConfigError, Origin};
use super::file::{Entry, File};
use super::key::{KeySource, parse_key, read_key};
use super::setting::{Text, each_once};
use super::sources::{Env, Sources, variable};
use super::table::Watch;
use super::values;
use crate::model::{Exclude, Projects, Selection, connection_id, project_id};
use crate::redact;

const NO_KEY: &str = "no API key; set KERNEL_API_KEY, or name a file that holds it with --kernel.api-key-file (or \
     KERNEL_API_KEY_FILE), or list accounts in --config.file; to look around without a key, run \
     `kernel-auth-exporter demo`";

const NO_KEY_HERE: &str = "no API key; give the account api_key_file or api_key_env, or give one for all accounts \
     without their own in KERNEL_API_KEY, KERNEL_API_KEY_FILE or --kernel.api-key-file";

/// Whether keys are at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// Each account must have one.
    AtHand,
    /// None is read, and none is missed.
    Elsewhere,
}

impl Keys {
    /// What stands for a key that is elsewhere; `missing` where it should be
    /// here.
    fn or(self, missing: impl FnOnce() -> ConfigError) -> Result<KeySource, ConfigError> {
        match self {
            Self::AtHand => Err(missing()),
            Self::Elsewhere => Ok(KeySource::Value(SecretString::default())),
        }
    }
}

/// The accounts of the file, else the one of flags and environment.
pub(super) fn load(sources: &Sources<'_>, keys: Keys) -> Result<Vec<Account>, ConfigError> {
    let places = sources.file.and_then(File::accounts);
    let given = Given {
        watch: Watch::read(&Sources {
            file: None,
            ..*sources
        })?,
        env: sources.env,
        keys,
        alone: places.as_ref().is_none_or(|places| places.len() == 1),
    };
    let Some(places) = places else {
        let key = match given.key()? {
            Some(key) => key,
            None => keys.or(|| Origin::Nowhere.error(NO_KEY))?,
        };
        return Ok(vec![of_flags(&given.watch, key)?]);
    };
    let mut accounts: Vec<Account> = Vec::with_capacity(places.len());
    for place in &places {
        let own = Watch::read(place)?;
        let name = own.name.as_ref();
        let name =
            name.ok_or_else(|| place.error("the account has no name; give it a unique one"))?;
        let account = Account {
            name: Some(name.read(label(values::account_name))?),
            ..given.account(place, &own)?
        };
        if accounts.iter().any(|earlier| earlier.name == account.name) {
            return Err(name
                .origin
                .error("an earlier account has the same name; names become the label account"));
        }
        accounts.push(account);
    }
    Ok(accounts)
}

/// The unnamed account of flags and environment.
pub(super) fn of_flags(given: &Watch, key: KeySource) -> Result<Account, ConfigError> {
    let projects = projects(&given.projects)?;
    Ok(Account {
        name: None,
        key,
        selection: selection(given, &projects)?,
        projects,
    })
}

/// What flags and environment say, without the file.
struct Given<'a> {
    watch: Watch,
    env: &'a Env<'a>,
    keys: Keys,
    /// Whether there is one account at most: they win over it as they do
    /// elsewhere.
    alone: bool,
}

impl Given<'_> {
    /// An account of the file, still without its name.
    fn account(&self, place: &Entry<'_>, own: &Watch) -> Result<Account, ConfigError> {
        let given = &self.watch;
        let selections = [
            (&given.projects, "projects"),
            (&given.connections, "connections"),
            (&given.domains, "domains"),
            (&given.profiles, "profiles"),
        ];
        for (texts, key) in selections {
            if let (false, Some(text)) = (self.alone, texts.first()) {
                return Err(text.origin.error(format_args!(
                    "the config file has several accounts; set {key} on one of them instead"
                )));
            }
        }
        let listed = if given.projects.is_empty() {
            &own.projects
        } else {
            &given.projects
        };
        let projects = projects(listed)?;
        // Flags replace the file's whole selection: ids and filters exclude each
        // other, so mixing the two sources would make no sense.
        let selects = selections[1..].iter().any(|(texts, _)| !texts.is_empty());
        let wanted = if selects { given } else { own };
        Ok(Account {
            name: None,
            key: self.key_of(place, own)?,
            selection: selection(wanted, &projects)?,
            projects,
        })
    }

    /// The account's own key, else the one of flags and environment.
    fn key_of(&self, place: &Entry<'_>, own: &Watch) -> Result<KeySource, ConfigError> {
        if let (Some(_), Some(text)) = (&own.api_key_file, &own.api_key_env) {
            return Err(text
                .origin
                .error("the account has api_key_file as well; remove one of the two"));
        }
        let has_own = own.api_key_file.is_some() || own.api_key_env.is_some();
        if (!has_own || self.alone)
            && let Some(key) = self.key()?
        {
            return Ok(key);
        }
        match (&own.api_key_file, &own.api_key_env) {
            (Some(text), _) => key_in_file(text, self.keys),
            (None, Some(text)) => key_in_env(text, self.env, self.keys),
            (None, None) => self.keys.or(|| place.error(NO_KEY_HERE).about_usage()),
        }
    }

    /// The key of flags and environment.
    fn key(&self) -> Result<Option<KeySource>, ConfigError> {
        const NAME: &str = "KERNEL_API_KEY";
        match (&self.watch.api_key_file, variable(self.env, NAME)) {
            (
                Some(Text {
                    origin: Origin::Env(file),
                    ..
                }),
                Some(_),
            ) => Err(Origin::Env(NAME)
                .error(format_args!("{file} is set as well; unset one of the two"))),
            (Some(text), _) => key_in_file(text, self.keys).map(Some),
            (None, Some(value)) => parse_key(value.as_encoded_bytes())
                .map(|key| Some(KeySource::Value(key)))
                .map_err(|problem| Origin::Env(NAME).error(problem)),
            (None, None) => Ok(None),
        }
    }
}

fn key_in_file(text: &Text, keys: Keys) -> Result<KeySource, ConfigError> {
    let path = text.path();
    if path == Path::new("") {
        return Err(text
            .origin
            .error("empty; name the file that holds the API key"));
    }
    if keys == Keys::Elsewhere {
        return Ok(KeySource::File(path));
    }
    match read_key(&path) {
        Ok(_) => Ok(KeySource::File(path)),
        Err(error) => Err(text.origin.error(error).about_a_file()),
    }
}

fn key_in_env(text: &Text, env: &Env<'_>, keys: Keys) -> Result<KeySource, ConfigError> {
    let name = text.str()?;
    let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_a_name = !name.is_empty()
        && name.bytes().all(of_a_name)
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !redact::looks_like_key(name);
    if !is_a_name {
        return Err(text.origin.error(
            "not the name of an environment variable; the key itself does not belong here",
        ));
    }
    let Some(value) = variable(env, name) else {
        return keys.or(|| {
            text.origin.error(format_args!(
                "the environment variable {name} is not set, or is empty"
            ))
        });
    };
    parse_key(value.as_encoded_bytes())
        .map(KeySource::Value)
        .map_err(|problem| {
            let origin = &text.origin;
            origin.error(format_args!("the environment variable {name}: {problem}"))
        })
}

/// Reads what becomes a label, and is no key in the wrong place.
fn label<T>(
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> impl Fn(&str) -> Result<T, &'static str> {
    move |text| {
        if redact::is_key(text) {
            return Err("this is an API key, or looks like one; it does not belong here");
        }
        parse(text)
    }
}

fn projects(texts: &[Text]) -> Result<Projects, ConfigError> {
    match texts.iter().find(|text| text.text == "all") {
        None if texts.is_empty() => Ok(Projects::Unscoped),
        None => each_once(texts, label(project_id)).map(Projects::Listed),
        Some(_) if texts.len() == 1 => Ok(Projects::All),
        Some(all) => Err(all
            .origin
            .error("all means every project; give it alone, or leave it out")),
    }
}

fn selection(watch: &Watch, projects: &Projects) -> Result<Selection, ConfigError> {
    let Some(connection) = watch.connections.first() else {
        let pattern = |parse: fn(&str) -> _| move |text: &str| values::pattern(text, parse);
        return Ok(Selection::Every {
            domains: each_once(&watch.domains, label(values::domain))?,
            profiles: each_once(&watch.profiles, label(values::profile))?,
            exclude: Exclude {
                domains: each_once(&watch.exclude_domains, pattern(values::domain))?,
                profiles: each_once(&watch.exclude_profiles, pattern(values::profile))?,
            },
        });
    };
    let filters = [
        &watch.domains,
        &watch.profiles,
        &watch.exclude_domains,
        &watch.exclude_profiles,
    ];
    if let Some(filter) = filters.into_iter().find_map(|texts| texts.first()) {
        return Err(filter.origin.error(
            "domains, profiles and exclude narrow \"every connection\"; with connections by ID, \
             leave them out",
        ));
    }
    let several = match projects {
        Projects::Unscoped => false,
        Projects::Listed(ids) => ids.len() > 1,
        Projects::All => true,
    };
    if several {
        // A variable that nobody thinks of may have named them.
        let by = watch
            .projects
            .first()
            .and_then(|project| project.origin.name());
        let by = by.map_or_else(String::new, |name| format!(", in {name}"));
        return Err(connection.origin.error(format_args!(
            "a connection belongs to one project; name one project with connections by ID{by}, and \
             use an account of its own for each further project",
        )));
    }
    each_once(&watch.connections, label(connection_id)).map(Selection::ids)
}
