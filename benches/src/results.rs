//! What all parts found: printed as it comes, kept for the JSON and the exit code.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::table::Table;

/// The results so far.
#[derive(Debug)]
pub(crate) struct Results {
    machine: Value,
    parts: Map<String, Value>,
    remarks: Vec<String>,
    left_out: Vec<String>,
    missed: Vec<String>,
    failed: Vec<String>,
}

impl Results {
    pub(crate) fn new(machine: Value) -> Results {
        Results {
            machine,
            parts: Map::new(),
            remarks: Vec::new(),
            left_out: Vec::new(),
            missed: Vec::new(),
            failed: Vec::new(),
        }
    }

    pub(crate) fn machine_line(&self) -> String {
        let fields = self.machine.as_object().into_iter().flatten();
        let fields = fields.map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}: {text}"),
            None => format!("{name}: {value}"),
        });
        fields.collect::<Vec<_>>().join("; ")
    }

    /// A table to be read, and the figures behind it.
    pub(crate) fn add(&mut self, name: &str, table: &Table, figures: Value) {
        println!("{table}");
        self.parts.insert(name.to_owned(), figures);
    }

    /// Something that has to be known to read the figures that follow; once.
    pub(crate) fn remark(&mut self, what: String) {
        if !self.remarks.contains(&what) {
            println!("{what}\n");
            self.remarks.push(what);
        }
    }

    /// Something could not be measured here.
    pub(crate) fn left_out(&mut self, what: impl Into<String>) {
        let what = what.into();
        eprintln!("not run: {what}");
        self.left_out.push(what);
    }

    /// Compares a figure with the target that it is to reach at least.
    pub(crate) fn at_least(&mut self, what: &str, figure: f64, target: f64) {
        self.judge(figure >= target, format!("{what}: {figure:.3}, at least {target} wanted"));
    }

    /// Compares a figure with the target that it is not to exceed.
    pub(crate) fn at_most(&mut self, what: &str, figure: f64, target: f64) {
        self.judge(figure <= target, format!("{what}: {figure:.3}, at most {target} wanted"));
    }

    /// Takes down whether a target was met.
    fn judge(&mut self, met: bool, what: String) {
        if met {
            println!("met: {what}");
        } else {
            self.missed.push(what);
        }
    }

    /// A part ended before it had its figures.
    pub(crate) fn failed(&mut self, part: &str, error: &str) {
        eprintln!("failed: {part}: {error}");
        self.failed.push(format!("{part}: {error}"));
    }

    pub(crate) fn print_end(&self) {
        for what in &self.missed {
            println!("missed: {what}");
        }
        for what in &self.left_out {
            println!("not run: {what}");
        }
        for what in &self.failed {
            println!("failed: {what}");
        }
        let counts = [self.missed.len(), self.failed.len(), self.left_out.len()];
        println!("{} targets missed, {} parts failed, {} not run", counts[0], counts[1], counts[2]);
    }

    pub(crate) fn json(&self) -> String {
        let all = json!({
            "machine": self.machine,
            "parts": self.parts,
            "remarks": self.remarks,
            "missed": self.missed,
            "failed": self.failed,
            "not run": self.left_out,
        });
        format!("{all:#}\n")
    }

    pub(crate) fn code(&self) -> ExitCode {
        match (self.missed.is_empty() && self.failed.is_empty(), self.left_out.is_empty()) {
            (false, _) => ExitCode::FAILURE,
            (true, false) => ExitCode::from(3),
            (true, true) => ExitCode::SUCCESS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_meets_its_target_up_to_the_target_itself() {
        let mut results = Results::new(Value::Null);
        results.at_least("ratio", 0.97, 0.97);
        results.at_most("time", 5.0, 5.0);
        assert!(results.missed.is_empty(), "{results:?}");
        results.at_least("ratio", 0.969, 0.97);
        results.at_most("time", f64::NAN, 5.0);
        assert_eq!(
            results.missed,
            ["ratio: 0.969, at least 0.97 wanted", "time: NaN, at most 5 wanted"]
        );
        assert_eq!(results.code(), ExitCode::FAILURE);
    }
}
