use super::*;
use bytes::Bytes;

fn rewritten(bytes: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(bytes);
    let mut writer = Writer::new(Vec::new());
    while let Some(header) = reader.next().unwrap() {
        let contents = reader.contents().unwrap();
        let all: Vec<Bytes> = contents.data.into_iter().map(|(_, bytes)| bytes).collect();
        writer.entry(&header, &all.concat()[..]).unwrap();
    }
    writer.finish().unwrap()
}
#[test]
fn tmp() {
    for f in [
        "moby20",
        "moby26",
        "mobyhead",
        "ctd-HEAD",
        "ctd-v1.6.20",
        "ctd-v1.7.24",
    ] {
        for s in ["", "-base"] {
            let b = std::fs::read(format!("/tmp/w/layer/trees/{f}{s}.tar")).unwrap();
            let r = rewritten(&b);
            let at = b.iter().zip(&r).position(|(a, b)| a != b);
            assert!(b == r, "{f}{s} {} {} {at:?}", b.len(), r.len());
        }
    }
}
