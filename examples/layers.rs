//! A layer driver's rule, checked against the model: a base that has children cannot be removed.
//!
//! Run it with `cargo run --example layers`.

use ztwin::pools::blobs::Blobs;
use ztwin::pools::model::ModelPools;
use ztwin::pools::{End, Session};
use ztwin_model::Release;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut zfs = ModelPools::new(Release::V2_3, Blobs::default()).session();
    for step in [
        "vdev /v/a 1G",
        "zpool create tank /v/a",
        "zfs create tank/base",
        "write tank/base:/sh 0 300K data=random:7",
        "zfs snapshot tank/base@1",
        "zfs clone tank/base@1 tank/app",
        "unlink tank/app:/sh",
    ] {
        let words: Vec<&str> = step.split(' ').collect();
        assert_eq!(zfs.run(&words)?.end, End::Exit(0), "{step}");
    }
    // Gone in the clone, present below.
    assert_eq!(zfs.run(&["stat", "tank/app:/sh"])?.err, b"ENOENT\n");
    assert_eq!(zfs.run(&["stat", "tank/base:/sh"])?.end, End::Exit(0));

    let refused = zfs.run(&["zfs", "destroy", "tank/base@1"])?;
    assert_eq!(refused.end, End::Exit(1));
    print!("{}", String::from_utf8_lossy(&refused.err));
    Ok(())
}
