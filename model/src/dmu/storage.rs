//! What a block takes on disk: sectors, copies, redundancy, and what a dataset is charged for it.

use std::iter::Sum;
use std::ops::Add;

use crate::dmu::compress::Zstd;
use crate::dsl::dataset::DatasetId;
use crate::fault::Fault;
use crate::machine::State;
use crate::release::Release;
use crate::spa::Shape;

/// A number of bytes that is known, or lies between two bounds, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// At least so many.
    pub least: u64,
    /// At most so many.
    pub most: u64,
}

impl Figure {
    /// No bytes.
    pub const ZERO: Figure = Figure { least: 0, most: 0 };

    /// A known number.
    #[must_use]
    pub fn exact(bytes: u64) -> Figure {
        Figure {
            least: bytes,
            most: bytes,
        }
    }

    /// What `function`, which never falls, makes of it.
    #[must_use]
    pub fn map(self, function: impl Fn(u64) -> u64) -> Figure {
        Figure {
            least: function(self.least),
            most: function(self.most),
        }
    }

    /// What is left of a sum when a part of it, of the same bounds as when it was added, is taken away.
    #[must_use]
    pub fn without(self, part: Figure) -> Figure {
        Figure {
            least: self.least.saturating_sub(part.least),
            most: self.most.saturating_sub(part.most),
        }
    }

    /// The number, if it is known.
    #[must_use]
    pub fn known(self) -> Option<u64> {
        (self.least == self.most).then_some(self.least)
    }
}

impl Add for Figure {
    type Output = Figure;

    fn add(self, other: Figure) -> Figure {
        Figure {
            least: self.least.saturating_add(other.least),
            most: self.most.saturating_add(other.most),
        }
    }
}

impl Sum for Figure {
    fn sum<I: Iterator<Item = Figure>>(figures: I) -> Figure {
        figures.fold(Figure::default(), Add::add)
    }
}

/// How the sectors of a block are spread over devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Not at all.
    Plain,
    /// With sectors of parity, and as many sectors as there are.
    Raidz { parity: u64, devices: u64 },
    /// In whole rows. With spares, which are vdevs with sectors, nothing else is held to them.
    Draid {
        parity: u64,
        data: u64,
        spares: bool,
    },
}

/// How a pool stores blocks. All of its top-level vdevs must be alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// A sector has `1 << ashift` bytes.
    ashift: u32,
    /// What its sectors are spread over.
    layout: Layout,
    /// The release, for the limit above which compression is not worth it.
    pub(super) release: Release,
    /// Whether metadata are compressed with lz4 (feature `lz4_compress`).
    pub(super) metadata_lz4: bool,
    /// How far zstd shrinks a block, if that is known.
    pub(super) zstd: Option<Zstd>,
    /// The planted fault, if any.
    fault: Option<Fault>,
}

impl Storage {
    /// Of the pool of a dataset; none when its vdevs differ, because nobody knows which of them takes a block.
    #[must_use]
    pub fn of(state: &State, id: DatasetId) -> Option<Storage> {
        let pool = state.pool_of(id)?;
        let mut kinds = pool.vdevs.iter().map(|vdev| Storage {
            release: state.release,
            metadata_lz4: pool.features.contains("lz4_compress"),
            zstd: state.zstd,
            fault: state.fault,
            ..Storage::on(&vdev.shape, vdev.devices.len(), pool.ashift)
        });
        let first = kinds.next()?;
        kinds.all(|kind| kind == first).then_some(first)
    }

    /// So many devices, with sectors of `1 << ashift` bytes.
    #[must_use]
    pub fn on(shape: &Shape, devices: usize, ashift: u32) -> Storage {
        let layout = match shape {
            Shape::Single | Shape::Mirror => Layout::Plain,
            Shape::Raidz(parity) => Layout::Raidz {
                parity: u64::from(*parity),
                devices: devices as u64,
            },
            Shape::Draid(draid) => Layout::Draid {
                parity: draid.parity,
                data: draid.data.max(1),
                spares: draid.spares > 0,
            },
        };
        Storage {
            ashift,
            layout,
            release: Release::default(),
            metadata_lz4: true,
            zstd: None,
            fault: None,
        }
    }

    /// One device with sectors of `1 << ashift` bytes.
    #[cfg(test)]
    pub(super) fn single(ashift: u32) -> Storage {
        Storage::on(&Shape::Single, 1, ashift)
    }

    /// Whether this fault is planted.
    pub(super) fn faulty(&self, fault: Fault) -> bool {
        cfg!(feature = "faults") && self.fault == Some(fault)
    }

    /// The bytes of a sector.
    fn sector(&self) -> u64 {
        1 << self.ashift
    }

    /// The bytes to a multiple of which blocks are compressed: what the least block takes without its parity
    /// (`vdev_spa_set_alloc`, `vdev_draid_min_alloc`).
    #[must_use]
    pub fn unit(&self) -> u64 {
        match self.layout {
            Layout::Draid {
                data,
                spares: false,
                ..
            } => data * self.sector(),
            _ => self.sector(),
        }
    }

