// Does what containerd does with layers, by containerd's own code, for tests/layers/README.md: the same words
// as docker.go has. For containerd 2 the package is github.com/containerd/containerd/v2/pkg/archive.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/containerd/containerd/archive"
	"github.com/containerd/continuity/fs"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	args := os.Args[1:]
	ctx := context.Background()
	lower := ""
	if len(args) > 2 {
		lower = args[2]
	}
	switch args[0] {
	case "changes":
		tell := func(kind fs.ChangeKind, path string, _ os.FileInfo, err error) error {
			fmt.Println(kind, path)
			return err
		}
		check(fs.Changes(ctx, lower, args[1], tell))
	case "export":
		check(archive.WriteDiff(ctx, os.Stdout, lower, args[1]))
	case "unpack":
		// For overlayfs.
		_, err := archive.Apply(ctx, args[1], os.Stdin, archive.WithConvertWhiteout(archive.OverlayConvertWhiteout))
		check(err)
	case "apply":
		size, err := archive.Apply(ctx, args[1], os.Stdin)
		check(err)
		fmt.Println(size)
	}
}
