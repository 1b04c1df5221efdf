//! The accounts: one from flags and environment, or those of the config file.

use std::collections::HashSet;
use std::hash::Hash;
use std::path::{Path, PathBuf};

use super::Account;
use super::error::{ConfigError, Origin, Problem};
use super::file::{File, Section, Setting, Settings};
use super::key::{KeySource, looks_like_key, parse_key, read_key};
use super::load::{Env, env_setting, flag};
use super::values::{self, AccountName};
use crate::cli::KernelFlags;
use crate::model::{Projects, Selection, connection_id, project_id};

const NO_KEY: Problem = Problem::fixed(
    "no API key; set KERNEL_API_KEY, or name a file that holds it with --kernel.api-key-file (or \
     KERNEL_API_KEY_FILE), or list accounts in --config.file; to look around without a key, run \
     `kernel-auth-exporter demo`",
);

const NO_KEY_HERE: Problem = Problem::fixed(
    "no API key; give the account api_key_file or api_key_env, or give one for all accounts \
     without their own in KERNEL_API_KEY, KERNEL_API_KEY_FILE or --kernel.api-key-file",
);

/// The accounts of `file`, else the one of flags and environment.
pub(super) fn load(
    flags: &KernelFlags,
    env: &dyn Env,
    file: Option<&File>,
) -> Result<Vec<Account>, ConfigError> {
    let Some((file, sections)) = file.and_then(|file| Some((file, file.accounts()?))) else {
        let key = default_key(flags, env)?.ok_or_else(|| Origin::Missing.error(NO_KEY))?;
        return Ok(vec![of_flags(flags, env, key)?]);
    };
    let mut accounts: Vec<Account> = Vec::with_capacity(sections.len());
    for section in sections {
        let account = of_section(section, file, flags, env, sections.len() == 1)?;
        let twin = accounts.iter().any(|earlier| earlier.name == account.name);
        if let (true, Some(setting)) = (twin, section.value("name")?) {
            return Err(setting.origin.error(Problem::fixed(
                "an earlier account has this name; names become the label account",
            )));
        }
        accounts.push(account);
    }
    Ok(accounts)
}

/// The unnamed account of flags and environment.
pub(super) fn of_flags(
    flags: &KernelFlags,
    env: &dyn Env,
    key: KeySource,
) -> Result<Account, ConfigError> {
    let projects = match given_projects(flags, env)? {
        Some(settings) => projects(&settings)?,
        None => Projects::Unscoped,
    };
    let wanted = Wanted::of_flags(flags);
    Ok(Account {
        name: None,
        key,
        selection: wanted.select(&projects)?,
        projects,
    })
}

fn of_section(
    section: &Section,
    file: &File,
    flags: &KernelFlags,
    env: &dyn Env,
    alone: bool,
) -> Result<Account, ConfigError> {
    let name = section.value("name")?.ok_or_else(|| {
        section.origin().error(Problem::fixed(
            "the account has no name; give it a unique one",
        ))
    })?;
    let name = name.read(AccountName::parse)?;

    let in_file = section.values("projects")?;
    let given = given_projects(flags, env)?;
    let listed = match given {
        Some(given) if !alone => return Err(under_the_account(&given[0], "projects")),
        Some(given) => Some(given),
        None => in_file.map(words_or_list).transpose()?,
    };
    let projects = match listed {
        Some(settings) => projects(&settings)?,
        None => Projects::Unscoped,
    };

    let in_file = Wanted::of_section(section)?;
    let given = Wanted::of_flags(flags);
    let wanted = match given.first() {
        Some((setting, key)) if !alone => return Err(under_the_account(setting, key)),
        // Flags replace the file's whole selection: ids and filters exclude
        // each other, so mixing the two sources would make no sense.
        Some(_) => given,
        None => in_file,
    };
    Ok(Account {
        name: Some(name),
        key: key(section, file, flags, env, alone)?,
        selection: wanted.select(&projects)?,
        projects,
    })
}

fn under_the_account(setting: &Setting, key: &str) -> ConfigError {
    setting.origin.error(Problem::new(format!(
        "the config file has several accounts; put this under its account there, as {key}"
    )))
}

