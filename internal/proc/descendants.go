package proc

import (
	"bytes"
	"fmt"
	"strconv"
)

// Descendants returns the processes that descend from one, in no order, as far as they are there all the while.
func (f FS) Descendants(pid uint32) (map[uint32]bool, error) {
	names, err := numbers(f.path())
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	parents := make(map[uint32]uint32, len(names))
	for _, name := range names {
		child, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			continue
		}
		stat, err := f.readFile(name, "stat")
		if err != nil {
			continue // has ended
		}
		if parent, ok := parseParent(stat); ok {
			parents[uint32(child)] = parent
		}
	}
	found := map[uint32]bool{}
	for child := range parents {
		if descends(child, pid, parents) {
			found[child] = true
		}
	}
	return found, nil
}

// descends follows parents, no further than there are any: the files were not read at one moment, and may make a circle.
func descends(child, from uint32, parents map[uint32]uint32) bool {
	for range parents {
		parent, ok := parents[child]
		if !ok {
			return false
		}
		if parent == from {
			return true
		}
		child = parent
	}
	return false
}

// parseParent finds field 4 in /proc/PID/stat, behind the name as in parseStartTime.
func parseParent(stat []byte) (pid uint32, ok bool) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0, false
	}
	parent, err := strconv.ParseUint(string(fields[1]), 10, 32)
	return uint32(parent), err == nil
}
