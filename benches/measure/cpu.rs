//! The processors' time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The processors' time of this process so far, with that of the kernel for it.
pub fn time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}
