//! Writing HTML in which text stays text.

/// A page in the making. Markup is part of the program; whatever comes from
/// elsewhere is [`Html::text`].
pub(super) struct Html(String);

impl Html {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Markup.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Anything, between tags or in a quoted attribute.
    pub(super) fn text(&mut self, text: &str) {
        for char in text.chars() {
            match char {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                char if char.is_control() => self.0.push('\u{FFFD}'),
                char => self.0.push(char),
            }
        }
    }

    /// A name that somebody else chose: what turns the writing direction ends
    /// with it.
    pub(super) fn name(&mut self, name: &str) {
        self.raw("<bdi>");
        self.text(name);
        self.raw("</bdi>");
    }

    /// A domain, that rather breaks at a dot than within a word.
    pub(super) fn domain(&mut self, domain: &str) {
        self.raw("<bdi>");
        for (at, part) in domain.split('.').enumerate() {
            if at > 0 {
                self.raw(".<wbr>");
            }
            self.text(part);
        }
        self.raw("</bdi>");
    }

    /// A number with its thousands set apart.
    pub(super) fn count(&mut self, number: usize) {
        self.text(&counted(number));
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn counted(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(counted(number), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(text in any::<String>()) {
            let mut html = Html::with_capacity(0);
            html.text(&text);
            let html = html.finish();
            prop_assert!(!html.contains(['<', '>', '"', '\'', '\n', '\0']));
            let back = html
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&#39;", "'")
                .replace("&amp;", "&");
            let expected: String =
                text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
            prop_assert_eq!(back, expected);
        }
    }
}
