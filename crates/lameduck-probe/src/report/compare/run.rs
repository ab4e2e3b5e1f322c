//! One run, read from its JSON.

use std::path::Path;

use serde::Deserialize;

use super::super::json::VERSION;
use crate::verdict::Judgement;

/// One run, as its JSON has it, without what was seen in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) document: Document,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Document {
    pub(super) version: u32,
    #[serde(default)]
    pub(super) probe: String,
    pub(super) command: String,
    pub(super) signal: i32,
    pub(super) grace_ms: u64,
    pub(super) rtt_ms: u64,
    pub(super) cases: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Entry {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) judgement: Judgement,
}

/// Why a file can't be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// It is no JSON, or other JSON.
    #[error("{path} is no file of `lameduck probe --json`: {why}")]
    Other {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: serde_json::Error,
    },
    /// Its fields may mean something else.
    #[error("{path} is of version {found}, and this probe reads version {VERSION}: run it again")]
    Version {
        /// The file.
        path: String,
        /// Its version.
        found: u32,
    },
}

impl Run {
    /// Reads the JSON of a run; the path is what it is named after.
    ///
    /// # Errors
    /// It is something else, or of another version.
    pub fn read(path: &Path, text: &[u8]) -> Result<Self, CompareError> {
        let shown = path.display().to_string();
        // First, so that a version with other fields is told as such.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let other = |why| CompareError::Other { path: shown.clone(), why };
        let Versioned { version: found } = serde_json::from_slice(text).map_err(other)?;
        if found != VERSION {
            return Err(CompareError::Version { path: shown, found });
        }
        let document: Document = serde_json::from_slice(text).map_err(other)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, path: shown, document })
    }

    /// What it came to in that case; `None` if it was run without it.
    pub(super) fn verdict(&self, id: &str) -> Option<&Judgement> {
        self.document.cases.iter().find(|entry| entry.id == id).map(|entry| &entry.judgement)
    }
}
