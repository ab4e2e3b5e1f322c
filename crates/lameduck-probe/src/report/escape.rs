//! Text from a server or a command line, made safe to stand in HTML and XML.

/// As text and in attributes with either kind of quotes. Characters that XML 1.0 does not allow become U+FFFD, so that
/// a server that prints bytes of any kind does not make the document unreadable.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            // These turn the direction of what is around them.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// The beginning of a text that may be long, with a sign that there was more.
pub(super) fn clip(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{clip, escape};

    #[test]
    fn nothing_can_end_the_text_or_attribute_it_stands_in() {
        let wild = "</title><script>\"x\" & 'y'\u{0}\u{1b}[31m\u{202e}\u{ffff}\n";
        let safe = "&lt;/title&gt;&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}\n";
        assert_eq!(escape(wild), safe);
        assert_eq!(escape("ümlaut 🦆"), "ümlaut 🦆");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("äöüß", 3), "äöü…");
    }
}
