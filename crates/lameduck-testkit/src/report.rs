//! Finding lameduck's report among what a server prints.

use serde_json::Value;

/// The last line that is a JSON object: where standard error is no terminal, lameduck prints its report as one.
#[must_use]
pub fn last_json_object(text: &str) -> Option<Value> {
    text.lines()
        .rev()
        .find_map(|line| serde_json::from_str(line.trim()).ok().filter(Value::is_object))
}
