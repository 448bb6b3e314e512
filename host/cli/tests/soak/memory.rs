//! Oracle 6: memory doesn't grow.
//!
//! The elder, which is the first process, isn't restarted in the second half. Its memory in the last quarter is
//! compared with that in the third: a leak grows, whereas windows, caches and buffers are full by then if the run is
//! long enough.

use std::time::Duration;

use crate::plan::SLOTS;

/// Runs that are shorter are not judged: windows of ten minutes are still filling up.
const JUDGED_FROM: Duration = Duration::from_secs(30 * 60);

/// What the mean of the last quarter may be above that of the third: a tenth of it, and 24 MiB for what the allocator
/// and RocksDB's buffers do.
const MORE_BYTES: u64 = 24 << 20;

/// Resident memory of the processes as time goes by.
#[derive(Default)]
pub struct Memory {
    /// Of the elder: when, which process, bytes.
    elder: Vec<(Duration, u32, u64)>,
    most: u64,
}

impl Memory {
    /// Takes what the processes have.
    pub fn see(&mut self, now: Duration, ids: [Option<u32>; SLOTS], rss: [Option<u64>; SLOTS]) {
        if let (Some(id), Some(rss)) = (ids[0], rss[0]) {
            self.elder.push((now, id, rss));
        }
        self.most = self.most.max(rss.into_iter().flatten().max().unwrap_or(0));
    }

    /// In words; and what is wrong with it.
    pub fn judge(&self, time: Duration) -> (String, Vec<String>) {
        let last = self.elder.last().map(|(_, id, _)| *id);
        let mean = |from: u32, to: u32| {
            let at = |now: Duration| now >= time * from / 4 && now < time * to / 4;
            let bytes: Vec<_> = self.elder.iter().filter(|(now, id, _)| at(*now) && Some(*id) == last).collect();
            bytes.iter().map(|(_, _, rss)| rss).sum::<u64>() / (bytes.len() as u64).max(1)
        };
        let (third, fourth) = (mean(2, 3), mean(3, 4));
        let bound = third + third / 10 + MORE_BYTES;
        let text = format!(
            "the elder took {} MiB on average in the third quarter and {} in the last, where {} are allowed; the most that \
             any process took were {}",
            third >> 20,
            fourth >> 20,
            bound >> 20,
            self.most >> 20,
        );
        match (time >= JUDGED_FROM, third == 0 || fourth > bound) {
            (true, true) => (text.clone(), vec![text]),
            (true, false) => (text, Vec::new()),
            (false, _) => (format!("{text} (not judged: too short a run)"), Vec::new()),
        }
    }
}

/// Bytes of a process that are in memory.
pub fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
