package clock

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// timeNamespaceOffset returns how far, in ns, CLOCK_MONOTONIC runs ahead of the kernel's own in the time namespace of
// the process whose /proc directory is given (time_namespaces(7)). BPF programs read the kernel's own. It is 0 in the
// first time namespace, and before Linux 5.6.
//
// The file with the offsets speaks of the namespace that children will get. That is our own, unless we were told to
// unshare it and have not forked since; then our own offset is not to be had, and 0 is the likely one.
func timeNamespaceOffset(process string) (int64, error) {
	own, err := os.Readlink(process + "/ns/time")
	if err != nil {
		return 0, nil // no time namespaces, or no /proc
	}
	if children, err := os.Readlink(process + "/ns/time_for_children"); err != nil || children != own {
		return 0, nil
	}
	text, err := os.ReadFile(process + "/timens_offsets")
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read time namespace: %w", err)
	}
	return parseOffsets(string(text))
}

// parseOffsets returns the offset of the monotonic clock, ns, of the lines "CLOCK SECONDS NANOSECONDS" (fs/proc/base.c,
// timens_offsets_show). A negative offset has negative seconds and nanoseconds that count upwards from there.
func parseOffsets(text string) (int64, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "monotonic" {
			continue
		}
		seconds, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read time namespace: %w", err)
		}
		nanoseconds, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read time namespace: %w", err)
		}
		return seconds*int64(time.Second) + nanoseconds, nil
	}
	return 0, nil
}
