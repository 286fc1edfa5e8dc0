// Package suite runs containerd's tests of snapshotters, and one of usage, on a dataset that is there.
package suite

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/containerd/containerd/mount"
	"github.com/containerd/containerd/snapshots"
	"github.com/containerd/containerd/snapshots/testsuite"
	"github.com/containerd/zfs"
)

func open(context.Context, string) (snapshots.Snapshotter, func() error, error) {
	snapshotter, err := zfs.NewSnapshotter(os.Getenv("SUITE_ROOT"))
	if err != nil {
		return nil, nil, err
	}
	return snapshotter, snapshotter.Close, nil
}

func TestSuite(t *testing.T) { testsuite.SnapshotterSuite(t, "zfs", open) }

// TestUsage does to the snapshotter what TestZFSUsage of its own tests does; the files are of SUITE_ACTOR.
func TestUsage(t *testing.T) {
	ctx := context.Background()
	snapshotter, shut, err := open(ctx, "")
	must(t, err)
	defer shut()

	_, err = snapshotter.Prepare(ctx, "p1", "")
	must(t, err)
	empty, err := snapshotter.Usage(ctx, "p1")
	must(t, err)
	if empty.Size <= 0 {
		t.Errorf("an empty layer takes %d", empty.Size)
	}
	must(t, snapshotter.Commit(ctx, "l1", "p1"))

	const mega = 1 << 20
	below := layer(ctx, t, snapshotter, "l1", "2", "a", "random:1", "1M")
	if below <= mega {
		t.Errorf("a layer with 1M takes %d", below)
	}
	above := layer(ctx, t, snapshotter, "l2", "3", "b", "random:2", "2M")
	if above <= 2*mega || above >= below+2*mega {
		t.Errorf("a layer with 2M takes %d, the one below %d", above, below)
	}
}

// layer commits a layer with one file and tells what it takes.
func layer(ctx context.Context, t *testing.T, snapshotter snapshots.Snapshotter, parent, number string, put ...string) int64 {
	mounts, err := snapshotter.Prepare(ctx, "p"+number, parent)
	must(t, err)
	must(t, mount.WithTempMount(ctx, mounts, func(root string) error {
		put[0] = filepath.Join(root, put[0])
		return exec.Command(os.Getenv("SUITE_ACTOR"), append([]string{"put"}, put...)...).Run()
	}))
	must(t, snapshotter.Commit(ctx, "l"+number, "p"+number))
	usage, err := snapshotter.Usage(ctx, "l"+number)
	must(t, err)
	return usage.Size
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