/// The account's own key, else the one of flags and environment. A file with
/// one account is overruled by them like every other setting.
fn key(
    section: &Section,
    file: &File,
    flags: &KernelFlags,
    env: &dyn Env,
    alone: bool,
) -> Result<KeySource, ConfigError> {
    let in_file = section.value("api_key_file")?;
    let in_env = section.value("api_key_env")?;
    if let (Some(_), Some(setting)) = (&in_file, &in_env) {
        return Err(setting.origin.error(Problem::fixed(
            "the account has api_key_file too; leave one of the two out",
        )));
    }
    let own = in_file.is_some() || in_env.is_some();
    if (!own || alone)
        && let Some(key) = default_key(flags, env)?
    {
        return Ok(key);
    }
    if let Some(setting) = in_file {
        let path = match setting.text.as_str() {
            "" => PathBuf::new(),
            text => file.resolve(text),
        };
        return key_in_file(&setting.origin, path);
    }
    if let Some(setting) = in_env {
        return key_in_env(&setting, env);
    }
    Err(section.origin().error(NO_KEY_HERE).about_usage())
}

/// The key of flags and environment.
fn default_key(flags: &KernelFlags, env: &dyn Env) -> Result<Option<KeySource>, ConfigError> {
    if let Some(path) = &flags.api_key_file {
        return key_in_file(&Origin::Flag("--kernel.api-key-file"), path.clone()).map(Some);
    }
    let value = env.var("KERNEL_API_KEY");
    let path = env.var("KERNEL_API_KEY_FILE");
    match (value, path) {
        (Some(_), Some(_)) => Err(Origin::Env("KERNEL_API_KEY".into()).error(Problem::fixed(
            "KERNEL_API_KEY_FILE is set too; leave one of the two out",
        ))),
        (Some(value), None) => {
            let key = parse_key(value.as_encoded_bytes()).map_err(|problem| {
                Origin::Env("KERNEL_API_KEY".into()).error(Problem::new(problem.to_string()))
            })?;
            Ok(Some(KeySource::Value(key)))
        }
        (None, Some(path)) => key_in_file(
            &Origin::Env("KERNEL_API_KEY_FILE".into()),
            PathBuf::from(path),
        )
        .map(Some),
        (None, None) => Ok(None),
    }
}

fn key_in_file(origin: &Origin, path: PathBuf) -> Result<KeySource, ConfigError> {
    if path == Path::new("") {
        return Err(origin.error(Problem::fixed(
            "empty; name the file that holds the API key",
        )));
    }
    match read_key(&path) {
        Ok(_) => Ok(KeySource::File(path)),
        Err(error) => Err(origin.error(Problem::new(error.to_string())).about_a_file()),
    }
}

fn key_in_env(setting: &Setting, env: &dyn Env) -> Result<KeySource, ConfigError> {
    let name = &setting.text;
    let is_a_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !looks_like_key(name);
    if !is_a_name {
        return Err(setting.origin.error(Problem::fixed(
            "not the name of an environment variable; the key itself does not stand here",
        )));
    }
    let Some(value) = env.var(name) else {
        let text = format!("the environment variable {name} is not set");
        return Err(setting.origin.error(Problem::new(text)));
    };
    let key = parse_key(value.as_encoded_bytes()).map_err(|problem| {
        let text = format!("the environment variable {name}: {problem}");
        setting.origin.error(Problem::new(text))
    })?;
    Ok(KeySource::Value(key))
}

/// `--kernel.project`, else `KERNEL_PROJECT`; not empty.
fn given_projects(flags: &KernelFlags, env: &dyn Env) -> Result<Option<Vec<Setting>>, ConfigError> {
    if flags.project.is_empty() {
        return Ok(env_setting(env, "KERNEL_PROJECT")?.map(|setting| vec![setting]));
    }
    Ok(Some(settings("--kernel.project", &flags.project)))
}

/// In the file a single word is `all`: one project is a list of one.
fn words_or_list(settings: Settings) -> Result<Vec<Setting>, ConfigError> {
    match settings {
        Settings::List(settings) => Ok(settings),
        Settings::Word(setting) if setting.text == "all" => Ok(vec![setting]),
        Settings::Word(setting) => Err(setting.origin.error(Problem::fixed(
            "must be a list of project IDs, as in [proj_a], or the word all",
        ))),
    }
}

