//! Scrubbing and resilvering pools (`dsl_scan`).

use std::sync::Arc;

use crate::dsl::op::Result;
use crate::dsl::reason::Reason;
use crate::machine::State;
use crate::spa::Pool;

/// What a scan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// To read everything, and repair what is damaged.
    Scrub,
    /// To fill a new device.
    Resilver,
}

/// A scan of a pool. Times are in seconds since the machine's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// What it is for.
    pub function: Function,
    /// When it began.
    pub began: u64,
    /// When it ended; none where nobody waited for it, so that nobody knows whether it has.
    pub ended: Option<u64>,
}

impl State {
    /// Starts a scrub; it is done at some time.
    pub(crate) fn scrub(&mut self, name: &str) -> Result {
        let now = self.now;
        let Some(pool) = self.pools.get_mut(name) else {
            return Err(Reason::NoSuchPool(name.into()));
        };
        Arc::make_mut(pool).start(Function::Scrub, now);
        Ok(())
    }

    /// Ends a scrub before it is done. Of one that was not waited for nobody knows whether it is.
    pub(crate) fn stop_scrub(&self, name: &str) -> Result {
        let pool = self.pools.get(name);
        pool.ok_or_else(|| Reason::NoSuchPool(name.into()))?;
        Err(Reason::NoScrub)
    }

    /// Waits until scans for this end, and a checkpoint is discarded (`spa_wait`).
    pub(crate) fn wait_for_pool(
        &mut self,
        name: &str,
        functions: &[Function],
        checkpoint: bool,
    ) -> Result {
        let now = self.now;
        self.check_writable(name)?;
        let Some(pool) = self.pools.get_mut(name) else {
            return Err(Reason::NoSuchPool(name.into()));
        };
        let pool = Arc::make_mut(pool);
        if let Some(scan) = &mut pool.scan
            && functions.contains(&scan.function)
        {
            scan.ended = scan.ended.or(Some(now));
        }
        pool.discarding &= !checkpoint;
        Ok(())
    }
}

impl Pool {
    /// Starts a scan.
    pub(super) fn start(&mut self, function: Function, now: u64) {
        self.scan = Some(Scan {
            function,
            began: now,
            ended: None,
        });
        self.close_txg();
    }
}
