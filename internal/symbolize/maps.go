package symbolize

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

const (
	// maxMaps is how many mappings are looked at. The kernel's own limit is 65,530 a process (vm.max_map_count).
	maxMaps = 1 << 16
	// maxCode is how many of them are kept, which are executable: those of a browser are hundreds.
	maxCode = 2048
	// maxPaths is how many bytes the names of their files may have together: those of a browser have ten thousand.
	maxPaths = 64 << 10
	// maxMapsLine is the longest line: a path has at most 4,096 bytes, and a newline in it takes four (\012).
	maxMapsLine = 32 << 10
)

// mapping is an executable range of addresses, and the file behind it.
type mapping struct {
	start, end uint64
	offset     uint64 // in the file
	dev        string // as /proc/PID/maps has it, in hexadecimal MAJOR:MINOR
	inode      uint64 // 0: no file
	path       string // in the process's root; [vdso] and the like are the kernel's; empty: anonymous
}

func (m *mapping) isFile() bool { return m.inode != 0 && strings.HasPrefix(m.path, "/") }

// deletedMark ends the path of a file that has no name any more.
const deletedMark = " (deleted)"

// parseMaps reads what is executable of /proc/PID/maps, in ascending order. A line that makes no sense is passed over.
func parseMaps(r io.Reader) ([]mapping, error) {
	var maps []mapping
	paths, size := map[string]string{}, 0
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxMapsLine)
	for n := 0; n < maxMaps && len(maps) < maxCode && lines.Scan(); n++ {
		m, ok := parseMapping(lines.Text())
		if !ok {
			continue
		}
		path, known := paths[m.path]
		if !known {
			if size += len(m.path); size > maxPaths {
				break
			}
			path = strings.Clone(m.path) // not the whole line
			paths[path] = path
		}
		m.path = path
		maps = append(maps, m)
	}
	return maps, lines.Err()
}

// parseMapping reads one line: START-END MODE OFFSET DEV INODE PATH (proc_pid_maps(5)).
func parseMapping(line string) (m mapping, ok bool) {
	addresses, rest, _ := strings.Cut(line, " ")
	mode, rest, _ := strings.Cut(rest, " ")
	offset, rest, _ := strings.Cut(rest, " ")
	dev, rest, _ := strings.Cut(rest, " ")
	inode, path, _ := strings.Cut(rest, " ")
	if len(mode) < 3 || mode[2] != 'x' {
		return m, false
	}
	from, to, _ := strings.Cut(addresses, "-")
	for _, number := range []struct {
		text string
		base int
		to   *uint64
	}{{from, 16, &m.start}, {to, 16, &m.end}, {offset, 16, &m.offset}, {inode, 10, &m.inode}} {
		n, err := strconv.ParseUint(number.text, number.base, 64)
		if err != nil {
			return m, false
		}
		*number.to = n
	}
	m.dev = strings.Clone(dev)
	m.path = unescapeNewlines(strings.TrimLeft(path, " "))
	return m, m.start < m.end
}

// unescapeNewlines undoes what the kernel does to a path (seq_file_path() with "\n").
func unescapeNewlines(path string) string { return strings.ReplaceAll(path, `\012`, "\n") }

// find returns the mapping of an address; nil if there is none.
func find(maps []mapping, pc uint64) *mapping {
	low, high := 0, len(maps)
	for low < high {
		mid := (low + high) / 2
		if maps[mid].end <= pc {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(maps) && maps[low].start <= pc {
		return &maps[low]
	}
	return nil
}
