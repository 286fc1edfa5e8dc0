// Package zfs_test runs Docker's tests of graph drivers on a dataset that is there, each as a test of its
// own under the name of its trace.
package zfs_test

import (
	"os"
	"testing"

	"github.com/docker/docker/daemon/graphdriver/graphtest"
	_ "github.com/docker/docker/daemon/graphdriver/zfs"
	"github.com/docker/docker/pkg/reexec"
)

// Layers are unpacked by a process of this program.
func init() { reexec.Init() }

func TestSuite(t *testing.T) {
	// The first one says where; the tests get the driver that is there.
	graphtest.GetDriver(t, "zfs", "zfs.fsname="+os.Getenv("SUITE_DATASET"))
	t.Run("create-empty", func(t *testing.T) { graphtest.DriverTestCreateEmpty(t, "zfs") })
	t.Run("create-base", func(t *testing.T) { graphtest.DriverTestCreateBase(t, "zfs") })
	t.Run("create-snap", func(t *testing.T) { graphtest.DriverTestCreateSnap(t, "zfs") })
	t.Run("deep-layers", func(t *testing.T) { graphtest.DriverTestDeepLayerRead(t, 20, "zfs") })
	t.Run("diff-apply", func(t *testing.T) { graphtest.DriverTestDiffApply(t, 10, "zfs") })
	t.Run("changes", func(t *testing.T) { graphtest.DriverTestChanges(t, "zfs") })
	t.Run("quota", func(t *testing.T) { graphtest.DriverTestSetQuota(t, "zfs", true) })
	graphtest.PutDriver(t)
}
