package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// How many descriptors there must be room for before programs are loaded: maps, programs, links and BTF, the rings, and
// ways into namespaces. Measured with every option, by lowering the limit until something failed, and rounded up. The
// usual soft limit is 1024.
const (
	snapshotRoom = 24
	tracerRoom   = 64 // the snapshots that are taken beside it included
)

// checkRoom finds out whether so many descriptors can be opened. When they run out amid loading, the library's probes of
// the kernel fail for it, too: it then tells of a feature that the kernel lacks, hides the errno, and remembers its finding.
func checkRoom(room int) error {
	opened := make([]int, 0, room)
	var refused error
	for range room {
		fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			refused = err
			break
		}
		opened = append(opened, fd)
	}
	for _, fd := range opened {
		_ = unix.Close(fd) // of a descriptor without a file behind it, which says nothing
	}
	if isOutOfFiles(refused) {
		return tooManyFiles(refused)
	}
	return nil // what else it says, loading will say better
}

func isOutOfFiles(err error) bool { return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) }

// tooManyFiles says what to do about it: it is no fault of the kernel.
func tooManyFiles(err error) error {
	if errors.Is(err, unix.ENFILE) {
		return fmt.Errorf("load programs: %w: raise the limit of the host (sysctl fs.file-max)", err)
	}
	return fmt.Errorf("load programs: %w: raise the limit (ulimit -n)", err)
}
