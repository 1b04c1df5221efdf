//! What the state of a connection means for people, and what to do.

use maud::{Markup, html};

use super::parts::date;
use crate::model::{Attention, Connection, Timestamp, plain_words, span_words};
use crate::remedies::Remedy;

/// What it means and what to do, in its `project`.
pub(super) fn help(
    project: Option<&str>,
    connection: &Connection,
    now: Timestamp,
    level: Attention,
) -> Markup {
    let command = |text: &str| command(project, &connection.labels.id(), text);
    let flow = &connection.flow;
    let error = flow.error().filter(|_| level != Attention::Fine);
    let reason = connection
        .can_reauth_reason
        .filter(|_| matches!(level, Attention::NeedsPerson | Attention::NeedsAuth));
    let runbook = match level {
        Attention::Waiting => "KernelAuthFlowAwaitingHuman",
        Attention::NeedsPerson => "KernelAuthConnectionHumanLoginRequired",
        Attention::NeedsAuth => "KernelAuthConnectionNeedsAuth",
        Attention::Unknown => "KernelAuthUnknownStatus",
        Attention::Fine => return html! {},
    };
    let could = level == Attention::NeedsPerson && connection.can_reauth == Some(true);
    html! {
        section.help aria-labelledby="help" {
            h2 #help { "What to do" }
            @if level == Attention::Waiting {
                @if let Some(at) = flow.expires_at {
                    p {
                        strong { (span_words(at.seconds_since(now))) }
                        " are left, until " (date(at)) "."
                    }
                }
                @if let Some(remedy) = Remedy::of_step(flow.step) { (self::remedy(remedy, command)) }
            }
            @if let Some(remedy) = error.and_then(Remedy::of_error) {
                h3 { "The last login failed: " (error.map(|code| plain_words(code.as_str())).unwrap_or_default()) }
                (self::remedy(remedy, command))
            }
            @if could { (switched_off(connection, command)) }
            @if let Some(remedy) = reason.and_then(Remedy::of_reason) {
                h3 {
                    @if could {
                        "It could log in again by itself: "
                    } @else if connection.can_reauth == Some(true) {
                        "It can log in again by itself: "
                    } @else {
                        "It cannot log in again by itself: "
                    }
                    (reason.map(|reason| plain_words(reason.as_str())).unwrap_or_default())
                }
                (self::remedy(remedy, command))
            }
            @if level == Attention::Unknown {
                p { "Look at the connection at Kernel; a newer exporter may know this status." }
                (command("kernel auth connections get <id>"))
            } @else if level != Attention::Waiting && error.is_none() && reason.is_none() {
                p { "Look at the connection at Kernel, and log in by hand if need be." }
                (command("kernel auth connections login <id>"))
            }
            p.soft {
                "Runbook: " span.code { "docs/runbooks/" (runbook) ".md" }
                ", which " span.code { "kernel-auth-exporter assets DIR" } " writes."
            }
        }
    }
}

/// What keeps it from logging in again by itself though it could.
fn switched_off(connection: &Connection, command: impl Fn(&str) -> Markup) -> Markup {
    let settings = &connection.settings;
    let switches = [
        (
            settings.auto_reauth,
            "Unattended re-logins are off.",
            "--auto-reauth",
        ),
        (
            settings.health_checks,
            "Health checks are off.",
            "--health-checks",
        ),
    ];
    html! {
        @for (on, words, flag) in switches {
            @if on == Some(false) {
                h3 { (words) }
                p { "Without them it cannot log in again by itself. Switch them on:" }
                (command(&format!("kernel auth connections update <id> {flag}")))
            }
        }
    }
}

fn remedy(remedy: &Remedy, command: impl Fn(&str) -> Markup) -> Markup {
    html! {
        p { (remedy.meaning) " " (remedy.advice) }
        (command(&remedy.command))
    }
}

/// A command to copy. What a shell could misread is not put into it. Kernel's
/// program looks into the default project only, unless it is told another.
fn command(project: Option<&str>, id: &str, command: &str) -> Markup {
    let is_harmless = |text: &&str| {
        let mut chars = text.chars();
        chars.all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
            && !text.starts_with('-')
    };
    let mut command = match Some(id).filter(is_harmless) {
        Some(id) => command.replace("<id>", id),
        None => command.to_owned(),
    };
    if let Some(project) = project.filter(is_harmless) {
        command = format!("KERNEL_PROJECT={project} {command}");
    }
    let words = command.split(' ').enumerate();
    html! {
        pre tabindex="0" {
            code {
                @for (at, word) in words {
                    @if at > 0 { " " }
                    // A line does not end within the name of an option.
                    @if word.starts_with("--") { span.option { (word) } } @else { (word) }
                }
            }
        }
    }
}
