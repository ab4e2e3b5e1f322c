//! The stop report that a shop wrote as it went, made readable.

use std::slice;

use serde_json::{Map, Value};

/// The most lines of plain text that are shown.
const LAST_LINES: usize = 12;

/// The report in a shop's log: its last line of JSON, one field or element of a list a line, or the last lines as they
/// are.
pub(super) fn report(log: &[String]) -> Vec<String> {
    let json =
        log.iter().rev().find_map(|line| serde_json::from_str::<Map<String, Value>>(line).ok());
    let Some(report) = json else {
        return log[log.len().saturating_sub(LAST_LINES)..].to_vec();
    };
    let width = report.keys().map(String::len).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (name, value) in report.iter().filter(|(_, value)| !is_empty(value)) {
        let elements = value.as_array().map_or(slice::from_ref(value), Vec::as_slice);
        for (index, element) in elements.iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            lines.push(format!("{name:<width$}  {}", plain(element)));
        }
    }
    lines
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value without quotes and brackets: `name text, count 5`, several of them parted by `;`.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !is_empty(value));
            fields
                .map(|(name, value)| format!("{name} {}", plain(value)))
                .collect::<Vec<_>>()
                .join(", ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::report;

    #[test]
    fn the_last_json_line_becomes_one_field_or_element_a_line() {
        let log = [
            "{\"old\":1}",
            "stopping",
            r#"{"code":0,"phases":[{"ms":5,"name":"drain"},{"ms":1,"name":"close"}],"stuck":[]}"#,
            "bye",
        ];
        assert_eq!(
            report(&log.map(String::from)),
            ["code    0", "phases  ms 5, name drain", "        ms 1, name close"]
        );
    }

    #[test]
    fn without_json_the_last_lines_are_shown() {
        let log: Vec<String> = (0..20).map(|number| format!("line {number}")).collect();
        assert_eq!(report(&log).first().unwrap(), "line 8");
        assert!(report(&[]).is_empty());
    }
}
