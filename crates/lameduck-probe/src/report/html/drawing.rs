//! A timeline as SVG.

use std::fmt::Write as _;

use crate::outcome::Outcome;
use crate::report::escape::escape;
use crate::report::timeline::{Axis, Bar, LineKind, MarkKind, Row, Timeline};

/// The shapes, as the page's symbols are named, and what they mean.
pub(super) const LEGEND: [(&str, &str); 12] = [
    ("connect", "connect"),
    ("sent", "request sent"),
    ("first", "first byte"),
    ("answered", "answered"),
    ("away", "turned away"),
    ("refused", "refused"),
    ("lost", "lost, or reset"),
    ("cut", "cut"),
    ("hung", "hung, or still open"),
    ("odd", "odd"),
    ("told", "told that it stops"),
    ("closed", "closed in order"),
];

/// Left of the time axis, for labels.
const LEFT: f64 = 150.0;
/// Right of it, for what came of the row.
const RIGHT: f64 = 150.0;
const AXIS: f64 = 1000.0;
const ROW: f64 = 18.0;
const LEVEL: f64 = 15.0;
const FOOT: f64 = 24.0;

pub(super) fn draw(page: &mut String, id: &str, timeline: &Timeline) {
    let Timeline { axis, lines, rows, .. } = timeline;
    let levels = lines.iter().map(|line| line.level + 1).max().unwrap_or_default();
    let top = levels as f64 * LEVEL + 6.0;
    let bottom = top + rows.len() as f64 * ROW;
    let (width, height) = (LEFT + AXIS + RIGHT, bottom + FOOT);
    let _ = writeln!(
        page,
        "<svg class=\"timeline\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}: timeline\">",
        escape(id)
    );
    for tick in &axis.ticks {
        let x = x(axis, tick * 1_000);
        let _ = writeln!(
            page,
            "<path class=\"tick\" d=\"M{x:.1} {top:.0}V{bottom:.0}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{:.0}\">{tick} ms</text>",
            bottom + 14.0
        );
    }
    let middle = |place: usize| top + (place as f64 + 0.5) * ROW;
    for (place, row) in rows.iter().enumerate() {
        if let Some(fault) = &row.fault {
            let _ = writeln!(
                page,
                "<rect class=\"stripe\" x=\"0\" y=\"{:.1}\" width=\"{width:.0}\" height=\"{ROW}\"><title>{}</title></rect>",
                middle(place) - ROW / 2.0,
                escape(fault)
            );
        }
    }
    let level = |level: usize| (levels - level) as f64 * LEVEL;
    for line in lines {
        let (x, begin) = (x(axis, line.at), level(line.level) - 10.0);
        let _ = writeln!(
            page,
            "<path class=\"across {}\" d=\"M{x:.1} {begin:.0}V{bottom:.0}\"/>",
            class(line.kind)
        );
    }
    for (place, row) in rows.iter().enumerate() {
        draw_row(page, axis, row, middle(place));
    }
    // Above all lines, so that none crosses a word.
    for line in lines {
        let (anchor, shift) = if line.leftwards { ("end", -4.0) } else { ("start", 4.0) };
        let _ = writeln!(
            page,
            "<text class=\"across {}\" x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{}</text>",
            class(line.kind),
            x(axis, line.at) + shift,
            level(line.level),
            escape(&line.label)
        );
    }
    page.push_str("</svg>\n");
}

fn class(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Signal => "signal",
        LineKind::Listener => "listener",
        LineKind::Exit => "exit",
        LineKind::Killed => "killed",
    }
}

fn x(axis: &Axis, at: i64) -> f64 {
    LEFT + axis.place(at) / 1000.0 * AXIS
}

fn draw_row(page: &mut String, axis: &Axis, row: &Row, y: f64) {
    let class = if row.fault.is_some() { "row fault" } else { "row" };
    let _ = write!(page, "<g class=\"{class}\">");
    let earlier = match row.earlier {
        0 => String::new(),
        earlier => format!(" (+{earlier} before)"),
    };
    let _ = write!(
        page,
        "<text class=\"label\" x=\"{:.0}\" y=\"{:.1}\">{}{earlier}</text>\
         <path class=\"open\" d=\"M{:.1} {y:.1}H{:.1}\"/>",
        LEFT - 12.0,
        y + 4.0,
        escape(&row.label),
        x(axis, row.open.0),
        x(axis, row.open.1),
    );
    for bar in &row.bars {
        draw_bar(page, axis, bar, y);
    }
    for mark in &row.marks {
        let shape = match mark.kind {
            MarkKind::Told => "told",
            MarkKind::Closed => "closed",
            MarkKind::Broken => "lost",
            MarkKind::Open => "hung",
            MarkKind::Ready => "answered",
        };
        let _ = write!(
            page,
            "<g><title>{}</title><use href=\"#m-{shape}\" x=\"{:.1}\" y=\"{y:.1}\"/></g>",
            escape(&mark.title),
            x(axis, mark.at)
        );
    }
    let _ = writeln!(
        page,
        "<text class=\"end\" x=\"{:.0}\" y=\"{:.1}\">{}</text></g>",
        LEFT + AXIS + 10.0,
        y + 4.0,
        escape(&row.end)
    );
}

fn draw_bar(page: &mut String, axis: &Axis, bar: &Bar, y: f64) {
    let (class, shape) = match bar.outcome {
        Outcome::Answered => ("answered", "answered"),
        Outcome::TurnedAway => ("away", "away"),
        Outcome::Refused => ("refused", "refused"),
        Outcome::Lost => ("lost", "lost"),
        Outcome::Cut => ("cut", "cut"),
        Outcome::Hung => ("hung", "hung"),
        Outcome::Bad => ("odd", "odd"),
    };
    let fault = if bar.faulty { " faulty" } else { "" };
    let _ = write!(page, "<g class=\"bar {class}{fault}\"><title>{}</title>", escape(&bar.title));
    let end = x(axis, bar.end);
    let begun = bar.sent.or(bar.connect).unwrap_or(bar.end);
    let first = x(axis, bar.first_byte.unwrap_or(bar.end));
    // Wide and unseen, to be pointed at.
    let _ = write!(
        page,
        "<path class=\"touch\" d=\"M{:.1} {y:.1}H{:.1}\"/>",
        x(axis, begun) - 5.0,
        end + 5.0
    );
    if bar.sent.is_some() {
        let _ =
            write!(page, "<path class=\"wait\" d=\"M{:.1} {y:.1}H{first:.1}\"/>", x(axis, begun));
    }
    if bar.first_byte.is_some() {
        let _ = write!(page, "<path class=\"body\" d=\"M{first:.1} {y:.1}H{end:.1}\"/>");
    }
    let ends = [(bar.connect, "connect"), (bar.sent, "sent"), (bar.first_byte, "first")];
    for (at, shape) in ends.into_iter().chain([(Some(bar.end), shape)]) {
        // What lies before the axis is not drawn at its edge as if it had been there.
        if let Some(at) = at.filter(|at| *at >= axis.from) {
            let _ =
                write!(page, "<use href=\"#m-{shape}\" x=\"{:.1}\" y=\"{y:.1}\"/>", x(axis, at));
        }
    }
    page.push_str("</g>");
}
