//! The author of a deployment.

use millrace_embedded::run::wall_clock;
use millrace_engine::deployment::Author;

/// The user of this process, on this host, now.
pub fn here(note: String) -> Author {
    let user =
        ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    Author { by: format!("{user}@{}", host()), at: wall_clock(), note }
}

/// The name of this host.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
