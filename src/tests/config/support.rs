//! Loading a configuration as the program does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;

use secrecy::ExposeSecret;

use crate::cli;
use crate::config::{self, Config, ConfigError, Flags, KeySource};

/// Stands for a key wherever one is needed.
pub(crate) const SECRET: &str = "sk_test_Zq9this0is1no2real3key";

/// Loads with the arguments of a command line and an environment.
pub(crate) fn load(arguments: &[&str], env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let env: BTreeMap<&str, OsString> = env
        .iter()
        .map(|(name, value)| (*name, OsString::from(value)))
        .collect();
    config::load(&flags(arguments), &|name: &str| env.get(name).cloned())
}

pub(crate) fn flags(arguments: &[&str]) -> Flags {
    let arguments = ["kernel-auth-exporter"]
        .iter()
        .chain(arguments)
        .map(OsString::from);
    cli::parse(arguments)
        .expect("the arguments are legal")
        .flags
}

pub(crate) fn load_with_key(arguments: &[&str]) -> Result<Config, ConfigError> {
    load(arguments, &[("KERNEL_API_KEY", SECRET)])
}

/// A config file with `text`, next to a file `key`.
pub(crate) fn write_config(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("key"), SECRET).unwrap();
    let path = directory.path().join("config.yml");
    fs::write(&path, text).unwrap();
    let flag = format!("--config.file={}", path.display());
    (directory, flag)
}

pub(super) fn key_of(config: &Config) -> String {
    match &config.accounts[0].key {
        KeySource::File(path) => format!("file {}", path.display()),
        KeySource::Value(key) => key.expose_secret().to_owned(),
    }
}
