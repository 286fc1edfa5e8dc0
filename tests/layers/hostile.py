#!/usr/bin/env python3
"""Writes the archives that try to do harm, or are odd, into a directory: hostile.py DIRECTORY.

hostile.py DIRECTORY COUNT SEED writes archives drawn at random instead.
"""

import os
import random
import sys


def header(name, kind="0", size=0, link="", mode=0o644, uid=0, gid=0, mtime=1700000000, dev=(0, 0)):
    block = bytearray(512)

    def put(at, text):
        block[at:at + len(text)] = text

    put(0, name.encode()[:100])
    put(100, b"%07o\0" % mode)
    put(108, b"%07o\0" % uid)
    put(116, b"%07o\0" % gid)
    put(124, b"%011o\0" % size)
    put(136, b"%011o\0" % mtime)
    put(148, b" " * 8)
    put(156, kind.encode("latin1"))
    put(157, link.encode()[:100])
    put(257, b"ustar\x0000")
    put(329, b"%07o\0" % dev[0])
    put(337, b"%07o\0" % dev[1])
    put(148, b"%06o\0 " % sum(block))
    return bytes(block)


def pad(data):
    return data + bytes(-len(data) % 512)


def file(name, data=b"new", **more):
    return header(name, size=len(data), **more) + pad(data)


def directory(name, mode=0o755, **more):
    return header(name, "5", mode=mode, **more)


def link(name, to):
    return header(name, "2", link=to, mode=0o777)


def hard(name, to):
    return header(name, "1", link=to)


def records(**pairs):
    body = b""
    for key, value in pairs.items():
        rest = len(key) + len(value) + 3
        size = rest + len(str(rest))
        size = rest + len(str(size))
        body += b"%d %s=%s\n" % (size, key.encode(), value)
    return header("PaxHeaders.0/x", "x", size=len(body), mode=0) + pad(body)


def xattr(name, key, value):
    return records(**{"SCHILY.xattr." + key: value}) + file(name)


def through(links):
    """A file behind that many symbolic links."""
    return [link("t", "."), records(path=b"t/" * links + b"new") + file("x")]


