//! The text form of faults: `status=503,endpoint=connections,every=3`.

use std::str::FromStr;

use super::duration::parse_duration;
use super::fault::{Fault, FaultKind, RetryAfter, Rows, Spoil};
use super::route::Route;

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',').map(str::trim);
        let head = parts.next().unwrap_or_default();
        let (name, value) = halves(head);
        let mut fault = Self::new(kind(name, value)?);
        fault.text = Some(text.to_owned());
        for part in parts {
            let (name, value) = halves(part);
            let value = value.ok_or_else(|| format!("fault `{text}`: `{name}` needs a value"))?;
            narrow(&mut fault, name, value).map_err(|error| format!("fault `{text}`: {error}"))?;
        }
        Ok(fault)
    }
}

fn halves(text: &str) -> (&str, Option<&str>) {
    text.split_once('=')
        .map_or((text, None), |(name, value)| (name, Some(value)))
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("`{name}={value}` is not a number"))
}

/// `300MB`, `64kB`, `12`.
fn bytes(name: &str, value: &str) -> Result<u64, String> {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &value[digits.len()..] {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(format!("`{name}={value}` is not a size such as 300MB")),
    };
    Ok(number::<u64>(name, digits)?.saturating_mul(unit))
}

fn kind(name: &str, value: Option<&str>) -> Result<FaultKind, String> {
    let needed = || value.ok_or_else(|| format!("fault `{name}` needs a value, `{name}=…`"));
    let counted = |default: usize| value.map_or(Ok(default), |value| number(name, value));
    let first = || Rows::At(0);
    Ok(match name {
        "status" => {
            let status: u16 = number(name, needed()?)?;
            if !(200..=599).contains(&status) {
                return Err(format!("`status={status}` is not a status from 200 to 599"));
            }
            FaultKind::Status {
                status,
                code: None,
                retry_after: None,
                should_retry: None,
            }
        }
        "latency" => FaultKind::Latency(parse_duration(needed()?)?),
        "silent" => FaultKind::Silent,
        "hang-up" => FaultKind::HangUp,
        "stall" => FaultKind::Stall,
        "stall-body" => FaultKind::StallBody,
        "reset" => FaultKind::Reset,
        "truncate" => FaultKind::Truncate,
        "garbage" => FaultKind::Garbage,
        "html" => FaultKind::Html,
        "huge" => FaultKind::Huge(bytes(name, value.unwrap_or("200MB"))?),
        "endless" => FaultKind::Endless,
        "deep" => FaultKind::Deep(counted(100_000)?),
        "redirect" => FaultKind::Redirect(needed()?.to_owned()),
        "more-without-offset" => FaultKind::MoreWithoutOffset,
        "more-with-zero" => FaultKind::MoreWithZero,
        "circle" => FaultKind::Circle,
        "stuck-offset" => FaultKind::StuckOffset,
        "empty-page" => FaultKind::EmptyPage(counted(100)?),
        "page-cap" => FaultKind::PageCap(counted(50)?.max(1)),
        "duplicate-rows" => FaultKind::DuplicateRows(counted(1)?),
        "delete-rows" => FaultKind::DeleteRows(counted(1)?),
        "insert-rows" => FaultKind::InsertRows(counted(1)?),
        "malformed-row" => FaultKind::Row(
            match value.unwrap_or("types") {
                "types" => Spoil::Types,
                "no-id" => Spoil::NoId,
                "no-status" => Spoil::NoStatus,
                "text" => Spoil::Text,
                "null" => Spoil::Null,
                other => {
                    return Err(format!(
                        "`malformed-row={other}`: expected types, no-id, no-status, text or null"
                    ));
                }
            },
            first(),
        ),
        "unknown-values" => FaultKind::Row(Spoil::UnknownValues, first()),
        "date-skew" => {
            let text = needed()?;
            let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
            let seconds = i64::try_from(parse_duration(rest)?.as_secs()).unwrap_or(i64::MAX);
            FaultKind::DateSkew(sign * seconds)
        }
        "without-header" => FaultKind::WithoutHeader(needed()?.to_ascii_lowercase()),
        "header" => {
            let (header, value) = needed()?
                .split_once(':')
                .ok_or("`header` is written `header=NAME:VALUE`")?;
            FaultKind::Header(header.trim().to_ascii_lowercase(), value.trim().to_owned())
        }
        _ => {
            return Err(format!(
                "`{name}` is not a kind of fault; docs/simulator.md lists them"
            ));
        }
    })
}

fn narrow(fault: &mut Fault, name: &str, value: &str) -> Result<(), String> {
    match (name, &mut fault.kind) {
        ("endpoint", _) => {
            for word in value.split('+') {
                let route = Route::parse(word).ok_or_else(|| {
                    format!("`{word}` is not an endpoint; docs/simulator.md lists them")
                })?;
                fault.routes.push(route);
            }
        }
        ("project", _) => fault.project = Some(value.to_owned()),
        ("key", _) => fault.key = Some(value.to_owned()),
        ("id", _) => fault.id = Some(value.to_owned()),
        ("offset", _) => fault.offset = Some(number(name, value)?),
        ("skip", _) => fault.skip = number(name, value)?,
        ("every", _) => fault.every = number::<u64>(name, value)?.max(1),
        ("times", _) => fault.times = Some(number(name, value)?),
        ("code", FaultKind::Status { code, .. }) => *code = Some(value.to_owned()),
        ("retry-after", FaultKind::Status { retry_after, .. }) => {
            *retry_after = Some(match value.strip_prefix("date:") {
                Some(ahead) => RetryAfter::Date(parse_duration(ahead)?),
                None => RetryAfter::Text(value.to_owned()),
            });
        }
        ("should-retry", FaultKind::Status { should_retry, .. }) => {
            *should_retry = Some(value == "true");
        }
        ("row", FaultKind::Row(_, rows)) => {
            *rows = match value {
                "all" => Rows::All,
                _ => value
                    .parse()
                    .map_or_else(|_| Rows::Id(value.to_owned()), Rows::At),
            };
        }
        _ => return Err(format!("`{name}` does not go with it")),
    }
    Ok(())
}
