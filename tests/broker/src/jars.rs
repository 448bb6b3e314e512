//! Kafka's jars: fetched once by Maven, and kept where all checkouts find them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Missing};

/// Says which Kafka, and which versions of all that isn't its own.
const POM: &str = include_str!("../pom.xml");

/// Whether the jars are complete, and those that `POM` asks for.
pub(crate) fn are_here() -> bool {
    fs::read_to_string(marker()).is_ok_and(|fetched_for| fetched_for == POM)
}

pub(crate) fn has_maven() -> bool {
    let output = Command::new("mvn").arg("--version").stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success())
}

/// The folder of the jars; fetches them first if need be. Who comes while another process does so waits for it.
pub(crate) fn fetch() -> Result<PathBuf, Error> {
    let (home, libs) = (home(), home().join("libs"));
    if are_here() {
        return Ok(libs);
    }
    let say = |path: &Path| Error::io(path.display().to_string());
    fs::create_dir_all(&home).map_err(say(&home))?;
    let lock = home.join("lock");
    let held = File::create(&lock).map_err(say(&lock))?;
    held.lock().map_err(say(&lock))?;
    if are_here() {
        return Ok(libs);
    }
    // What an earlier attempt or another pom left behind.
    if libs.exists() {
        fs::remove_dir_all(&libs).map_err(say(&libs))?;
    }
    run_maven(&home, &libs)?;
    // Written last: without it, what is there isn't complete.
    fs::write(marker(), POM).map_err(say(&marker()))?;
    Ok(libs)
}

fn run_maven(home: &Path, libs: &Path) -> Result<(), Error> {
    if !has_maven() {
        return Err(Missing::Maven.into());
    }
    let pom = home.join("pom.xml");
    fs::write(&pom, POM).map_err(Error::io(pom.display().to_string()))?;
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--quiet", "--file"]).arg(&pom).arg("dependency:copy-dependencies");
    maven.arg(format!("-Dlibs={}", libs.display())).stdin(Stdio::null());
    let output = maven.output().map_err(Error::io("mvn"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Download(String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn marker() -> PathBuf {
    home().join("complete")
}

/// Beside what else Millrace keeps for longer than a checkout lives.
fn home() -> PathBuf {
    PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/millrace/kafka-4.3.0")
}

#[cfg(test)]
mod tests {
    use super::{POM, home};

    #[test]
    fn the_folder_is_named_after_the_version_that_it_holds() {
        let version =
            home().to_string_lossy().rsplit('-').next().map(|version| format!("<version>{version}</version>"));
        assert!(version.is_some_and(|version| POM.contains(&version)));
    }
}
