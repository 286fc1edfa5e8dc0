// Does what Docker does with layers, by Docker's own code, for tests/layers/README.md.
//
//	changes|size UPPER [LOWER]   what changed, and how many bytes that are
//	export UPPER [LOWER]         the layer's archive, on standard output
//	apply DIRECTORY              unpacks the archive on standard input
//	unpack DIRECTORY             unpacks it for overlayfs
//	pack DIRECTORY               the archive of what overlayfs has
//
// This is the form of Docker 23 to 28. For 20.10, `identity` is `nil, nil`, and main starts with
// `if reexec.Init() { return }`; for 29 the packages are those of github.com/moby/go-archive.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/docker/docker/pkg/archive"
	"github.com/docker/docker/pkg/chrootarchive"
	"github.com/docker/docker/pkg/idtools"
)

var identity = idtools.IdentityMapping{}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	args := os.Args[1:]
	if args[0] == "apply" {
		size, err := chrootarchive.ApplyUncompressedLayer(args[1], os.Stdin, &archive.TarOptions{})
		check(err)
		fmt.Println(size)
		return
	}
	overlay := &archive.TarOptions{WhiteoutFormat: archive.OverlayWhiteoutFormat, Compression: archive.Uncompressed}
	switch args[0] {
	case "unpack":
		check(chrootarchive.UntarUncompressed(os.Stdin, args[1], overlay))
		return
	case "pack":
		layer, err := archive.TarWithOptions(args[1], overlay)
		check(err)
		_, err = io.Copy(os.Stdout, layer)
		check(err)
		return
	}
	lower := ""
	if len(args) > 2 {
		lower = args[2]
	}
	if args[0] == "export" && lower == "" {
		whole, err := archive.Tar(args[1], archive.Uncompressed)
		check(err)
		_, err = io.Copy(os.Stdout, whole)
		check(err)
		return
	}
	changes, err := archive.ChangesDirs(args[1], lower)
	check(err)
	switch args[0] {
	case "changes":
		for _, change := range changes {
			fmt.Println(change.String())
		}
	case "size":
		fmt.Println(archive.ChangesSize(args[1], changes))
	case "export":
		layer, err := archive.ExportChanges(args[1], changes, identity)
		check(err)
		_, err = io.Copy(os.Stdout, layer)
		check(err)
	}
}
