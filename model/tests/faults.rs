//! Every planted fault of the datasets shows: the same operations end otherwise with it than without.
#![cfg(feature = "faults")]

use std::sync::Arc;

use ztwin_model::dmu::Volume;
use ztwin_model::dsl::dataset::Dataset;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::properties::{Key, Property, Value};
use ztwin_model::fault::Fault;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::{Shape, Vdev};
use ztwin_model::zpl::op::FileOp;
use ztwin_model::{Machine, Op, Outcome, Release};

/// What is there: every dataset by name, with its origin, the value of `compression`, and its size.
fn picture(machine: &Machine) -> Vec<String> {
    let state = machine.state();
    let datasets = state.pools.values().flat_map(|pool| pool.datasets.keys());
    let mut lines: Vec<String> = datasets
        .map(|id| {
            let origin = state.origin_of(id).and_then(|origin| state.name_of(origin));
            let compression = state.property(id, Property::Compression).0;
            let volume = state.dataset(id).and_then(Dataset::volume);
            format!(
                "{:?} {origin:?} {compression:?} {volume:?}",
                state.name_of(id)
            )
        })
        .collect();
    lines.sort();
    lines
}

fn play(mut machine: Machine, ops: &[DslOp]) -> Vec<String> {
    let vdev = FileOp::MakeVdev {
        path: "/v/a".into(),
        size: 1 << 30,
    };
    let pool = PoolOp::Create {
        name: "tank".into(),
        vdevs: vec![Vdev {
            shape: Shape::Single,
            devices: vec!["/v/a".into()],
        }],
        properties: Vec::new(),
        features: std::collections::BTreeSet::from(["bookmarks"]),
        settings: Vec::new(),
    };
    assert_eq!(machine.apply(&Op::File(vdev)), Outcome::Done);
    assert_eq!(machine.apply(&Op::Pool(pool)), Outcome::Done);
    let first = [
        create("tank/a"),
        snapshot(&["tank/a@1"]),
        snapshot(&["tank/a@2"]),
        snapshot(&["tank/a@3"]),
    ];
    for op in first.iter().chain(ops) {
        let _ = machine.apply(&Op::Dataset(op.clone()));
    }
    picture(&machine)
}

fn create(name: &str) -> DslOp {
    DslOp::Create {
        name: name.into(),
        volume: None,
        settings: Vec::new(),
    }
}

fn clone(name: &str, origin: &str) -> DslOp {
    DslOp::Clone {
        name: name.into(),
        origin: origin.into(),
        settings: Vec::new(),
    }
}

fn names(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|&name| name.into()).collect()
}

fn snapshot(of: &[&str]) -> DslOp {
    DslOp::Snapshot {
        names: names(of),
        settings: Vec::new(),
    }
}

fn defer(name: &str) -> DslOp {
    DslOp::DestroySnapshots {
        names: names(&[name]),
        defer: true,
    }
}

fn destroy(name: &str) -> DslOp {
    DslOp::DestroySnapshots {
        names: names(&[name]),
        defer: false,
    }
}

fn hold(name: &str) -> DslOp {
    DslOp::Hold {
        names: names(&[name]),
        tag: "keep".into(),
    }
}

