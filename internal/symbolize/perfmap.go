package symbolize

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const (
	// maxPerfMap is how much of a perf map is read, from its end: those of large JVMs have ten megabytes, and those of Node
	// grow for ever.
	maxPerfMap = 32 << 20
	// maxPerfLine is the longest line; names of Java methods with their signatures have hundreds of bytes.
	maxPerfLine = 16 << 10
)

// jitNames returns the names that the just-in-time compiler of the process gives to what a stack has of its code, by
// address: the instruction at the system call, and of each return address the byte before it. The process says so in a
// perf map (tools/perf/Documentation/jit-interface.txt of Linux), and has to be there still.
func (i *Image) jitNames(s Stack) map[uint64]string {
	var wanted []uint64
	want := func(at uint64) {
		if m := find(i.maps, at); m != nil && m.path == "" {
			wanted = append(wanted, at)
		}
	}
	for n, pc := range s.PCs {
		want(pc - min(uint64(n), 1))
	}
	for _, word := range s.Words {
		want(word - 1)
	}
	if len(wanted) == 0 {
		return nil
	}
	file, err := i.openPerfMap()
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return nil
	}
	from := max(0, info.Size()-maxPerfMap) // the line that is cut there makes no sense, or is another's end
	return readPerfMap(io.NewSectionReader(file, from, maxPerfMap), wanted)
}

// readPerfMap looks addresses up in lines of START SIZE NAME, in hexadecimal. Of the lines with an address the last one
// counts: code moves.
func readPerfMap(r io.Reader, wanted []uint64) map[uint64]string {
	slices.Sort(wanted)
	names := map[uint64]string{}
	for lines := bufio.NewReaderSize(r, maxPerfLine); ; {
		line, err := lines.ReadSlice('\n')
		if err == nil || errors.Is(err, io.EOF) {
			start, size, name := parsePerfLine(bytes.TrimSuffix(line, []byte{'\n'}))
			n, _ := slices.BinarySearch(wanted, start)
			for ; n < len(wanted) && wanted[n]-start < size; n++ {
				names[wanted[n]] = string(name)
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) { // no name is that long
			_, err = lines.ReadSlice('\n')
		}
		if err != nil {
			return names
		}
	}
}

// parsePerfLine returns what a line says; a size of 0 if it makes no sense.
func parsePerfLine(line []byte) (start, size uint64, name []byte) {
	start, line = cutHex(line)
	size, name = cutHex(line)
	if name == nil {
		return 0, 0, nil
	}
	return start, size, name
}

// cutHex returns the hexadecimal number that stands before the first space, and what is behind it; nil if there is none.
func cutHex(text []byte) (n uint64, rest []byte) {
	digits, rest, _ := bytes.Cut(text, []byte{' '})
	digits = bytes.TrimPrefix(digits, []byte("0x"))
	if len(digits) == 0 || len(rest) == 0 {
		return 0, nil
	}
	for _, c := range digits {
		var digit byte
		switch {
		case '0' <= c && c <= '9':
			digit = c - '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			digit = c | 0x20 - 'a' + 10
		default:
			return 0, nil
		}
		if bits.LeadingZeros64(n) < 4 {
			return 0, nil
		}
		n = n<<4 | uint64(digit)
	}
	return n, rest
}

var errNotTheirs = errors.New("it is another user's")

// openPerfMap opens the perf map of the process, if that lives. /tmp is everybody's, so the file has to be the process's
// own, or root's; and the process's root may hold any links, so none of them is followed out of it, and none to the file.
func (i *Image) openPerfMap() (*os.File, error) {
	if i.readProgram() != i.program {
		return nil, errOtherProgram
	}
	pid, uid, err := i.identity()
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(i.proc("root"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	file, err := openRegular(func(flags int) (*os.File, error) {
		return root.OpenFile("tmp/perf-"+pid+".map", flags|syscall.O_NOFOLLOW, 0)
	})
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != uid && stat.Uid != 0 {
			err = errNotTheirs
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// identity returns the pid that the process has in its own pid namespace, and its effective uid.
func (i *Image) identity() (pid string, uid uint32, err error) {
	status, err := os.ReadFile(i.proc("status"))
	if err != nil {
		return "", 0, err
	}
	for line := range strings.Lines(string(status)) {
		switch fields := strings.Fields(line); {
		case len(fields) > 1 && fields[0] == "NSpid:":
			pid = fields[len(fields)-1]
		case len(fields) > 2 && fields[0] == "Uid:":
			n, err := strconv.ParseUint(fields[2], 10, 32)
			if err != nil {
				return "", 0, err
			}
			uid = uint32(n)
		}
	}
	if pid == "" {
		return "", 0, errEnded
	}
	return pid, uid, nil
}
