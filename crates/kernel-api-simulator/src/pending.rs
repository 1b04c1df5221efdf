//! What a waiting flow asks for, in the canonical and in the older arrays.

use super::connection::Arrays;
use super::json::Object;
use super::script::Pending;

const NAMES: [&str; 6] = [
    "fields",
    "choices",
    "discovered_fields",
    "mfa_options",
    "sign_in_options",
    "pending_sso_buttons",
];

const LOGIN_FIELDS: &str = concat!(
    r#"[{"id":"field_user","ref":"username","type":"identifier","reason":"missing","#,
    r#""label":"E-mail (do-not-export)","input_mode":"email","required":true,"observed_selector":"input[name=do-not-export]"},"#,
    r#"{"id":"field_pass","ref":"password","type":"password","reason":"rejected","label":"Password (do-not-export)","required":true}]"#,
);
const LOGIN_DISCOVERED: &str = concat!(
    r##"[{"name":"username","type":"email","label":"E-mail (do-not-export)","selector":"#do-not-export-user","placeholder":"you@do-not-export.example","required":true},"##,
    r##"{"name":"password","type":"password","label":"Password (do-not-export)","selector":"#do-not-export-pass","required":true}]"##,
);
const FACTOR_CHOICES: &str = concat!(
    r#"[{"id":"choice_sms","type":"mfa_method","label":"Text do-not-export 41","mfa_type":"sms","masked_destination":"***-do-not-export-41"},"#,
    r#"{"id":"choice_totp","type":"mfa_method","label":"Authenticator do-not-export","mfa_type":"totp"},"#,
    r#"{"id":"choice_other","type":"other","label":"Another way (do-not-export)","mfa_type":"switch","display_text":"do-not-export"}]"#,
);
const FACTOR_OPTIONS: &str = concat!(
    r#"[{"type":"sms","label":"Text do-not-export 41","target":"***-do-not-export-41","description":null},"#,
    r#"{"type":"totp","label":"Authenticator do-not-export"},"#,
    r#"{"type":"switch","label":"Another way (do-not-export)"}]"#,
);
const CODE_FIELDS: &str = r#"[{"id":"field_code","ref":"code","type":"code","reason":"missing","label":"Code (do-not-export)","hint":"Sent to do-not-export 41","input_mode":"numeric","required":true}]"#;
const CODE_DISCOVERED: &str = r##"[{"name":"code","type":"code","label":"Code (do-not-export)","selector":"#do-not-export-code","hint":"Sent to do-not-export 41","linked_mfa_type":"sms","required":true}]"##;
const PROVIDER_CHOICES: &str = concat!(
    r#"[{"id":"choice_google","type":"sso_provider","label":"Continue with Google (do-not-export)"},"#,
    r#"{"id":"choice_microsoft","type":"sso_provider","label":"Continue with Microsoft (do-not-export)"}]"#,
);
const PROVIDER_BUTTONS: &str = concat!(
    r#"[{"provider":"google","label":"Continue with Google (do-not-export)","selector":"//button[@id='do-not-export-1']"},"#,
    r#"{"provider":"microsoft","label":"Continue with Microsoft (do-not-export)","selector":"//button[@id='do-not-export-2']"}]"#,
);
const ACCOUNT_CHOICES: &str = concat!(
    r#"[{"id":"choice_a","type":"account","label":"ops@do-not-export.example","description":"Operations (do-not-export)"},"#,
    r#"{"id":"choice_b","type":"account","label":"sales@do-not-export.example"},"#,
    r#"{"id":"choice_c","type":"account","label":"hr@do-not-export.example","context":"do-not-export"}]"#,
);
const ACCOUNT_OPTIONS: &str = concat!(
    r#"[{"id":"option_a","label":"ops@do-not-export.example","description":"Operations (do-not-export)"},"#,
    r#"{"id":"option_b","label":"sales@do-not-export.example","description":null},"#,
    r#"{"id":"option_c","label":"hr@do-not-export.example"}]"#,
);
const PUSH_CHOICES: &str = r#"[{"id":"choice_sms","type":"mfa_method","label":"Text a code instead (do-not-export)","mfa_type":"sms","masked_destination":"***-do-not-export-41"}]"#;
const PUSH_OPTIONS: &str = r#"[{"type":"sms","label":"Text a code instead (do-not-export)","target":"***-do-not-export-41"}]"#;

/// Canonical members and the older ones that say the same.
type Texts = ((&'static str, &'static str), (&'static str, &'static str));

const fn texts(pending: Pending) -> Option<Texts> {
    let (canonical, legacy) = match pending {
        Pending::Nothing => return None,
        Pending::Login => (
            ("fields", LOGIN_FIELDS),
            ("discovered_fields", LOGIN_DISCOVERED),
        ),
        Pending::Factor => (("choices", FACTOR_CHOICES), ("mfa_options", FACTOR_OPTIONS)),
        Pending::Code => (
            ("fields", CODE_FIELDS),
            ("discovered_fields", CODE_DISCOVERED),
        ),
        Pending::Provider => (
            ("choices", PROVIDER_CHOICES),
            ("pending_sso_buttons", PROVIDER_BUTTONS),
        ),
        Pending::Account => (
            ("choices", ACCOUNT_CHOICES),
            ("sign_in_options", ACCOUNT_OPTIONS),
        ),
        Pending::Push => (("choices", PUSH_CHOICES), ("mfa_options", PUSH_OPTIONS)),
    };
    Some((canonical, legacy))
}

/// Writes the arrays of a pause.
pub(crate) fn write(object: &mut Object<'_>, pending: Pending, arrays: Arrays) {
    let texts = texts(pending);
    let canonical = texts
        .filter(|_| arrays != Arrays::Legacy)
        .map(|texts| texts.0);
    let legacy = texts
        .filter(|_| arrays != Arrays::Canonical)
        .map(|texts| texts.1);
    for name in NAMES {
        let text = [canonical, legacy].into_iter().flatten();
        object.raw(
            name,
            text.filter(|text| text.0 == name).map(|text| text.1).next(),
        );
    }
}