fn scenario(fault: Fault) -> Option<Vec<DslOp>> {
    let rename = |from: &str, to: &str| DslOp::Rename {
        from: from.into(),
        to: to.into(),
    };
    let promote = |name: &str| DslOp::Promote { name: name.into() };
    let bookmark = |name: &str, source: &str| DslOp::Bookmark {
        name: name.into(),
        source: source.into(),
    };
    let volume = |size| DslOp::Create {
        name: "tank/v".into(),
        volume: Some(Volume {
            size,
            block_size: 8192,
        }),
        settings: Vec::new(),
    };
    let resize = |size| DslOp::Set {
        name: "tank/v".into(),
        settings: vec![(Key::Native(Property::Volsize), Value::Number(size))],
    };
    Some(match fault {
        Fault::DeferredNeverFires => vec![
            clone("tank/c", "tank/a@2"),
            defer("tank/a@2"),
            DslOp::Destroy {
                name: "tank/c".into(),
            },
        ],
        Fault::DeferredFiresEarly => vec![clone("tank/c", "tank/a@2"), defer("tank/a@2")],
        Fault::PromoteLeavesOrigin | Fault::PromoteMovesOneTooMany => {
            vec![clone("tank/c", "tank/a@2"), promote("tank/c")]
        }
        Fault::RenameForgetsChildren => vec![create("tank/a/k"), rename("tank/a", "tank/b")],
        Fault::SnapshotMissesChild => {
            vec![create("tank/a/k"), snapshot(&["tank/a@r", "tank/a/k@r"])]
        }
        Fault::InheritedSticksAfterRename => vec![
            DslOp::Set {
                name: "tank/a".into(),
                settings: vec![(Key::Native(Property::Compression), Value::Word("off"))],
            },
            create("tank/a/k"),
            rename("tank/a/k", "tank/k"),
        ],
        Fault::ResizeReachesSnapshots => {
            vec![volume(8192), snapshot(&["tank/v@s"]), resize(16_384)]
        }
        Fault::BatchGoesPartly => vec![
            clone("tank/c", "tank/a@2"),
            DslOp::DestroySnapshots {
                names: names(&["tank/a@1", "tank/a@2"]),
                defer: false,
            },
        ],
        Fault::CloneInheritsDeferral => vec![
            clone("tank/c", "tank/a@2"),
            defer("tank/a@2"),
            snapshot(&["tank/c@s"]),
            clone("tank/d", "tank/c@s"),
            DslOp::Destroy {
                name: "tank/d".into(),
            },
        ],
        Fault::LastCloneTakesOrigin => vec![
            clone("tank/c", "tank/a@2"),
            DslOp::Destroy {
                name: "tank/c".into(),
            },
        ],
        Fault::HoldsKeepNothing => vec![hold("tank/a@1"), destroy("tank/a@1")],
        Fault::ClonesKeepNothing => vec![clone("tank/c", "tank/a@2"), destroy("tank/a@2")],
        Fault::VolumesHaveChildren => vec![volume(8192), rename("tank/a", "tank/v/a")],
        Fault::PromoteLeavesBookmarks => vec![
            bookmark("tank/a#b", "tank/a@1"),
            clone("tank/c", "tank/a@2"),
            promote("tank/c"),
        ],
        Fault::PromoteMovesAllBookmarks => vec![
            bookmark("tank/a#b", "tank/a@3"),
            clone("tank/c", "tank/a@2"),
            promote("tank/c"),
        ],
        Fault::RollbackKeepsSize => vec![
            volume(8192),
            snapshot(&["tank/v@s"]),
            resize(16_384),
            DslOp::Rollback {
                to: "tank/v@s".into(),
            },
        ],
        // These are faults of files, of mounts, of pools, or of the order in which `zfs` does things.
        Fault::CloneCopies
        | Fault::EverybodyIsRoot
        | Fault::StickyIsIgnored
        | Fault::NoExchange
        | Fault::SetUidStays
        | Fault::OddBlockIsHole
        | Fault::CaseMatters
        | Fault::DiffMissesRenames
        | Fault::RenameKeepsReadOnly
        | Fault::ZerosAreClean
        | Fault::EmptyVolumeKeepsEnd
        | Fault::UnlinkShowsBelow
        | Fault::WriteReachesOrigin
        | Fault::RollbackKeepsNewer
        | Fault::RollbackKeepsBookmarks
        | Fault::DestroySparesClone
        | Fault::DryRunOmitsClones
        | Fault::WalkIsShallow
        | Fault::WalkForgivesCycles
        | Fault::ResizeKeepsReservation
        | Fault::CanmountInherits
        | Fault::MountsDiffer
        | Fault::DetachedIsFree
        | Fault::ForceClosesFiles
        | Fault::ExportKeepsAltroot
        | Fault::ImportKeepsRootName
        | Fault::RewindKeepsNewer
        | Fault::CheckpointNeedsNoFeature
        | Fault::PoolDefaultIsLocal
        | Fault::IndirectIsFree
        | Fault::IndirectIsSingle
        | Fault::EmbeddedIsCharged
        | Fault::RaidzPadsNothing
        | Fault::PunchWritesZeros
        | Fault::ReadOnlyPoolChanges
        | Fault::BlockIsSectorTooLarge
        | Fault::DeadlistOfWrongSnapshot
        | Fault::CloneIsCharged
        | Fault::ReservationIsChargedTwice
        | Fault::PromoteKeepsUnique
        | Fault::BirthIsOfSnapshot
        | Fault::QuotaIsIgnored
        | Fault::RefquotaCountsSnapshots
        | Fault::RefusedIsWritten
        | Fault::SpillIsFree
        | Fault::SameIsWrittenAnew
        | Fault::DiscardReachesParts
        | Fault::DraidHasNoParity
        | Fault::CloneIsCompressedAnew
        | Fault::RelatimeIsStrict
        | Fault::PunchTouchesHoles
        | Fault::RefusedSizeIsHidden
        | Fault::SharingSavesNothing
        | Fault::VolumeIsReadOnce
        | Fault::ReadOnlyLosesUnlinked
        | Fault::MissingIsDestroyed
        | Fault::MissingSnapshotsAreDestroyed
        | Fault::RecursionTakesClones
        | Fault::SnapshotsAreNoChildren
        | Fault::DestroyDetachesAll
        | Fault::DeferralReachesMounted
        | Fault::PromoteKeepsLivelist
        | Fault::UnlinkAsksQuota
        | Fault::SameSizeIsNoChange
        | Fault::ControlIsNotCounted
        | Fault::DirtyIsClean
        | Fault::EndIsNoHole
        | Fault::ReflinkStopsAtDirty
        | Fault::RaidzReservesPlainly
        | Fault::MountedOnlyOnce
        | Fault::LastPropertyRemounts
        | Fault::InlineIsNotRemoved
        | Fault::RemovalMakesDirectory
        | Fault::TemporaryIgnoresUmask
        | Fault::ListsSnapshotsOfTop
        | Fault::VolumesHideBookmarks
        | Fault::CanmountOffReachesChildren
        | Fault::VolumesReserveNoMore
        | Fault::SnapshotsHideVolsize
        | Fault::UsualBlockSizeIsHidden
        | Fault::DiscardKeepsLength
        | Fault::AtimeOfParentIsIgnored
        | Fault::DiffMissesMoves => return None,
    })
}

#[test]
fn each_fault_shows() {
    let mut shown = 0;
    for fault in Fault::ALL {
        if let Some(ops) = scenario(fault) {
            let right = play(Machine::new(Release::V2_3), &ops);
            let wrong = play(Machine::new(Release::V2_3).with_fault(fault), &ops);
            assert_ne!(right, wrong, "{fault:?}");
            shown += 1;
        }
    }
    assert_eq!(shown, 17);
}
