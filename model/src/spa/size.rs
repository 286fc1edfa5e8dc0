//! How much a pool holds: whole metaslabs, less what is kept back.

use crate::dmu::storage::{Figure, Storage};
use crate::machine::State;
use crate::spa::{Pool, Shape, Vdev};

/// The bytes of a device that its labels and its boot block take (`VDEV_LABEL_START_SIZE`,
/// `VDEV_LABEL_END_SIZE`).
const LABELS: u64 = (4 << 20) + (512 << 10);

/// A device is used in units of one label (`vdev_label_t`), in bytes.
const LABEL: u64 = 256 << 10;

/// The areas, all of one size, into which a top-level vdev is divided when it is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metaslabs {
    /// How many there are.
    pub count: u64,
    /// Each has `1 << shift` bytes.
    pub shift: u32,
    /// Of which it uses whole rows, with so many bytes in each; else 1.
    pub row: u64,
}

impl Metaslabs {
    /// Those of a vdev with this many bytes, in rows of so many (`vdev_metaslab_set_size`).
    fn of(bytes: u64, row: u64) -> Metaslabs {
        // `highbit64`.
        let bits = |bytes: u64| u64::BITS - bytes.leading_zeros();
        let shift = match bytes >> 29 {
            0..16 => bits(bytes / 16),
            16..=200 => 29,
            _ => bits(bytes / 200),
        };
        let shift = match shift {
            ..24 => 24,
            35.. if bytes >> 34 > 1 << 17 => bits(bytes >> 17),
            35.. => 34,
            _ => shift,
        };
        Metaslabs {
            count: bytes >> shift,
            shift,
            row,
        }
    }

    /// The bytes of all of them.
    pub(super) fn size(self) -> u64 {
        match self.row {
            1 => self.count << self.shift,
            _ => (0..self.count).map(|number| self.rows(number)).sum(),
        }
    }

    /// The bytes of all rows in one of them (`vdev_draid_metaslab_init`).
    fn rows(self, number: u64) -> u64 {
        let (start, end) = (number << self.shift, (number + 1) << self.shift);
        (end / self.row - start.div_ceil(self.row)) * self.row
    }

    /// The bytes of the one that is kept for the intent log, if there are many (`vdev_metaslab_init`).
    fn log(self) -> u64 {
        if self.count > 64 { 1 << self.shift } else { 0 }
    }
}

/// The bytes of a device that a draid keeps for growing (`VDEV_DRAID_REFLOW_RESERVE`).
const FOR_GROWING: u64 = 32 << 20;

/// The bytes of a device in a row of a draid, when its rows are spread (`VDEV_DRAID_ROWHEIGHT`).
const HEIGHT: u64 = 16 << 20;

impl State {
    /// What a top-level vdev of these devices is divided into.
    pub(super) fn metaslabs_of(&self, vdev: &Vdev, ashift: u32) -> Metaslabs {
        let sizes = vdev.devices.iter().map(|device| self.size_of(device));
        let usable = sizes.map(|size| (size / LABEL * LABEL).saturating_sub(LABELS));
        let smallest = usable.min().unwrap_or(0);
        let devices = vdev.devices.len() as u64;
        match vdev.shape {
            Shape::Single | Shape::Mirror => Metaslabs::of(smallest, 1),
            Shape::Raidz(_) => Metaslabs::of(smallest.saturating_mul(devices), 1),
            // `vdev_draid_open`
            Shape::Draid(draid) => {
                let width = (draid.parity + draid.data).max(1);
                let each = smallest.saturating_sub(FOR_GROWING) / HEIGHT * HEIGHT;
                let all = each.saturating_mul(devices.saturating_sub(draid.spares));
                let group = width * HEIGHT;
                Metaslabs::of(all / group * group, width << ashift)
            }
        }
    }
}

impl Pool {
    /// `size`: the bytes of all metaslabs, parity included (`spa_prop_get_config`).
    #[must_use]
    pub fn size(&self) -> u64 {
        self.metaslabs.iter().map(|it| it.size()).sum()
    }

    /// What datasets and the pool's own metadata can take together, in bytes: `used` and `available` of the
    /// root (`dsl_pool_adjustedsize`). A checkpoint keeps back what is freed of it.
    #[must_use]
    pub fn usable(&self) -> Figure {
        self.space_but(self.slop())
    }

    /// What they can take of all but so much.
    fn space_but(&self, kept_back: u64) -> Figure {
        let [duplicates, clones] =
            [self.sharing.duplicates, self.sharing.clones].map(|it| it.saved);
        let usable = duplicates + clones + Figure::exact(self.space() - kept_back);
        let kept = match &self.checkpoint {
            _ if self.discarding => usable.most,
            Some(checkpoint) => checkpoint.used_at_most(),
            None => 0,
        };
        Figure {
            least: usable.least.saturating_sub(kept),
            most: usable.most,
        }
    }

    /// What a change may fill, be it with a part of what is kept back: all but half of it (1), or a quarter (2). What
    /// was freed lately is not there yet (`dsl_pool_unreserved_space`).
    pub(crate) fn fillable(&self, part: u32) -> Figure {
        let lately = self.freed_lately();
        let usable = self.space_but(self.slop() >> part);
        Figure {
            least: usable.least.saturating_sub(lately),
            most: usable.most,
        }
    }

    /// At most what was freed, and can be used only when two more transaction groups are on disk
    /// (`dsl_pool_deferred_space`).
    pub(crate) fn freed_lately(&self) -> u64 {
        self.freed.iter().sum::<u64>() + self.own_metadata().most
    }

    /// What nobody may fill, in bytes (`spa_get_slop_space`).
    fn slop(&self) -> u64 {
        let space = self.space();
        let slop = (space >> 5).min(128 << 30);
        let slop = slop - self.deflated(Metaslabs::log).min(slop >> 1);
        slop.max((space >> 1).min(128 << 20))
    }

    /// What all but the intent log can take.
    fn space(&self) -> u64 {
        self.deflated(|it| it.size() - it.log())
    }

    /// Bytes of each vdev, as datasets are charged for them.
    fn deflated(&self, bytes: impl Fn(Metaslabs) -> u64) -> u64 {
        let vdevs = self.vdevs.iter().zip(&self.metaslabs);
        let deflated = vdevs.map(|(vdev, &metaslabs)| {
            let storage = Storage::on(&vdev.shape, vdev.devices.len(), self.ashift);
            storage.deflated(bytes(metaslabs))
        });
        deflated.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vdev_has_between_16_and_200_metaslabs_or_so() {
        for (bytes, count, shift) in [
            (64 << 20, 4, 24),
            ((1 << 30) - LABELS, 15, 26),
            ((10 << 30) - LABELS, 19, 29),
            ((100 << 30) - LABELS, 199, 29),
            ((200 << 30) - LABELS, 199, 30),
            (4 << 40, 256, 34),
            (4 << 50, 1 << 16, 36),
        ] {
            let row = 1;
            assert_eq!(
                Metaslabs::of(bytes, row),
                Metaslabs { count, shift, row },
                "{bytes}"
            );
        }
    }
}
