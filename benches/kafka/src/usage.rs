//! What a process has used and how loaded the machine is, as Linux counts it.

use std::fs;
use std::time::Duration;

use crate::failure::Failure;

/// What times are counted in under `/proc`: hundredths of a second, whatever the kernel's own tick.
const TICK: Duration = Duration::from_millis(10);

/// Load average of the last minute.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("?").to_owned()
}

/// CPU time of all threads of a process so far, in user and kernel mode.
pub(crate) fn cpu(pid: u32) -> Result<Duration, Failure> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).map_err(Failure::io(path.as_str()))?;
    // The name, in parentheses, may hold anything; utime and stime are the 12th and 13th field behind it.
    let ticks = stat.rsplit_once(')').and_then(|(_, fields)| {
        let mut fields = fields.split_whitespace().skip(11);
        Some(fields.next()?.parse::<u32>().ok()? + fields.next()?.parse::<u32>().ok()?)
    });
    ticks.map(|ticks| TICK * ticks).ok_or(Failure::Odd { name: path, field: "utime", line: stat })
}

/// Peak of the resident memory of a process so far, in bytes.
pub(crate) fn peak_memory(pid: u32) -> Result<u64, Failure> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(Failure::io(path.as_str()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or(Failure::Odd { name: path, field: "VmHWM", line: status })
}
