#!/usr/bin/env python3
"""Writes the archives of the traces traces/layers/docker-archive-*.trace into a directory: docker.py DIRECTORY.

They say what the archives of Docker's own tests of pkg/archive say, and of what became of that, go-archive. In
traces/data each has its BLAKE3 hash for a name (`b3sum`).
"""

import io
import os
import sys
import tarfile


def member(name, kind=tarfile.REGTYPE, link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.mtime = kind, link, mode, 1700000000
    return info


def file(name, mode=0o644):
    return member(name, mode=mode)


def directory(name, mode=0o755):
    return member(name, tarfile.DIRTYPE, mode=mode)


def symbolic(name, to, mode=0o644):
    return member(name, tarfile.SYMTYPE, to, mode)


def hard(name, to, mode=0o644):
    return member(name, tarfile.LNKTYPE, to, mode)


def tree(*names):
    """A tree as tests of whiteouts make it: directories end in a slash."""
    return [directory(name.rstrip("/"), 0o700) if name.endswith("/") else file(name, 0o600) for name in names]


VICTIM = "loophole-victim"

ARCHIVES = {
    # TestApplyLayerInvalidFilenames, TestUntarInvalidFilenames
    "name-up": [file("../victim/dotdot")],
    "name-slash-up": [file("/../victim/slash-dotdot")],
    # TestApplyLayerInvalidHardlink, TestUntarInvalidHardlink
    "hard-up": [hard("dotdot", "../victim/hello")],
    "hard-slash-up": [hard("slash-dotdot", "/../victim/hello")],
    "hard-write": [hard(VICTIM, "../victim", 0o755), file(VICTIM + "/file")],
    "hard-symbolic": [hard(VICTIM, "../victim", 0o755), symbolic("symlink", VICTIM + "/hello")],
    "hard-hard": [hard(VICTIM, "../victim", 0o755), hard("hardlink", VICTIM + "/hello")],
    "hard-remove": [hard(VICTIM, "../victim", 0o755), file(VICTIM)],
    # TestApplyLayerInvalidSymlink, TestUntarInvalidSymlink
    "symbolic-up": [symbolic("dotdot", "../victim/hello")],
    "symbolic-slash-up": [symbolic("slash-dotdot", "/../victim/hello")],
    "symbolic-write": [symbolic(VICTIM, "../victim", 0o755), file(VICTIM + "/file")],
    "symbolic-symbolic": [symbolic(VICTIM, "../victim", 0o755), symbolic("symlink", VICTIM + "/hello")],
    "symbolic-hard": [symbolic(VICTIM, "../victim", 0o755), hard("hardlink", VICTIM + "/hello")],
    "symbolic-remove": [symbolic(VICTIM, "../victim", 0o755), file(VICTIM)],
    "symbolic-deep": [symbolic("dir/loophole", "../../victim", 0o755), file("dir/loophole/newdir/newfile")],
    # TestUntarHardlinkToSymlink
    "hard-to-symbolic": [symbolic("symlink1", "regfile"), hard("symlink2", "symlink1"), file("regfile")],
    # TestApplyLayerWhiteouts
    "whiteouts-1": tree(".baz", "bar/", "bar/bax", "bar/bay/", "baz", "foo/", "foo/.abc", "foo/.bcd/", "foo/.bcd/a",
                        "foo/cde/", "foo/cde/def", "foo/cde/efg", "foo/fgh", "foobar"),
    "whiteouts-2": tree(".bay", ".wh.baz", "foo/", "foo/.bce", "foo/.wh..wh..opq", "foo/cde/", "foo/cde/efg"),
    "whiteouts-3": tree(".bay", ".wh..baz", ".wh.foobar", "bar/", "foo/", "foo/.abc", "foo/.wh.cde"),
    "whiteouts-4": tree(".abc", ".wh..wh..opq", "foobar"),
    # TestXGlobalNoParent
    "global": [member("foo/bar", tarfile.XGLTYPE)],
    # TestUntarParentPathPermissions
    "no-parent": [file("foo/bar", 0)],
    # TestImpliedDirectoryPermissions
    "implied": [file("deeply/nested/and/implied", 0), directory("explicit", 0o644),
                directory("explicit/permissions", 0o600), directory("explicit/permissions/specified", 0o400),
                directory("explicit/permissions/umask", 0o777), file("explicit/permissions/umask/file", 0o666),
                directory("implied/dir-without-trailing-slash", 0o700)],
    # TestUnpackLayerCreatesImpliedDirectoriesThroughLowerLayerSymlink
    "link-lower": [directory("usr"), directory("usr/lib"), symbolic("lib", "usr/lib", 0o777)],
    "link-upper": [file("lib/systemd/system/container.service")],
    # TestUntarThroughAbsoluteSymlink
    "link-absolute": [file("var/run/existing/non-existing/file")],
    # TestHardlinkSourceThroughAbsoluteSymlink
    "link-hard": [file("var/run/source"), hard("var/run/link", "var/run/source")],
    # TestUnpackRejectsRelativeEscapeBeforeAbsoluteSymlink
    "link-escape": [file("escape/absolute/file")],
    # TestUntarAbsoluteHardlink
    "hard-absolute": [file("usr/bin/perlbug", 0o755), hard("usr/bin/perlthanks", "/usr/bin/perlbug", 0o755)],
    # TestChrootApplyDotDotFile
    "dots": [file("..gitme")],
    # TestUntarParentTraversalContained
    "parent": [file("..")],
    "parent-child": [file("../pwned")],
    "parent-nested": [file("../../pwned")],
    # TestUntarSiblingPrefixContained
    "sibling": [hard("grab", "../dest-evil/secret")],
    # TestUntarSymlinkBreakout
    "chain": [directory("inner"), symbolic("inner/go_up", ".."), symbolic("inner/go_up/escape", "../victim"),
              file("inner/go_up/escape/newfile")],
    # TestOverlayUntarInvalidWhiteoutNames
    "whiteout-none": [file(".wh.", 0o600)],
    "whiteout-here": [file(".wh..", 0o600)],
    "whiteout-up": [file(".wh...", 0o600)],
}

for name, members in ARCHIVES.items():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for info in members:
            archive.addfile(info)
    # No longer than it has to be.
    end = (sum(512 for _ in members) + 1024)
    with open(os.path.join(sys.argv[1], name + ".tar"), "wb") as to:
        to.write(out.getvalue()[:end])
