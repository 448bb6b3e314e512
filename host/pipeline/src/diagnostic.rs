//! Mistakes in a pipeline, with their places.

use std::fmt;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use super::SourceFile;

/// A mistake in a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file; for a mistake in an override, `--set KEY`, without the value, which may be a password.
    pub file: PathBuf,
    /// The bytes of the file with the mistake; `None` if it is about the whole file or an override.
    pub span: Option<Range<usize>>,
    /// Line, from 1; 0 without a span.
    pub line: usize,
    /// Column in characters, from 1; 0 without a span.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// How to correct it.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file.display())?;
        if self.span.is_some() {
            write!(out, ":{}:{}", self.line, self.column)?;
        }
        write!(out, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(out, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// A place in a file or an override.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// Index into [`Sources`].
    pub file: usize,
    /// First byte.
    pub start: usize,
    /// End, exclusive. Equal to `start` for the whole file.
    pub end: usize,
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed<T> {
    pub at: Place,
    pub value: T,
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The texts to which places refer: files, then overrides.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    entries: Vec<SourceText>,
}

#[derive(Clone)]
struct SourceText {
    path: PathBuf,
    /// `None` for an override: its text has no lines to show.
    text: Option<String>,
}

impl fmt::Debug for SourceText {
    /// The text may have passwords in it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("SourceText").field(&self.path).finish()
    }
}

impl Sources {
    pub fn of(files: &[SourceFile]) -> Self {
        let entries = files.iter().map(|file| SourceText { path: file.path.clone(), text: Some(file.text.clone()) });
        Self { entries: entries.collect() }
    }

    /// Adds an override, and returns the place of its value.
    pub fn add_override(&mut self, option: &str) -> Place {
        self.entries.push(SourceText { path: PathBuf::from(option), text: None });
        Place { file: self.entries.len() - 1, start: 0, end: 0 }
    }

    pub fn is_override(&self, at: Place) -> bool {
        self.entries.get(at.file).is_some_and(|source| source.text.is_none())
    }

    pub fn path(&self, file: usize) -> &Path {
        self.entries.get(file).map_or(Path::new(""), |source| &source.path)
    }

    /// The folder to which relative paths in this file refer; for an override, the current folder.
    pub fn folder(&self, file: usize) -> &Path {
        let source = self.entries.get(file).filter(|source| source.text.is_some());
        source.and_then(|source| source.path.parent()).unwrap_or(Path::new(""))
    }

    /// The place as text: `file:line`.
    pub fn line_of(&self, at: Place) -> String {
        match self.position(at) {
            Some((line, _)) => format!("{}:{line}", self.path(at.file).display()),
            None => self.path(at.file).display().to_string(),
        }
    }

    fn position(&self, at: Place) -> Option<(usize, usize)> {
        let text = self.entries.get(at.file)?.text.as_ref()?;
        let before = text.get(..at.start).filter(|_| at.end > at.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Some((line, before.get(line_start..).map_or(0, |start| start.chars().count()) + 1))
    }

    fn diagnostic(&self, problem: Problem) -> Diagnostic {
        let Problem { at, message, help } = problem;
        let position = self.position(at);
        let (line, column) = position.unwrap_or((0, 0));
        let span = position.map(|_| at.start..at.end);
        Diagnostic { file: self.path(at.file).to_path_buf(), span, line, column, message, help }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    at: Place,
    message: String,
    help: Option<String>,
}

/// Collects mistakes, so that all are reported at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    pub fn add(&mut self, at: Place, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Problem { at, message: message.into(), help: Some(help.into()) });
    }

    /// Number of mistakes.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    pub fn add_plain(&mut self, at: Place, message: impl Into<String>) {
        self.found.push(Problem { at, message: message.into(), help: None });
    }

    /// All mistakes, each once, in the order of the files.
    pub fn into_diagnostics(mut self, sources: &Sources) -> Vec<Diagnostic> {
        self.found.sort();
        self.found.dedup();
        self.found.into_iter().map(|problem| sources.diagnostic(problem)).collect()
    }
}
