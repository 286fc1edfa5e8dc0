//! A job in a guest: what the environment chose, and what the job printed.

use std::path::PathBuf;

use ztwin::archive::{Header, Kind, Writer};
use ztwin::guest::boot::{Guest, Options};
use ztwin::guest::image::{Cache, Name, Spec};
use ztwin::guest::wire::{Job, Stream};
use ztwin_model::Release;

/// The image that `ZTWIN_REAL_POOL=vm:NAME` names, in whose name this stands: a daemon, or nothing.
pub fn spec(daemon: &str) -> Spec {
    let pool = std::env::var("ZTWIN_REAL_POOL").expect("set ZTWIN_REAL_POOL=vm:NAME");
    let name = pool.strip_prefix("vm:").expect("ZTWIN_REAL_POOL=vm:NAME");
    assert!(name.contains(daemon), "{pool} has no {daemon}");
    name.parse().unwrap()
}

/// The release of OpenZFS in an image.
pub fn release(spec: &Spec) -> Release {
    match spec.name {
        Name::Bookworm => Release::V2_1,
        Name::Trixie | Name::BookwormBackports => Release::V2_3,
        Name::TrixieBackports => Release::V2_4,
    }
}

/// Runs a command of the shell in a guest, in the directory `/work` with these files, and gives its standard
/// output.
pub fn output(spec: &Spec, files: &[(&str, &[u8])], command: &str) -> String {
    let options = Options::new(
        Cache::of_user().unwrap(),
        PathBuf::from(env!("CARGO_BIN_EXE_ztwin")),
    );
    let mut guest = Guest::start(spec, &options, &mut |text| eprintln!("{text}")).unwrap();
    let mut archive = Writer::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new(Kind::File, format!("work/{name}"));
        header.mode = 0o644;
        header.size = i64::try_from(bytes.len()).unwrap();
        archive.entry(&header, *bytes).unwrap();
    }
    let archive = archive.finish().unwrap();
    let job = Job {
        argv: ["sh", "-c", &format!("cd /work && {command}")]
            .map(str::to_owned)
            .to_vec(),
        ..Job::default()
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = guest
        .run(
            &job,
            Some(&mut &archive[..]),
            &mut |stream, bytes| match stream {
                Stream::Out => out.extend_from_slice(bytes),
                Stream::Err => err.extend_from_slice(bytes),
            },
            None,
        )
        .unwrap();
    assert_eq!(code, 0, "{}", String::from_utf8_lossy(&err));
    String::from_utf8(out).unwrap()
}
