//! The table as columns of text and as Markdown, and what keeps other people's words from steering either.

use std::fmt::Write as _;

use super::Layout;

/// Aligned, two spaces apart.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let cells: Vec<_> = cells.collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// With a line under the first row.
pub(super) fn markdown(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (place, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row.iter().map(|cell| shown(cell, Layout::Markdown)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if place == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
        }
    }
    text
}

/// On one line, and without what steers a terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Without what Markdown would take for its own.
pub(super) fn shown(text: &str, layout: Layout) -> String {
    match layout {
        Layout::Text => plain(text),
        Layout::Markdown => plain(text)
            .chars()
            .flat_map(|c| {
                let special = matches!(c, '|' | '*' | '_' | '<' | '>' | '[' | ']' | '\\' | '&');
                special.then_some('\\').into_iter().chain([c])
            })
            .collect(),
    }
}

/// As code, between more backticks than are in it.
pub(super) fn code(text: &str) -> String {
    let text = plain(text);
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let gap = if longest > 0 { " " } else { "" };
    format!("{fence}{gap}{text}{gap}{fence}")
}
