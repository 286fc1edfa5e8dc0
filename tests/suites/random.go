// Package graphtest: what containers/storage's test of a quota writes, as the frozen generator has it, so that
// a trace could name it. A file that does not fit is removed, as Docker's test does: what fits to the last
// block would be written at once by a trace.
package graphtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func writeRandomFile(path string, size uint64) error {
	err := exec.Command(os.Getenv("SUITE_ACTOR"), "put", path, "random:1", fmt.Sprint(size)).Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Remove(path)
		return &os.PathError{Op: "write", Path: path, Err: syscall.Errno(exit.ExitCode())}
	}
	return err
}
