use std::fs;
use std::path::Path;

use bytes::Bytes;

use super::*;

/// What was read, written again.
fn rewritten(bytes: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(bytes);
    let mut writer = Writer::new(Vec::new());
    while let Some(header) = reader.next().expect("an archive") {
        let contents = reader.contents().expect("its contents");
        let all: Vec<Bytes> = contents.data.into_iter().map(|(_, bytes)| bytes).collect();
        writer.entry(&header, &all.concat()[..]).expect("an entry");
    }
    writer.finish().expect("an archive")
}

/// Those of Docker, containerd and containers/storage themselves, which Go wrote.
#[test]
fn what_daemons_wrote_is_written_again_to_the_byte() {
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layers/expected");
    let mut count = 0;
    for entry in fs::read_dir(expected).expect("archives") {
        let path = entry.expect("an archive").path();
        if path.extension().is_none_or(|it| it != "tar") {
            continue;
        }
        let bytes = fs::read(&path).expect("an archive");
        let again = rewritten(&bytes);
        let at = bytes.iter().zip(&again).position(|(a, b)| a != b);
        assert!(bytes == again, "{}: byte {at:?}", path.display());
        count += 1;
    }
    assert!(count >= 6, "{count}");
}
