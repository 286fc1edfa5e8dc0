//! What zstd makes of a block, by the library that is in OpenZFS (`zfs_zstd.c`).

use zstd_safe::{CParameter, FrameFormat};
use ztwin_model::dmu::compress::Zstd;

/// What stands in front of the compressed bytes, in bytes (`zfs_zstdhdr_t`).
const HEADER: usize = 8;

/// The library, for the model.
pub(crate) const LIBRARY: Zstd = Zstd(size);

/// The size of these bytes once they are compressed, when that is at most `room`.
fn size(bytes: &[u8], level: i32, room: u64) -> Option<u64> {
    let mut to = vec![0; usize::try_from(room).ok()?.checked_sub(HEADER)?];
    let mut context = zstd_safe::create_cctx();
    let parameters = [
        CParameter::CompressionLevel(level),
        CParameter::Format(FrameFormat::Magicless),
        CParameter::ChecksumFlag(false),
        CParameter::ContentSizeFlag(false),
    ];
    for parameter in parameters {
        zstd_safe::cctx_set_parameter(&mut context, parameter).ok()?;
    }
    let compressed = zstd_safe::compress2(&mut context, &mut to, bytes).ok()?;
    Some((HEADER + compressed) as u64)
}

#[cfg(test)]
mod tests {
    use crate::pools::Session;
    use crate::pools::model::ModelPools;

    #[test]
    fn files_take_what_they_take_on_openzfs() {
        // Measured: traces/space/kinds.trace.
        let mut session = ModelPools::default().session();
        let mut told = Vec::new();
        for line in [
            "vdev /v/a 512M",
            "zpool create -o ashift=12 -O compression=zstd tank /v/a",
            "write tank:/large 0 400000 data=text:4",
            "write tank:/noise 0 20000 data=random:1",
            "write tank:/small 0 60 data=text:3",
            "write tank:/text 0 100000 data=text:2",
            "blocks tank",
        ] {
            let printed = session.run(&line.split(' ').collect::<Vec<_>>()).unwrap();
            assert!(printed.succeeded(), "{line}: {printed:?}");
            told = printed.out;
        }
        let expected = "97 131072 /large\n41 20480 /noise\n1 512 /small\n17 100352 /text\n";
        assert_eq!(String::from_utf8_lossy(&told), expected);
    }
}
