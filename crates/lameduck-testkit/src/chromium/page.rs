//! A page in a browser's tab.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::devtools::{DevTools, thrown};
use crate::pause::pause;

/// A loaded page, looked at and steered by JavaScript.
#[derive(Debug)]
pub struct Page {
    devtools: DevTools,
    url: String,
}

impl Page {
    pub(super) fn open(mut devtools: DevTools, url: &str) -> Result<Self, String> {
        const LOADED: &str =
            "document.readyState === 'complete' && location.href !== 'about:blank'";
        for domain in ["Runtime", "Log", "Page"] {
            devtools.call(&format!("{domain}.enable"), &json!({}))?;
        }
        let answer = devtools.call("Page.navigate", &json!({ "url": url }))?;
        if let Some(why) = answer["errorText"].as_str() {
            return Err(why.to_owned());
        }
        let mut page = Self { devtools, url: url.to_owned() };
        page.wait(LOADED, Duration::from_secs(20))?;
        Ok(page)
    }

    /// What an expression gives in the page; a promise is waited for. What JSON can't hold is null or `{}`.
    ///
    /// # Panics
    /// If it throws, or takes more than 10 s: with the page's text and console.
    #[track_caller]
    pub fn evaluate(&mut self, js: &str) -> Value {
        match self.ask(js) {
            Ok(value) => value,
            Err(why) => panic!("`{js}`: {why}\n{}", self.transcript()),
        }
    }

    /// Waits until an expression gives `true`; asks every 10 ms. One that throws is asked again, and one that gives a
    /// promise may take up to 10 s longer than said.
    ///
    /// # Panics
    /// If it doesn't within the time: with what it gave last, the page's text and its console.
    #[track_caller]
    pub fn wait_until(&mut self, js: &str, within: Duration) {
        if let Err(why) = self.wait(js, within) {
            panic!("{why}\n{}", self.transcript());
        }
    }

    /// What a person reads on it.
    ///
    /// # Panics
    /// If it can't be asked.
    #[must_use]
    #[track_caller]
    pub fn text(&mut self) -> String {
        self.evaluate("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// What it wrote to its console so far, and its errors: a line each. Requests that failed are among them.
    ///
    /// # Panics
    /// If it can't be asked.
    #[must_use]
    #[track_caller]
    pub fn console(&mut self) -> Vec<String> {
        // What was said before an answer comes before it.
        self.evaluate("null");
        self.devtools.console().to_vec()
    }

    fn wait(&mut self, js: &str, within: Duration) -> Result<(), String> {
        let end = Instant::now() + within;
        loop {
            let last = match self.ask(js) {
                Ok(Value::Bool(true)) => return Ok(()),
                Ok(other) => other.to_string(),
                Err(why) => why,
            };
            if Instant::now() >= end {
                return Err(format!("`{js}` is not true within {within:?}, but: {last}"));
            }
            pause(Duration::from_millis(10));
        }
    }

    fn ask(&mut self, js: &str) -> Result<Value, String> {
        let params = json!({ "expression": js, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.devtools.call("Runtime.evaluate", &params)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(thrown(details)),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    fn transcript(&mut self) -> String {
        let text = self.ask("document.body.innerText");
        let text = match &text {
            Ok(text) => text.as_str().unwrap_or_default(),
            Err(why) => why,
        };
        let console = self.devtools.console().join("\n");
        format!("--- the page {}:\n{text}\n--- its console:\n{console}\n---", self.url)
    }
}
