//! A call that is not written into the state file must not have changed the machine.

use ztwin::programs;
use ztwin::trace::{CORPUS, Trace};
use ztwin_model::dsl::value;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::{Machine, Op, Release};

#[test]
fn what_is_said_to_change_nothing_changes_nothing() {
    let (mut steps, mut reads) = (0, 0);
    for (name, text) in CORPUS {
        let trace = Trace::parse(name, text).expect("a trace");
        let mut machine = Machine::new(Release::default());
        for command in trace.commands() {
            let words = &command.words;
            if let [verb, path, size] = &words[..]
                && verb == "vdev"
            {
                let op = PoolOp::HostFile {
                    path: path.as_str().into(),
                    size: value::size(size).ok(),
                };
                let _ = machine.apply(&Op::Pool(op));
            }
            if words[0] != "zfs" && words[0] != "zpool" {
                continue;
            }
            let before = machine.clone();
            let ran = programs::run(&mut machine, words);
            steps += 1;
            if !ran.changed {
                reads += 1;
                let (before, after) = (before.state(), machine.state());
                assert_eq!(
                    format!("{before:?}"),
                    format!("{after:?}"),
                    "{name}: {words:?}"
                );
            }
        }
    }
    assert!(
        steps > 5000 && reads > 1000,
        "{reads} of {steps} steps only read"
    );
}
