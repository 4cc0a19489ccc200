package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/census"
)

// The values of flags, with the methods of pflag.Value. What they refuse, they refuse with what would be right. Set is
// called while the command line is read, so nothing here asks the host.

// words are values that only the host can judge, joined by commas; an empty one is kept, to be refused, because an
// unset variable in a script must not select everything.
type words struct {
	to   *[]string
	name string
}

func (w words) Set(text string) error { *w.to = append(*w.to, strings.Split(text, ",")...); return nil }
func (w words) String() string        { return strings.Join(*w.to, ",") }
func (w words) Type() string          { return w.name }

// each is a flag that may be given several times, commas and all.
type each struct {
	to   *[]string
	name string
}

func (e each) Set(text string) error { *e.to = append(*e.to, text); return nil }
func (e each) String() string        { return strings.Join(*e.to, " ") }
func (e each) Type() string          { return e.name }

// word is one of a few.
type word struct {
	to   *string
	name string
}

func (w word) Set(text string) error { *w.to = text; return nil }
func (w word) String() string        { return *w.to }
func (w word) Type() string          { return w.name }

// keys are what count tells sockets apart by. An empty value is refused, as in words.
type keys struct{ to *[]census.Key }

func (k keys) Set(text string) error {
	if len(*k.to) > 0 {
		text = k.String() + "," + text
	}
	parsed, err := census.ParseKeys(text)
	if err != nil {
		return err
	}
	*k.to = parsed
	return nil
}

func (k keys) String() string {
	var names []string
	for _, key := range *k.to {
		names = append(names, key.String())
	}
	return strings.Join(names, ",")
}

func (k keys) Type() string { return "keys" }

// count is a whole number.
type count struct{ to *uint64 }

func (c count) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%q: use a whole number, as 1000", text)
	}
	*c.to = n
	return nil
}

func (c count) String() string { return strconv.FormatUint(*c.to, 10) }
func (c count) Type() string   { return "number" }

// period is a time span.
type period struct{ to *time.Duration }

func (p period) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q: use a number above 0 with its unit, as 500ms, 30s, 5m or 1h30m", text)
	}
	*p.to = d
	return nil
}

func (p period) String() string {
	if *p.to == 0 {
		return ""
	}
	return p.to.String()
}

func (p period) Type() string { return "duration" }

const (
	// minBuffer holds a few hundred records.
	minBuffer = 64 << 10
	// maxBuffer is what a tracer may take of a host's memory without being asked twice.
	maxBuffer = 1 << 30
	// defaultBuffer is as the kernel package has it when not told.
	defaultBuffer = 16 << 20
)

// size is a number of bytes of memory.
type size struct{ to *int }

// Set reads a number with an optional unit of powers of 1024, and refuses what makes no sense for the rings.
func (s size) Set(text string) error {
	n, err := parseSize(text)
	if err != nil || n < minBuffer || n > maxBuffer {
		return fmt.Errorf("%q: use a size from 64K to 1G, as 512K or 16M", text)
	}
	*s.to = int(n)
	return nil
}

// room is a number of bytes on a disk.
type room struct{ to *int }

func (r room) Set(text string) error {
	n, err := parseSize(text)
	if err != nil || n < minBuffer {
		return fmt.Errorf("%q: use a size of 64K or more, as 512M, 10G or 1T", text)
	}
	*r.to = int(n)
	return nil
}

func (r room) String() string { return size(r).String() }
func (r room) Type() string   { return "size" }

// parseSize reads a number with an optional unit of powers of 1024.
func parseSize(text string) (uint64, error) {
	digits := strings.TrimRight(text, "KMGTkmgtiIbB")
	n, err := strconv.ParseUint(digits, 10, 40)
	factor := uint64(0)
	switch strings.ToUpper(text[len(digits):]) {
	case "":
		factor = 1
	case "K", "KB", "KIB":
		factor = 1 << 10
	case "M", "MB", "MIB":
		factor = 1 << 20
	case "G", "GB", "GIB":
		factor = 1 << 30
	case "T", "TB", "TIB":
		factor = 1 << 40
	}
	if n > math.MaxInt64/max(factor, 1) {
		return 0, strconv.ErrRange
	}
	return n * factor, err
}

func (s size) String() string {
	switch n := *s.to; {
	case n%(1<<30) == 0 && n > 0:
		return strconv.Itoa(n>>30) + "G"
	case n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + "M"
	case n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + "K"
	default:
		return strconv.Itoa(n)
	}
}

func (s size) Type() string { return "size" }
