//! A trace as a script, in the shell of a guest with real ZFS: it exits 0, and 1 when something else is expected.
#![cfg(feature = "real-pool")]

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long a guest may say nothing.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a script in the shell of a guest: what its console says.
fn run(image: &str, script: &str) -> String {
    let mut guest = Command::new(env!("CARGO_BIN_EXE_ztwin"))
        .args(["vm", "shell", image])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ztwin");
    let mut console = guest.stdout.take().expect("a console");
    let (send, said) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = console.read(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            if send.send(text).is_err() {
                break;
            }
        }
    });
    let mut all = String::new();
    let wait_for = |what: &str, all: &mut String| {
        while !all.contains(what) {
            let more = said.recv_timeout(PATIENCE);
            *all += &more.unwrap_or_else(|_| panic!("no {what:?} in:\n{all}"));
        }
    };
    let mut input = guest.stdin.take().expect("a keyboard");
    wait_for("# ", &mut all);
    // A shell at a terminal completes words at a tab.
    let mut text = String::from("stty -echo\nsed 's/<TAB>/\\t/g' >a.sh <<'SCRIPT_ENDS'\n");
    text += &script.replace('\t', "<TAB>");
    text += "SCRIPT_ENDS\nsh a.sh; echo script-ended-$?-\n";
    for line in text.split_inclusive('\n') {
        input.write_all(line.as_bytes()).expect("a guest");
        // The line's buffer is small.
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut all = String::new();
    wait_for("script-ended-", &mut all);
    // The exit code may come later.
    while !all.ends_with("# ") && !all.ends_with("-\r\n") {
        let Ok(more) = said.recv_timeout(PATIENCE) else {
            break;
        };
        all += &more;
    }
    let _ = input.write_all(b"exit\n");
    drop(input);
    let _ = guest.kill();
    let _ = guest.wait();
    all
}

#[test]
fn a_script_needs_nothing_but_zfs() {
    let pool = std::env::var("ZTWIN_REAL_POOL").expect("ZTWIN_REAL_POOL=vm:NAME");
    let image = pool.strip_prefix("vm:").expect("vm:NAME");
    let trace = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/clone.trace");
    let script = Command::new(env!("CARGO_BIN_EXE_ztwin"))
        .args(["script", trace])
        .output()
        .expect("ztwin");
    let script = String::from_utf8(script.stdout).expect("a script");

    let right = run(image, &script);
    assert!(right.contains("script-ended-0-"), "{right}");

    let other = script.replace("\nEEXIST\n", "\nENOTDIR\n");
    assert_ne!(other, script);
    let wrong = run(image, &other);
    assert!(wrong.contains("script-ended-1-"), "{wrong}");
    assert!(wrong.contains("mkdir tank/app:/f"), "{wrong}");
}
