package proc

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"
)

// userHz is how many clock ticks a second has in /proc, on every architecture that we run on (USER_HZ in
// include/asm-generic/param.h).
const userHz = 100

// FDLimit returns how many descriptors a process may have, by its soft limit, and how many it has. It takes
// CAP_SYS_PTRACE for other users' processes. The error matches ErrNoProcess if there is none, and os.ErrPermission.
func (f FS) FDLimit(pid uint32) (soft uint64, used int, err error) {
	limits, err := f.readFile(decimal(pid), "limits")
	if err != nil {
		return 0, 0, fmt.Errorf("pid %d: %w", pid, f.noProcess(decimal(pid), err))
	}
	soft, ok := parseFDLimit(limits)
	if !ok {
		return 0, 0, fmt.Errorf("pid %d: unknown format of %s", pid, f.path(decimal(pid), "limits"))
	}
	if used, err = f.countFDs(pid); err != nil {
		return 0, 0, fmt.Errorf("pid %d: %w", pid, f.noProcess(decimal(pid), err))
	}
	return soft, used, nil
}

// StartTime returns when a process or thread began, as time since boot in steps of 10 ms (CLOCK_BOOTTIME in the time
// namespace of this process). With the pid it tells a process from a later one of the same pid. The error matches
// ErrNoProcess if there is none.
func (f FS) StartTime(pid uint32) (sinceBoot time.Duration, err error) {
	stat, err := f.readFile(decimal(pid), "stat")
	if err != nil {
		return 0, fmt.Errorf("pid %d: %w", pid, f.noProcess(decimal(pid), err))
	}
	sinceBoot, ok := parseStartTime(stat)
	if !ok {
		return 0, fmt.Errorf("pid %d: unknown format of %s", pid, f.path(decimal(pid), "stat"))
	}
	return sinceBoot, nil
}

// parseFDLimit finds the soft limit in /proc/PID/limits; the greatest number if there is none.
func parseFDLimit(limits []byte) (soft uint64, ok bool) {
	for line := range bytes.Lines(limits) {
		rest, found := bytes.CutPrefix(line, []byte("Max open files "))
		fields := bytes.Fields(rest)
		if !found || len(fields) == 0 {
			continue
		}
		if string(fields[0]) == "unlimited" {
			return math.MaxUint64, true
		}
		soft, err := strconv.ParseUint(string(fields[0]), 10, 64)
		return soft, err == nil
	}
	return 0, false
}

// parseStartTime finds field 22 in /proc/PID/stat (proc_pid_stat(5)). They are counted from the end of the name, which
// is field 2 and may hold anything: see parseComm.
func parseStartTime(stat []byte) (sinceBoot time.Duration, ok bool) {
	const afterName = 22 - 3
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= afterName {
		return 0, false
	}
	ticks, err := strconv.ParseUint(string(fields[afterName]), 10, 64)
	if err != nil || ticks > math.MaxInt64/uint64(time.Second/userHz) {
		return 0, false
	}
	return time.Duration(ticks) * (time.Second / userHz), true
}
