//! The Java of this machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::error::{Error, Missing};
use crate::jars;

/// What Kafka 4 needs.
const LOWEST_VERSION: u32 = 17;

/// Half the work of a start is that of the optimising compiler.
pub(crate) const LIGHTLY_COMPILED: &str = "-XX:TieredStopAtLevel=1";

/// Whether Kafka can run on this machine: there is a Java that will do, and its jars are here or Maven is.
///
/// Fetches nothing. A cluster may still not start: Maven may not reach a repository.
///
/// # Errors
/// What is missing, and how to install it.
pub fn available() -> Result<(), Missing> {
    java()?;
    if jars::are_here() || jars::has_maven() { Ok(()) } else { Err(Missing::Maven) }
}

/// A command that runs a class of Kafka, or one in a folder; heap, class and arguments are still to be added by the caller.
pub(crate) fn command(folder: &Path) -> Result<Vec<String>, Error> {
    let java = java()?.to_string_lossy().into_owned();
    let class_path = format!("{}:{}", jars::fetch()?.join("*").display(), folder.display());
    // What Kafka says at WARN and above goes to standard output.
    Ok(vec![java, "-Djava.awt.headless=true".into(), "-Dlog4j2.level=WARN".into(), "-cp".into(), class_path])
}

/// The `keytool` that comes with it.
pub(crate) fn keytool() -> Result<PathBuf, Error> {
    Ok(java()?.with_file_name("keytool"))
}

/// The `java` to run, asked for its version once a process.
fn java() -> Result<PathBuf, Missing> {
    static FOUND: OnceLock<Result<PathBuf, Missing>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> Result<PathBuf, Missing> {
    let home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let java = home.map_or_else(|| "java".into(), |home| PathBuf::from(home).join("bin/java"));
    let Ok(output) = Command::new(&java).arg("-version").output() else { return Err(Missing::Java(java)) };
    match major_version(&String::from_utf8_lossy(&output.stderr)) {
        Some(have) if have < LOWEST_VERSION => Err(Missing::JavaTooOld { java, have, want: LOWEST_VERSION }),
        Some(_) => Ok(java),
        // macOS has a `java` that only says where to get one.
        None => Err(Missing::Java(java)),
    }
}

/// 17 of `openjdk version "17.0.15" 2025-04-15`, 8 of `java version "1.8.0_402"`.
fn major_version(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn the_major_version_is_read_in_both_of_its_forms() {
        assert_eq!(major_version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK ..."), Some(17));
        assert_eq!(major_version("openjdk version \"21-ea\" 2023-09-19"), Some(21));
        assert_eq!(major_version("java version \"1.8.0_402\""), Some(8));
        assert_eq!(major_version("The operation couldn't be completed."), None);
    }
}
