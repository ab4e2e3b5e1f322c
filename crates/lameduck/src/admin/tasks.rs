//! `/tasks`: every task of the service, as JSON or as a table for people.

use serde::Serialize;

use crate::budget::Span;
use crate::lifecycle::Shared;
use crate::part::TaskView;
use crate::report::PartState;

/// Every task of the service, now: in the order in which they were declared.
pub(crate) fn views(shared: &Shared) -> Vec<TaskView> {
    shared.registry().entries().iter().flat_map(|entry| entry.part.tasks()).collect()
}

/// Whether a task is hung whose hanging fails `/livez`.
pub(super) fn any_fails_livez(shared: &Shared) -> bool {
    let hung = |view: &TaskView| view.fails_livez && view.state == PartState::Hung;
    views(shared).iter().any(hung)
}

pub(super) fn json(tasks: &[TaskView]) -> String {
    #[derive(Serialize)]
    struct Tasks<'a> {
        tasks: &'a [TaskView],
    }
    // Plain values have no way to fail.
    serde_json::to_string(&Tasks { tasks }).unwrap_or_default() + "\n"
}

/// A table with a line for each task, what needs a look first.
pub(super) fn text(tasks: &[TaskView]) -> String {
    let mut sorted: Vec<&TaskView> = tasks.iter().collect();
    sorted.sort_by_key(|view| match view.state {
        PartState::Hung => 0,
        PartState::Panicked | PartState::Failed | PartState::Abandoned => 1,
        PartState::Running | PartState::Finishing | PartState::Starting => 2,
        PartState::Done => 3,
    });
    let head = ["NAME", "KIND", "STATE", "AGE", "BUSY", "BEAT", "PROGRESS", "PLACE", "NOTE"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(sorted.into_iter().map(row));
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn row(view: &TaskView) -> [String; 9] {
    let time = |time: Option<std::time::Duration>| {
        time.map_or("-".to_owned(), |time| Span(time).to_string())
    };
    let beat = match (view.beat, view.promise) {
        (Some(ago), Some(promise)) => format!("{} of {}", Span(ago), Span(promise)),
        (ago, _) => time(ago),
    };
    let mut note = view.note.clone().unwrap_or_default();
    if let Some(failure) = &view.last_failure {
        let before = if note.is_empty() { "" } else { "; " };
        note += &format!("{before}failed {} times: {failure}", view.failures);
    }
    [
        view.name.clone(),
        view.kind.to_owned(),
        view.state.name().to_owned(),
        time(view.age),
        time(view.busy),
        beat,
        view.progress.map_or("-".to_owned(), |progress| progress.to_string()),
        view.place.clone(),
        // One line for each task, whatever stands in it.
        note.split_whitespace().collect::<Vec<_>>().join(" "),
    ]
}

#[cfg(test)]
mod tests {
    use std::panic::Location;
    use std::time::Duration;

    use super::*;
    use crate::part::Progress;

    fn view(name: &str, state: PartState) -> TaskView {
        let mut view = TaskView::new(name, "timer", Location::caller(), state);
        view.place = "src/main.rs:7:9".to_owned();
        view
    }

    #[test]
    fn the_table_has_a_line_for_each_task_and_what_is_hung_first() {
        let mut hung = view("reindex", PartState::Hung);
        hung.age = Some(Duration::from_secs(90));
        hung.busy = hung.age;
        hung.beat = Some(Duration::from_secs(45));
        hung.promise = Some(Duration::from_secs(30));
        hung.progress = Some(Progress { done: 120, of: Some(500) });
        hung.note = Some("page\n7".to_owned());
        let mut failing = view("settle", PartState::Running);
        failing.failures = 2;
        failing.last_failure = Some("no bank".to_owned());
        assert_eq!(
            text(&[failing, hung]),
            "\
NAME     KIND   STATE    AGE         BUSY        BEAT          PROGRESS    PLACE            NOTE
reindex  timer  hung     1 min 30 s  1 min 30 s  45 s of 30 s  120 of 500  src/main.rs:7:9  page 7
settle   timer  running  -           -           -             -           src/main.rs:7:9  failed 2 times: no bank
"
        );
    }

    #[test]
    fn the_json_has_stable_names() {
        let mut one = view("settle", PartState::Running);
        one.progress = Some(Progress { done: 3, of: None });
        assert_eq!(
            json(&[one]),
            concat!(
                r#"{"tasks":[{"name":"settle","kind":"timer","place":"src/main.rs:7:9","state":"running","#,
                r#""age_ms":null,"busy_ms":null,"beat_ms":null,"promise_ms":null,"progress":{"done":3,"of":null},"#,
                r#""note":null,"failures":0,"last_failure":null}]}"#,
                "\n"
            )
        );
    }
}
