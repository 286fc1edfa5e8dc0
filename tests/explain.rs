//! `ztwin explain`: the tree of layers, the page, and that removing a layer frees what it says.

use std::fs;
use std::path::Path;
use std::process::Command;

use ztwin::explain::layer::{Layer, layers};
use ztwin::pools::blobs::Blobs;
use ztwin::pools::model::ModelPools;
use ztwin::trace::Trace;
use ztwin_model::Release;
use ztwin_model::dmu::storage::Figure;

/// Recorded on real pools: three layers and a container, removed one after the other.
const GIVEN_BACK: &str = "traces/space/what-layers-give-back.trace";

/// The same of what Docker built.
const DOCKER: &str = "traces/space/what-docker-built-gives-back.trace";

fn ztwin(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ztwin"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("NO_COLOR", "1")
        .output()
        .expect("ztwin runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().expect("no signal");
    (code, text(output.stdout), text(output.stderr))
}

fn find<'a>(layers: &'a [Layer], name: &str) -> Option<&'a Layer> {
    layers.iter().find_map(|layer| {
        let found = Some(layer).filter(|layer| layer.name == name);
        found.or_else(|| find(&layer.above, name))
    })
}

#[test]
fn the_tree_of_layers() {
    let (code, out, _) = ztwin(&["explain", "--line", "23", GIVEN_BACK]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(out, @"
    LAYER                              REFERS  SHARED   OWN  FREES
    tank                                  96K      0B   96K  -
    tank/images                           96K      0B   96K  920K with 4 more
    tank/images/base                     616K      0B  616K  824K with 3 more
    └─ @s                                616K       -    0B  208K with 3 more
       ├─ tank/images/one                616K    424K  192K  200K with 1 more
       │  └─ @s                          616K       -    0B  8K with 1 more
       │     └─ tank/images/container    616K    608K    8K  8K
       └─ tank/images/two                616K    608K    8K  8K

    REFERS  all that it holds         SHARED  of this, what the layers below it are charged for
    OWN     what it is charged for    FREES   what comes back when it is removed, with all that has to go with it
    ");
    let (_, out, _) = ztwin(&["explain", "--line", "23", "-p", GIVEN_BACK]);
    insta::assert_snapshot!(out, @"
    LAYER                              REFERS  SHARED     OWN  FREES
    tank                                98304       0   98304  -
    tank/images                         98304       0   98304  942080 with 4 more
    tank/images/base                   630784       0  630784  843776 with 3 more
    └─ @s                              630784       -       0  212992 with 3 more
       ├─ tank/images/one              630784  434176  196608  204800 with 1 more
       │  └─ @s                        630784       -       0  8192 with 1 more
       │     └─ tank/images/container  630784  622592    8192  8192
       └─ tank/images/two              630784  622592    8192  8192

    REFERS  all that it holds         SHARED  of this, what the layers below it are charged for
    OWN     what it is charged for    FREES   what comes back when it is removed, with all that has to go with it
    ");
}

/// `ztwin check` holds the figures of these traces against three real pools; here what was promised in front of
/// each removal is held against them.
#[test]
fn removing_a_layer_frees_what_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, above, removals) in [(GIVEN_BACK, "tank/images", 3), (DOCKER, "tank/docker", 4)] {
        let text = fs::read(root.join(name)).expect("the trace");
        let trace = Trace::parse(name, &text).expect("a trace");
        for release in Release::ALL {
            let compared = compared(&trace, above, release);
            assert_eq!(compared, removals, "{name} {release:?}");
        }
    }
}

/// How many removals of a trace freed what was promised of all that is in `above`.
fn compared(trace: &Trace, above: &str, release: Release) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let blobs = Blobs::in_directory(&root.join("traces/data"));
    let model = ModelPools::new(release, blobs);
    let (mut before, mut promised): (Option<Vec<Layer>>, Option<Figure>) = (None, None);
    let mut compared = 0;
    let commands = trace.commands();
    let watched = model.watch(&commands, &mut |index, printed, state| {
        let words = &commands[index].words;
        let now = layers(state);
        if words[1] == "destroy" && before.is_some() {
            assert!(printed.succeeded(), "{words:?}");
            let gone = find(
                before.as_deref().unwrap_or(&[]),
                words.last().expect("a name"),
            );
            promised = gone.and_then(|it| it.frees);
            assert!(promised.is_some(), "{words:?}");
        } else if words[1] == "list" {
            let used = |layers: &[Layer]| find(layers, above).and_then(|it| it.frees);
            if let (Some(promised), Some(before)) = (promised.take(), &before) {
                let (before, after) = (used(before), used(&now));
                assert_eq!(before.map(|it| it.without(promised)), after, "{words:?}");
                assert!(promised.known().is_some_and(|it| it > 0), "{promised:?}");
                compared += 1;
            }
            before = Some(now);
        }
    });
    watched.expect("the model is always there");
    compared
}

#[test]
fn the_page_needs_nothing_else_and_names_cannot_break_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let (trace, page) = (
        directory.path().join("a.trace"),
        directory.path().join("a.html"),
    );
    let text = "\
</script><b>prose</b>

  $ vdev /v/a 1G
  $ zpool create -o ashift=12 tank /v/a
  $ zfs create tank/a
  $ mkdir 'tank/a:/<'
  $ write 'tank/a:/</script>' 0 1K data=random:1
  $ zfs destroy nothing
";
    fs::write(&trace, text).expect("written");
    let [trace, page] = [&trace, &page].map(|path| path.to_str().expect("UTF-8"));
    let (code, out, told) = ztwin(&["explain", trace, "--html", page]);
    assert_eq!((code, out.as_str(), told.as_str()), (0, "", ""));
    let page = fs::read_to_string(page).expect("the page");
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("http"), "it needs something from elsewhere");
    let (_, rest) = page.split_once("application/json\">").expect("the data");
    let (data, _) = rest.split_once("</script>").expect("their end");
    let film: serde_json::Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(film["steps"][4]["prose"], "</script><b>prose</b>");
    assert_eq!(film["steps"][5]["failed"], true);
    assert_eq!(film["files"][0]["path"], "/</script>");
    // A step that changes nothing has the picture of the one before it.
    assert_eq!(film["steps"][4]["frame"], film["steps"][5]["frame"]);
}

#[test]
fn what_cannot_be_shown() {
    let (code, out, told) = ztwin(&["explain", "traces/space"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(told, "ztwin: traces/space is a directory; name one trace\n");
    let (code, _, told) = ztwin(&["explain", "--line", "1", GIVEN_BACK]);
    assert_eq!(
        (code, told),
        (2, format!("ztwin: {GIVEN_BACK}: no step stands there\n"))
    );
    let (code, _, told) = ztwin(&["explain", "nowhere.trace"]);
    assert_eq!(code, 2);
    assert!(
        told.starts_with("ztwin: cannot read nowhere.trace: "),
        "{told}"
    );
    let (code, _, told) = ztwin(&["explain", GIVEN_BACK, "--html", "/nowhere/a.html"]);
    assert_eq!(code, 2);
    assert!(
        told.starts_with("ztwin: cannot write /nowhere/a.html: "),
        "{told}"
    );
    let directory = tempfile::tempdir().expect("a directory");
    let trace = directory.path().join("a.trace");
    fs::write(&trace, "  $ zfs program tank nothing\n").expect("written");
    let (code, _, told) = ztwin(&["explain", trace.to_str().expect("UTF-8")]);
    assert_eq!(code, 4);
    assert!(told.contains("some steps are not modelled"), "{told}");
}
