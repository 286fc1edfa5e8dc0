// Does what containers/storage does with layers, by its own code, for tests/layers/README.md; takes what docker.go
// takes.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/containers/storage/pkg/archive"
	"github.com/containers/storage/pkg/chrootarchive"
	"github.com/containers/storage/pkg/idtools"
	"github.com/containers/storage/pkg/reexec"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	if reexec.Init() {
		return
	}
	args := os.Args[1:]
	if args[0] == "apply" {
		size, err := chrootarchive.ApplyUncompressedLayer(args[1], os.Stdin, &archive.TarOptions{})
		check(err)
		fmt.Println(size)
		return
	}
	lower := ""
	if len(args) > 2 {
		lower = args[2]
	}
	if args[0] == "export" && lower == "" {
		whole, err := archive.TarWithOptions(args[1], &archive.TarOptions{Compression: archive.Uncompressed})
		check(err)
		_, err = io.Copy(os.Stdout, whole)
		check(err)
		return
	}
	mappings := &idtools.IDMappings{}
	changes, err := archive.ChangesDirs(args[1], mappings, lower, mappings)
	check(err)
	switch args[0] {
	case "changes":
		for _, change := range changes {
			fmt.Println(change.String())
		}
	case "size":
		fmt.Println(archive.ChangesSize(args[1], changes))
	case "export":
		layer, err := archive.ExportChanges(args[1], changes, nil, nil)
		check(err)
		_, err = io.Copy(os.Stdout, layer)
		check(err)
	}
}
