//! The DevTools protocol: calls and answers as JSON over a WebSocket, and events in between.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, client};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// A connection to a tab, or to the browser itself.
#[derive(Debug)]
pub(super) struct DevTools {
    socket: WebSocket<TcpStream>,
    last: u64,
    console: Vec<String>,
}

impl DevTools {
    pub(super) fn connect(addr: SocketAddr, path: &str) -> Result<Self, String> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&addr, ANSWER)?;
            stream.set_read_timeout(Some(ANSWER))?;
            stream.set_write_timeout(Some(ANSWER))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connect().map_err(|error: std::io::Error| format!("{addr}: {error}"))?;
        let (socket, _) = client(format!("ws://{addr}{path}"), stream)
            .map_err(|error| format!("{addr}: {error}"))?;
        Ok(Self { socket, last: 0, console: Vec::new() })
    }

    /// Calls a method; its result, after 10 s at most.
    pub(super) fn call(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        self.last += 1;
        let call = json!({ "id": self.last, "method": method, "params": params });
        let failed = |error| format!("{method}: {error}");
        self.socket.send(Message::text(call.to_string())).map_err(failed)?;
        let end = Instant::now() + ANSWER;
        while Instant::now() < end {
            let message = self.socket.read().map_err(failed)?;
            let Message::Text(text) = message else { continue };
            let mut message: Value =
                serde_json::from_str(&text).map_err(|error| format!("{method}: {error}"))?;
            if message["id"] == self.last {
                return match message.get("error") {
                    Some(error) => Err(format!("{method}: {}", error["message"])),
                    None => Ok(message["result"].take()),
                };
            }
            self.console.extend(said(&message));
        }
        Err(format!("{method}: no answer within {ANSWER:?}"))
    }

    /// What the page wrote to its console, and its errors, as far as they came with answers.
    pub(super) fn console(&self) -> &[String] {
        &self.console
    }
}

/// What an event says of the page's console.
fn said(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(thrown(&params["exceptionDetails"])),
        "Runtime.consoleAPICalled" => {
            let words = params["args"].as_array()?.iter().map(|word| {
                let (value, description) = (&word["value"], &word["description"]);
                match value.as_str().or(description.as_str()) {
                    Some(text) => text.to_owned(),
                    None => value.to_string(),
                }
            });
            let words: Vec<String> = words.collect();
            Some(format!("{}: {}", params["type"].as_str()?, words.join(" ")))
        }
        "Log.entryAdded" => {
            let entry = &params["entry"];
            let (level, text) = (entry["level"].as_str()?, entry["text"].as_str()?);
            Some(format!("{level}: {text} {}", entry["url"].as_str().unwrap_or_default()))
        }
        _ => None,
    }
}

/// An exception as the console shows it.
pub(super) fn thrown(details: &Value) -> String {
    let description = &details["exception"]["description"];
    description.as_str().or(details["text"].as_str()).unwrap_or("an exception").to_owned()
}
