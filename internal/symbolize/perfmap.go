package symbolize

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const (
	// maxPerfMap is how much of a perf map is read: those of large JVMs and Node programs have some megabytes.
	maxPerfMap = 64 << 20
	// maxPerfLine is the longest line; names of Java methods with their signatures have hundreds of bytes.
	maxPerfLine = 64 << 10
	// maxPerfEntries bounds what is kept of one.
	maxPerfEntries = 1 << 20
)

// perfMap is what a just-in-time compiler says of its code: tools/perf/Documentation/jit-interface.txt of Linux.
type perfMap struct {
	entries []jitted // by start
	size    int64    // of the file when it was read
}

type jitted struct {
	start, size uint64
	name        string
}

// parsePerfMap reads lines of START SIZE NAME, in hexadecimal. Of entries that overlap the later one counts: code moves.
func parsePerfMap(r io.Reader) []jitted {
	var entries []jitted
	lines := bufio.NewScanner(io.LimitReader(r, maxPerfMap))
	lines.Buffer(make([]byte, 0, 4096), maxPerfLine)
	for lines.Scan() && len(entries) < maxPerfEntries {
		fields := bytes.SplitN(lines.Bytes(), []byte(" "), 3)
		if len(fields) < 3 {
			continue
		}
		start, err := parseHex(fields[0])
		if err != nil {
			continue
		}
		size, err := parseHex(fields[1])
		if err != nil || size == 0 || start+size < start {
			continue
		}
		entries = append(entries, jitted{start, size, string(fields[2])})
	}
	slices.SortStableFunc(entries, func(a, b jitted) int {
		switch {
		case a.start < b.start:
			return -1
		case a.start > b.start:
			return 1
		}
		return 0
	})
	return entries
}

func parseHex(text []byte) (uint64, error) {
	return strconv.ParseUint(strings.TrimPrefix(string(text), "0x"), 16, 64)
}

// nearby is how many entries before the one that begins last are looked at: small ones may lie in a large one.
const nearby = 16

func (m *perfMap) name(pc uint64) string {
	n, _ := slices.BinarySearchFunc(m.entries, pc, func(e jitted, pc uint64) int {
		if e.start <= pc {
			return -1
		}
		return 1
	})
	for k := n - 1; k >= 0 && k >= n-nearby; k-- {
		if e := &m.entries[k]; pc-e.start < e.size {
			return e.name
		}
	}
	return ""
}

// jitted returns the name of just-in-time code; "" if nobody says. The map grows while the program runs.
func (i *Image) jitted(pc uint64) string {
	if i.jit != nil {
		if name := i.jit.name(pc); name != "" {
			return name
		}
	}
	if m := i.readPerfMap(); m != nil {
		i.jit = m
		return m.name(pc)
	}
	return ""
}

// readPerfMap reads the process's perf map if it has changed. The file has to be the process's own, or root's: /tmp is
// everybody's.
func (i *Image) readPerfMap() *perfMap {
	pid, uid, ok := i.identity()
	if !ok {
		return nil
	}
	file, err := openFile(i.proc(path.Join("root/tmp", "perf-"+pid+".map")))
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil || i.jit != nil && i.jit.size == info.Size() {
		return nil
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != uid && stat.Uid != 0 {
		return nil
	}
	return &perfMap{parsePerfMap(file), info.Size()}
}

// identity returns the pid that the process has in its own pid namespace, and its effective uid.
func (i *Image) identity() (pid string, uid uint32, ok bool) {
	status, err := os.ReadFile(i.proc("status"))
	if err != nil {
		return "", 0, false
	}
	for line := range strings.Lines(string(status)) {
		switch fields := strings.Fields(line); {
		case len(fields) > 1 && fields[0] == "NSpid:":
			pid = fields[len(fields)-1]
		case len(fields) > 2 && fields[0] == "Uid:":
			n, err := strconv.ParseUint(fields[2], 10, 32)
			if err != nil {
				return "", 0, false
			}
			uid, ok = uint32(n), true
		}
	}
	return pid, uid, ok && pid != ""
}
