//! The files that people read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::root;

/// The folders that hold what is ours.
const FOLDERS: &[&str] = &["benches", "guest-sdk", "host", "plugins", "tests"];

/// A text file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path from the top of the workspace.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Whether all of it is there for tests: under `tests`, `benches` or `examples`, or named `tests.rs`.
    pub fn is_test(&self) -> bool {
        let whole = ["tests", "benches", "examples"];
        let name = |part: &Path, wanted: &str| part.as_os_str() == wanted;
        self.path.iter().skip(1).any(|part| whole.iter().any(|wanted| name(Path::new(part), wanted)))
            || self.path.ends_with("tests.rs")
    }

    /// Its lines before the test module at its end. One in a file of its own, `mod tests;`, ends nothing.
    pub fn lines_of_code(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let begins = |(index, line): &(usize, &&str)| {
            let after = lines.iter().skip(index + 1).find(|line| !line.starts_with("#["));
            **line == "#[cfg(test)]" && after.is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
        };
        lines.iter().enumerate().find(begins).map_or(lines.len(), |(index, _)| index)
    }
}

/// All Rust files of the workspace.
///
/// # Errors
/// When a folder or file can't be read.
pub fn sources() -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        collect(&root().join(folder), "rs", &mut found)?;
    }
    Ok(found)
}

/// The Markdown files at the top of the workspace and in its folders.
///
/// # Errors
/// When a folder or file can't be read.
pub fn documents() -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    collect(&root(), "md", &mut found)?;
    Ok(found)
}

/// Appends the files with this extension in a folder and its subfolders, in the order of their names. Folders of
/// build outputs and hidden ones are passed over.
fn collect(folder: &Path, extension: &str, found: &mut Vec<Source>) -> io::Result<()> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            collect(&path, extension, found)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            let text = fs::read_to_string(&path)?;
            found.push(Source { path: path.strip_prefix(root()).unwrap_or(&path).to_owned(), text });
        }
    }
    Ok(())
}