CASES = {
    # Names that lead elsewhere.
    "absolute": [file("/etc/abs")],
    "up": [file("../escape")],
    "up-from-below": [file("a/b/../../../escape")],
    "up-and-stay": [file("dir/../inside")],
    "here": [file("./here")],
    "no-name": [file("")],
    "the-root": [directory("./", mode=0o700)],
    "the-root-as-slash": [directory("/", mode=0o700)],
    "the-root-as-file": [file(".")],
    "too-long": [records(path=b"x" * 256) + file("x")],
    "longest": [records(path=b"x" * 255) + file("x")],
    "below-a-file": [file("etc/passwd/x")],
    # Links.
    "hard-link-up": [hard("h", "../outside/victim")],
    "hard-link-absolute": [hard("h", "/etc/passwd")],
    "hard-link-to-nothing": [hard("h", "nope")],
    "hard-link-to-itself": [hard("etc/passwd", "etc/passwd")],
    "hard-link-through-link": [hard("h", "absolute/passwd")],
    "hard-link-to-link": [hard("h", "relative")],
    "hard-link-to-directory": [hard("h", "dir")],
    "hard-link-over-directory": [hard("dir", "etc/passwd")],
    "hard-link-to-earlier": [file("f"), hard("g", "f"), hard("g2", "./g")],
    "hard-link-with-other-mode": [file("f"), header("g", "1", link="f", mode=0o4711, uid=9)],
    "hard-link-to-link-with-mode": [header("g", "1", link="relative", mode=0o4711, uid=9)],
    "link-to-nothing": [link("s", "")],
    "link-up-and-write": [link("s", "../outside"), file("s/victim")],
    "link-far-up-and-write": [link("s", "../../../../../../../../../../../outside"), file("s/victim")],
    "link-absolute-and-write": [link("s", "/outside"), file("s/victim")],
    "link-up-and-remove": [link("s", "../outside"), file("s/.wh.victim", b"")],
    "link-chain-and-write": [link("s", "t"), link("t", "../outside"), file("s/victim")],
    "through-absolute": [file("absolute/new")],
    "through-relative": [file("relative/new")],
    "through-out": [file("out/new")],
    "through-dangling": [file("dangling/new")],
    "through-loop": [file("loop/new")],
    "through-two-links": [link("one", "two"), link("two", "dir"), file("one/new")],
    "through-link-and-back": [link("s", "dir/../etc"), file("s/new")],
    "through-missing": [link("s", "dir/nope"), file("s/new")],
    "through-missing-deep": [link("s", "dir"), file("s/p/q/new")],
    "through-file": [link("s", "etc/passwd"), file("s/new")],
    "through-absolute-then-up": [link("s", "/../../etc"), file("s/new")],
    "over-link": [file("relative")],
    "link-to-file-then-file": [link("s", "etc/passwd"), file("s")],
    "directory-over-link": [directory("relative")],
    "directory-through-link": [directory("relative/sub/")],
    # Whiteouts.
    "whiteout": [file("dir/.wh.old", b"")],
    "whiteout-of-nothing": [file("dir/.wh.nope", b"")],
    "whiteout-of-directory": [file(".wh.dir", b"")],
    "whiteout-and-again": [file(".wh.dir", b""), file("dir/new")],
    "whiteout-of-own": [file("dir/new"), file("dir/.wh.new", b"")],
    "whiteout-with-contents": [file("dir/.wh.old", b"told")],
    "whiteout-as-directory": [directory("dir/.wh.old/")],
    "whiteout-as-link": [link("dir/.wh.old", "x")],
    "whiteout-in-nothing": [file("no/where/.wh.x", b"")],
    "whiteout-in-file": [file("etc/passwd/.wh.x", b"")],
    "whiteout-of-a-path": [file("dir/.wh.sub/x", b"")],
    "directory-then-whiteout": [directory("x/"), file(".wh.x", b"")],
    "whiteout-through-link": [file("absolute/.wh.passwd", b"")],
    "whiteout-through-out": [file("out/.wh.outside", b"")],
    "whiteout-no-name": [file("dir/.wh.", b"")],
    "whiteout-no-name-in-root": [file(".wh.", b"")],
    "whiteout-here": [file("dir/.wh..", b"")],
    "whiteout-here-in-root": [file(".wh..", b"")],
    "whiteout-up": [file("dir/sub/.wh...", b"")],
    "whiteout-up-to-root": [file("dir/.wh...", b"")],
    "whiteout-up-in-root": [file(".wh...", b"")],
    "whiteout-dots": [file("dir/.wh....", b"")],
    "whiteout-below-itself": [file("dir/.wh.old/x", b"")],
    "opaque": [file("dir/.wh..wh..opq", b"")],
    "opaque-root": [file(".wh..wh..opq", b"")],
    "opaque-in-nothing": [file("no/where/.wh..wh..opq", b"")],
    "opaque-in-file": [file("etc/passwd/.wh..wh..opq", b"")],
    "opaque-first": [file("dir/.wh..wh..opq", b""), file("dir/new")],
    "opaque-last": [file("dir/new"), file("dir/.wh..wh..opq", b"")],
    "opaque-last-deep": [file("dir/sub/new"), file("dir/.wh..wh..opq", b"")],
    "opaque-with-directories": [directory("dir/"), directory("dir/sub/"), file("dir/sub/new"),
                                file("dir/.wh..wh..opq", b"")],
    "opaque-through-link": [file("absolute/.wh..wh..opq", b"")],
    "opaque-after-write-through-link": [file("relative/new"), file("relative/.wh..wh..opq", b"")],
    "opaque-below-link": [file("relative/sub/new"), file("relative/sub/.wh..wh..opq", b"")],
    "opaque-twice": [file("dir/new"), file("dir/.wh..wh..opq", b""), file("dir/sub/.wh..wh..opq", b"")],
    "meta": [file(".wh..wh.aufs", b"")],
    "meta-below": [file("dir/.wh..wh.aufs", b"")],
    "meta-directory": [directory(".wh..wh.orph/"), file(".wh..wh.orph/x")],
    "aufs-other-links": [file(".wh..wh.other/1.2", b"linked"), hard("h", ".wh..wh.plnk/1.2")],
    "opaque-then-directory": [file("dir/new"), file("dir/.wh..wh..opq", b""), directory("dir", mode=0o700)],
    "opaque-then-file": [directory("dir"), file("dir/.wh..wh..opq", b""), file("dir")],
    "attribute-then-directory": [xattr("f", "user.note", b"told"), directory("f")],
    "plnk": [directory(".wh..wh.plnk/"), file(".wh..wh.plnk/1.2", b"linked"),
             hard("p", ".wh..wh.plnk/1.2")],
    "plnk-missing": [hard("p", ".wh..wh.plnk/1.2")],
    # Odd, but meant well.
    "implied": [file("p/q/r")],
    "twice": [file("f", b"one"), file("f", b"two!")],
    "file-then-directory": [file("x"), directory("x/"), file("x/y")],
    "directory-then-file": [directory("x/"), file("x/y"), file("x")],
    "directory-over-file": [directory("etc/passwd/")],
    "file-over-directory": [file("dir")],
    "merge": [directory("dir/", mode=0o1777, uid=5, gid=6)],
    "mode-with-type": [file("f", mode=0o100640)],
    "setuid": [file("f", mode=0o6755, uid=7, gid=8)],
    "old-file": [header("f", "\0", size=3) + pad(b"old")],
    "old-directory": [header("d/", "\0")],
    "file-with-slash": [file("d/")],
    "contiguous": [header("f", "7", size=3) + pad(b"new")],
    "unknown": [header("f", "V")],
    "global": [header("pax_global_header", "g", size=13) + pad(b"13 comment=x\n")],
    "global-over-file": [header("etc/passwd", "g", size=13) + pad(b"13 comment=x\n")],
    "empty": [],
    "sparse": [records(**{"GNU.sparse.major": b"1", "GNU.sparse.minor": b"0", "GNU.sparse.name": b"s",
                          "GNU.sparse.realsize": b"10000"})
               + header("GNUSparseFile.0/s", size=512 + 3) + pad(b"1\n4096\n3\n") + pad(b"abc")],
    "sparse-lies": [records(**{"GNU.sparse.major": b"1", "GNU.sparse.minor": b"0", "GNU.sparse.name": b"s",
                               "GNU.sparse.realsize": b"10"})
                    + header("GNUSparseFile.0/s", size=512 + 3) + pad(b"1\n4096\n3\n") + pad(b"abc")],
    # What the daemons' own tests try.
    "suite-two-absolute-links": [directory("etc"), directory("dummy"), link("dummy/etc", "/etc"),
                                 link("local", "/dummy/etc"), file("dummy/etc/unbroken"), file("local/too")],
    "suite-absolute-up-and-down": [directory("dummy"), link("local", "/dummy/../etc"), file("/local/unbroken")],
    "suite-relative-then-absolute": [directory("dummy"), link("dummy/etc", "/etc"), link("local", "./dummy/etc"),
                                     file("local/unbroken")],
    "suite-emptied-through-link": [file("absolute/passwd", b"")],
    "suite-hard-link-through-far-link": [directory("b"), link("b/d", "../../etc"), hard("b/p", "/b/d/passwd")],
    "suite-hard-link-up-and-down": [directory("b"), directory("down"), link("b/d", "../down/../../etc"),
                                    hard("b/p", "/b/d/passwd")],
    "suite-hard-link-far-up": [hard("p", "../../../../../etc/passwd")],
    "suite-link-named-parent": [link("..", "/etc/"), hard("p", "/etc/passwd")],
    "suite-link-named-nothing": [link("", "/etc/"), hard("p", "/etc/passwd")],
    "suite-link-named-up": [link("local/sub/..", "/etc/"), hard("/local/p", "/etc/passwd")],
    "suite-link-over-directory": [link("dir", "/etc"), hard("/dir/p", "/etc/passwd")],
    "suite-relative-link-over-directory": [link("dir", "../../etc"), hard("/dir/p", "/etc/passwd")],
    "suite-directory-over-link": [directory("/absolute/"), hard("/absolute/p", "/etc/passwd")],
    "suite-file-over-hard-link": [hard("dir/p", "/etc/passwd"), file("dir/p", b"different")],
    "suite-whiteout-of-link": [file(".wh.absolute", b"")],
    "suite-whiteout-then-file-through-link": [file(".wh.etc", b""), file("absolute/passwd", b"new")],
    "suite-whiteouts-and-more": [file(".bay"), file(".wh.dir", b""), directory("etc/"), file("etc/.bce"),
                                 file("etc/.wh..wh..opq", b""), directory("etc/cde/"), file("etc/cde/efg")],
    "suite-opaque-root-then-files": [file(".abc"), file(".wh..wh..opq", b""), file("foobar")],
    "suite-links-and-link-to-link": [link("a", "b"), link("b", "a"), file("a/x")],
    "through-8-links": through(8),
    "through-9-links": through(9),
    "through-9-absolute-links": [link("s%d" % at, "/s%d" % (at + 1)) for at in range(8)] +
                                [link("s8", "/dir"), file("s0/new")],
    "through-8-links-then-absolute": [link("s%d" % at, "s%d" % (at + 1)) for at in range(8)] +
                                     [link("s8", "/dir"), file("s0/new")],
    "through-missing-then-up": [link("s", "nope/../../etc"), file("s/new")],
    "through-up-then-absolute": [link("s", "../dir/t"), link("dir/t", "/etc"), file("s/new")],
    "through-absolute-up-again": [link("s", "/dir/t"), link("dir/t", "../../etc"), file("s/new")],
    "through-40-links": through(40),
    "through-41-links": through(41),
    "through-255-links": through(255),
    "through-256-links": through(256),
    "directory-then-absolute-link": [directory("n/"), link("n", "/etc")],
    "directory-then-relative-link": [directory("n/"), link("n", "etc")],
    "directory-then-link-up": [directory("n/"), link("n", "../etc")],
    "directory-then-dangling-link": [directory("n/"), link("n", "nope")],
    "directory-through-link-that-goes": [directory("absolute/new/"), file("absolute")],
    "suite-hard-link-of-link-of-link": [link("s", "relative"), hard("h", "s"), hard("h2", "h")],
    "suite-dangling-parent": [file("dangling/p/q")],
    # Special files and attributes.
    "devices": [header("c", "3", dev=(1, 3)), header("b", "4", mode=0o660, dev=(8, 17)), header("p", "6")],
    "device-over-file": [header("etc/passwd", "3", dev=(0, 0))],
    "hard-link-to-device": [header("c", "3", dev=(1, 3)), hard("d", "c")],
    "capability": [xattr("f", "security.capability",
                         bytes.fromhex("0100000200200000000000000000000000000000"))],
    "user-attribute": [xattr("f", "user.note", b"told")],
    "trusted-attribute": [xattr("f", "trusted.overlay.opaque", b"y")],
    "unknown-attribute": [xattr("f", "nonsense", b"y")],
}

