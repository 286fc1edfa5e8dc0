//! What is said of a trace that cannot be read.

use ztwin::trace::Trace;

/// The message for a text that is no trace.
fn error(text: impl AsRef<[u8]>) -> String {
    match Trace::parse("a.trace", text.as_ref()) {
        Ok(trace) => panic!("read as {trace:?}"),
        Err(error) => error.to_string(),
    }
}

/// Messages for several texts, below each other.
fn errors<T: AsRef<[u8]>>(texts: &[T]) -> String {
    texts.iter().map(|text| error(text) + "\n\n").collect()
}

#[test]
fn quoting() {
    insta::assert_snapshot!(errors(&[
        "  $ zfs set 'a=b tank\n",
        "  $ zfs set \"a=b tank\n",
        "  $ zfs set \"a=$b\" tank\n",
        "Prose.\n\n  $ zfs destroy tank/*\n",
        "  $ zfs list; zfs list\n",
        "  $ zfs set note=$'\\q' tank\n",
        "  $ zfs\tlist\n",
        "  $ zfs list\r\n",
        "  $ zfs list \\\n",
        "  $ zfs list \\\n  \n",
        "  $ zfs list\\\n  tank\n",
    ]));
}

#[test]
fn streams() {
    insta::assert_snapshot!(errors(&[
        "  $ zfs send tank@s >@x\n",
        "  $ zfs send tank@s > x\n",
        "  $ zfs send tank@s >\n",
        "  $ zfs send > @x tank@s\n",
        "  $ zfs receive < @x < @y\n",
        "  $ > @x\n",
    ]));
}

#[test]
fn lines() {
    insta::assert_snapshot!(errors(&[
        " one space\n",
        "  output of no step\n",
        "  $ zfs list\n\n  output behind an empty line\n",
        "  $ zfs list\n  \n",
        "  $\n",
        "  $zfs list\n",
        "  $ zfs list\n  !no space\n",
        "  $ zfs list\n  blank at the end \n",
        "  $ zfs list\n  ! \n",
        "  $ zfs list\n  bell \u{7}\n",
        "  $ zfs list\n  \\n (esc)\n",
        "  $ zfs list\n  \\x0a (esc)\n",
    ]));
    insta::assert_snapshot!("not_utf8", error(b"Prose.\n  $ zfs list\n  caf\xe9\n"));
    let long = format!("  $ zfs list {} ';\n", "é".repeat(300));
    insta::assert_snapshot!("long_line", error(long));
}

#[test]
fn outcomes() {
    insta::assert_snapshot!(errors(&[
        "  $ zfs list\n  [0]\n",
        "  $ zfs list\n  [256]\n",
        "  $ zfs list\n  [01]\n",
        "  $ zfs list\n  ! err\n  out\n",
        "  $ zfs list\n  [1]\n  ! err\n",
    ]));
}

#[test]
fn patterns() {
    insta::assert_snapshot!(errors(&[
        "  $ zfs list\n  ~ <range:2..1>\n",
        "  $ zfs list\n  ~ a <number> b\n",
        "  $ zfs list\n  ~ a < b\n",
        "  $ zfs list\n  !~ <set:a||b>\n",
        "  $ zfs list\n  ~ <guid:>\n",
    ]));
}

#[test]
fn guards() {
    insta::assert_snapshot!(errors(&[
        "  ? openzfs < 2.2\n  $ zfs list\n  ? end\n",
        "  $ zfs list\n  ? openzfs < 2.2\n  a\n\nProse.\n",
        "  $ zfs list\n  ? openzfs < 2.2\n  a\n",
        "  $ zfs list\n  ? else\n",
        "  $ zfs list\n  ? end\n",
        "  $ zfs list\n  ? openzfs < 2.2\n  ? openzfs < 2.1\n",
        "  $ zfs list\n  ? openzfs < 2.2\n  ? else\n  ? else\n",
        "  $ zfs list\n  ?\n",
        "  $ zfs list\n  ? openzfs\n",
        "  $ zfs list\n  ? openzfs ~ 2.2\n",
        "  $ zfs list\n  ? openzfs < 2.2.1\n",
        "  $ zfs list\n  ? linux < 6.1\n",
        "  $ zfs list\n  ? openzfs < 2.2\n  [1]\n  ? end\n  out\n",
    ]));
}

#[test]
fn metadata() {
    insta::assert_snapshot!(errors(&[
        "  @ recorded\n",
        "  @ recorded 2.3.9 linux-6.12 trixie 2026-11-21\n",
        "  @ recorded openzfs-2.3.9 6.12 trixie 2026-11-21\n",
        "  @ recorded openzfs-2.3.9 linux-6.12 trixie 21.11.2026\n",
        "  @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-21 more\n",
        "  @ note\n",
        "  @ Key=value\n",
        "  @\n",
        "  @ a=b > c\n",
    ]));
}