    /// The bytes that a stored block of `bytes` takes from the pool (`vdev_default_asize`,
    /// `vdev_raidz_asize`, `vdev_draid_asize`): whole sectors, parity, and padding to a multiple of parity + 1, or
    /// whole rows.
    #[must_use]
    pub fn allocated(&self, bytes: u64) -> u64 {
        let data = bytes.div_ceil(self.sector());
        let sectors = match self.layout {
            Layout::Plain => data,
            Layout::Draid {
                parity, data: row, ..
            } => {
                let parity = if self.faulty(Fault::DraidHasNoParity) {
                    0
                } else {
                    parity
                };
                data.div_ceil(row) * (row + parity)
            }
            Layout::Raidz { parity, devices } => {
                let parities = parity * data.div_ceil((devices - parity).max(1));
                if self.faulty(Fault::RaidzPadsNothing) {
                    data + parities
                } else {
                    (data + parities).next_multiple_of(parity + 1)
                }
            }
        };
        sectors * self.sector()
    }

    /// The bytes that a dataset is charged for it (`dva_get_dsize_sync`): as if redundancy cost any block as
    /// much as one of 128K (`vdev_set_deflate_ratio`).
    #[must_use]
    pub fn charged(&self, bytes: u64) -> u64 {
        let bytes = if bytes > 0 && self.faulty(Fault::BlockIsSectorTooLarge) {
            bytes + self.sector()
        } else {
            bytes
        };
        self.deflated(self.allocated(bytes))
    }

    /// What this many bytes of the devices are worth to a dataset (`vdev_deflated_space`).
    pub(crate) fn deflated(&self, bytes: u64) -> u64 {
        let ratio = (1 << 17) / (self.allocated(1 << 17) >> 9);
        (bytes >> 9) * ratio
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::spa::Vdev;
    use crate::spa::op::PoolOp;
    use crate::zpl::op::FileOp;
    use crate::{Op, Outcome};

    fn storage(ashift: u32, raidz: Option<(u64, u64)>) -> Storage {
        let layout = raidz.map_or(Layout::Plain, |(parity, devices)| Layout::Raidz {
            parity,
            devices,
        });
        Storage {
            layout,
            ..Storage::single(ashift)
        }
    }

    #[test]
    fn a_block_takes_whole_sectors() {
        assert_eq!(storage(12, None).charged(1), 4096);
        assert_eq!(storage(12, None).charged(4097), 8192);
        assert_eq!(storage(14, None).charged(512), 16384);
    }

    #[test]
    fn a_draid_takes_whole_rows() {
        let layout = |spares| Layout::Draid {
            parity: 1,
            data: 4,
            spares,
        };
        let draid = |spares| Storage {
            layout: layout(spares),
            ..Storage::single(12)
        };
        let taken = [1, 16 << 10, (16 << 10) + 1].map(|bytes| draid(false).allocated(bytes));
        assert_eq!(taken, [20 << 10, 20 << 10, 40 << 10]);
        assert_eq!(
            (draid(false).unit(), draid(true).unit()),
            (16 << 10, 4 << 10)
        );
    }

    #[test]
    fn raidz_charges_small_blocks_more_than_large_ones() {
        // Measured: three devices that stand the loss of one, sectors of 4K.
        let raidz = storage(12, Some((1, 3)));
        assert_eq!(
            (raidz.charged(4096), raidz.charged(1 << 17)),
            (5456, 130_944)
        );
        // And the metadata of an empty filesystem: 24 sectors.
        let empty = |parity, devices| 24 * storage(12, Some((parity, devices))).charged(4096);
        assert_eq!(empty(1, 3), 130_944);
        assert_eq!(empty(1, 4), 142_848);
        assert_eq!(empty(2, 4), 142_848);
        assert_eq!(empty(2, 6), 196_416);
        assert_eq!(empty(3, 8), 224_256);
    }

    #[test]
    fn a_pool_stores_blocks_as_its_vdevs_do_when_these_are_alike() {
        let of = |vdevs: &[(Shape, usize)]| {
            let mut state = crate::Machine::new(Release::V2_4).state().clone();
            state.zstd = Some(Zstd(|_, _, room| Some(room)));
            state.fault = Some(Fault::RaidzPadsNothing);
            let device = |number: usize| format!("/v/{number}").into();
            let vdevs: Vec<_> = vdevs
                .iter()
                .enumerate()
                .map(|(at, (shape, devices))| Vdev {
                    shape: shape.clone(),
                    devices: (0..*devices)
                        .map(|number| device(10 * at + number))
                        .collect(),
                })
                .collect();
            for device in vdevs.iter().flat_map(|it| &it.devices) {
                let path = device.clone();
                let op = FileOp::MakeVdev {
                    path,
                    size: 1 << 30,
                };
                assert_eq!(Op::File(op).apply(&mut state), Outcome::Done);
            }
            let pool = PoolOp::Create {
                name: "tank".into(),
                vdevs,
                properties: Vec::new(),
                features: BTreeSet::from(["lz4_compress"]),
                settings: Vec::new(),
            };
            assert_eq!(Op::Pool(pool).apply(&mut state), Outcome::Done);
            Storage::of(&state, state.find("tank").expect("it was made"))
        };
        let (single, raidz) = ((Shape::Single, 1), (Shape::Raidz(1), 3));
        let one = of(std::slice::from_ref(&single)).expect("it has one");
        assert_eq!((one.release, one.metadata_lz4), (Release::V2_4, true));
        assert!(one.zstd.is_some() && one.faulty(Fault::RaidzPadsNothing));
        assert_eq!(of(&[single.clone(), single.clone()]), Some(one));
        // Nobody knows which of them takes a block.
        assert_eq!(of(&[single.clone(), raidz.clone()]), None);
        assert_eq!(of(&[single.clone(), single, raidz]), None);
    }
}