def drawn():
    """An archive of a few entries whose names get in each other's way."""
    word = lambda: random.choice(["etc", "dir", "sub", "absolute", "relative", "out", "dangling", "new", "passwd",
                                  ".wh.old", ".wh.dir", ".wh.new", ".wh.sub", ".wh..wh..opq", "..", "x", "old"])
    name = lambda: random.choice(["", "", "", "/", "./"]) + "/".join(word() for _ in range(random.choice([1, 1, 2, 2, 3])))
    for _ in range(random.randrange(1, 7)):
        kind = random.randrange(8)
        if kind < 3:
            yield file(name(), random.choice([b"", b"new"]), mode=random.choice([0o644, 0o4711]))
        elif kind < 5:
            yield directory(name(), mode=random.choice([0o755, 0o700]), uid=random.choice([0, 9]))
        elif kind < 6:
            yield link(name(), random.choice(["/", "../", ""]) + name().strip("/"))
        elif kind < 7:
            yield hard(name(), name())
        else:
            yield header(name(), random.choice("346"), dev=(1, 3))


if len(sys.argv) == 2:
    # Of this one every beginning is read.
    cut = [directory("d/"), records(path=b"long" * 40) + file("cut", b"a" * 700), CASES["sparse"][0], link("l", "cut"),
           file("last", b"z" * 30)]
    with open(os.path.join(sys.argv[1], "..", "cut.tar"), "wb") as out:
        out.write(b"".join(cut) + bytes(1024))
else:
    random.seed(int(sys.argv[3]))
    CASES = {"%06d" % number: list(drawn()) for number in range(int(sys.argv[2]))}

for case, entries in CASES.items():
    with open(os.path.join(sys.argv[1], case + ".tar"), "wb") as out:
        out.write(b"".join(entries) + bytes(1024))
