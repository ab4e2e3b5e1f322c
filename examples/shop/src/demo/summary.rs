//! An aligned summary: one figure a line, with a remark where it needs one.

use super::paint::Paint;

/// The lines so far.
#[derive(Debug)]
pub(super) struct Summary {
    paint: Paint,
    text: String,
}

impl Summary {
    /// An empty summary.
    pub(super) fn new(paint: Paint) -> Self {
        Self { paint, text: String::new() }
    }

    /// A count that is neither good nor bad.
    pub(super) fn count(&mut self, name: &str, count: u64, remark: &str) {
        self.line(name, &format!("{:>9}", grouped(count)), remark);
    }

    /// A count that should be zero.
    pub(super) fn loss(&mut self, name: &str, count: u64, remark: &str) {
        let figure = format!("{:>9}", grouped(count));
        let figure = if count == 0 { self.paint.good(&figure) } else { self.paint.bad(&figure) };
        self.line(name, &figure, if count == 0 { "" } else { remark });
    }

    /// Any other figure.
    pub(super) fn value(&mut self, name: &str, value: &str, remark: &str) {
        self.line(name, &format!("{value:>9}"), remark);
    }

    /// A line between groups.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Text of its own, indented under a name.
    pub(super) fn block(&mut self, name: &str, lines: &[String]) {
        self.text.push_str(&format!("  {name}\n"));
        for line in lines {
            self.text.push_str(&format!("    {}\n", self.paint.faint(line)));
        }
    }

    /// All lines.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, name: &str, figure: &str, remark: &str) {
        let remark = if remark.is_empty() {
            String::new()
        } else {
            format!("   {}", self.paint.faint(remark))
        };
        self.text.push_str(&format!("  {name:<18}{figure}{remark}\n"));
    }
}

/// `1,234,567`
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