fn projects(settings: &[Setting]) -> Result<Projects, ConfigError> {
    let all = settings.iter().position(|setting| setting.text == "all");
    match all {
        Some(_) if settings.len() == 1 => Ok(Projects::All),
        Some(index) => Err(settings[index].origin.error(Problem::fixed(
            "all stands for every project; give it alone, or leave it out",
        ))),
        None => each_once(settings, project_id).map(Projects::Listed),
    }
}

/// The values of a repeatable flag.
pub(super) fn settings(name: &'static str, values: &[String]) -> Vec<Setting> {
    values
        .iter()
        .filter_map(|value| flag(name, Some(value)))
        .collect()
}

/// Reads each; a value that was there before is an error.
pub(super) fn each_once<T: Clone + Eq + Hash, P: Into<Problem>>(
    settings: &[Setting],
    parse: impl Fn(&str) -> Result<T, P>,
) -> Result<Vec<T>, ConfigError> {
    let count = settings.len();
    let mut values = Vec::with_capacity(count);
    let mut seen = HashSet::with_capacity(count);
    for (index, setting) in settings.iter().enumerate() {
        // Values of one flag have one origin: their number tells them apart.
        let which = match setting.origin {
            Origin::Flag(_) if count > 1 => format!("value {}: ", index + 1),
            _ => String::new(),
        };
        let error = |problem: Problem| {
            setting
                .origin
                .error(Problem::new(format!("{which}{problem}")))
        };
        let value = parse(&setting.text).map_err(|problem| error(problem.into()))?;
        if !seen.insert(value.clone()) {
            return Err(error(Problem::fixed("given twice")));
        }
        values.push(value);
    }
    Ok(values)
}

/// Connections, domains and profiles of one source.
struct Wanted {
    connections: Vec<Setting>,
    domains: Vec<Setting>,
    profiles: Vec<Setting>,
}

impl Wanted {
    fn of_flags(flags: &KernelFlags) -> Self {
        Self {
            connections: settings("--kernel.connection", &flags.connection),
            domains: settings("--kernel.domain", &flags.domain),
            profiles: settings("--kernel.profile", &flags.profile),
        }
    }

    fn of_section(section: &Section) -> Result<Self, ConfigError> {
        let list = |key| match section.values(key)? {
            None => Ok(Vec::new()),
            Some(Settings::List(settings)) => Ok(settings),
            Some(Settings::Word(setting)) => Err(setting
                .origin
                .error(Problem::fixed("must be a list, as in [one, two]"))),
        };
        Ok(Self {
            connections: list("connections")?,
            domains: list("domains")?,
            profiles: list("profiles")?,
        })
    }

    /// One of what was given, with its key in the file.
    fn first(&self) -> Option<(&Setting, &'static str)> {
        let first = |list: &'_ [Setting], key| list.first().map(|_| key);
        let key = first(&self.connections, "connections")
            .or(first(&self.domains, "domains"))
            .or(first(&self.profiles, "profiles"))?;
        let mut all = self
            .connections
            .iter()
            .chain(&self.domains)
            .chain(&self.profiles);
        Some((all.next()?, key))
    }

    fn select(&self, projects: &Projects) -> Result<Selection, ConfigError> {
        let Some(connection) = self.connections.first() else {
            return Ok(Selection::Every {
                domains: each_once(&self.domains, values::domain)?,
                profiles: each_once(&self.profiles, values::profile)?,
            });
        };
        let origin = connection.origin.clone();
        if let Some(filter) = self.domains.first().or(self.profiles.first()) {
            return Err(filter.origin.error(Problem::fixed(
                "domains and profiles narrow \"every connection\"; with connections by ID, leave \
                 them out",
            )));
        }
        let several = match projects {
            Projects::Unscoped => false,
            Projects::Listed(ids) => ids.len() > 1,
            Projects::All => true,
        };
        if several {
            return Err(origin.error(Problem::fixed(
                "a connection belongs to one project; name one project with connections by ID, \
                 and use an account of its own for each further project",
            )));
        }
        each_once(&self.connections, connection_id).map(Selection::ids)
    }
}
