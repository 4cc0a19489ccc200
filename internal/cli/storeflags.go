package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/archive"
)

// storeFlags are the flags that say how a directory of recordings is kept, as given.
type storeFlags struct {
	prefix       string // of their names, where they are beside others
	dir          string
	layout       string
	maxBytes     int
	maxFiles     uint64
	segmentBytes int
	segmentAge   time.Duration
	fsync        string
}

// What is kept unless told otherwise: a week of a quiet host, some hours of a busy one.
const (
	defaultLogDir       = "/var/log/tcptrail"
	defaultLogBytes     = 1 << 30
	defaultLogFiles     = 20_000
	defaultSegmentBytes = 16 << 20
	defaultSegmentAge   = time.Hour
)

// begin sets the usual values, but for the directory.
func (f *storeFlags) begin() {
	f.layout, f.fsync = "process", "never"
	f.maxBytes, f.maxFiles, f.segmentBytes, f.segmentAge = defaultLogBytes, defaultLogFiles, defaultSegmentBytes, defaultSegmentAge
}

// define declares the flags of log.
func (f *storeFlags) define(s *pflag.FlagSet) {
	f.begin()
	f.dir = defaultLogDir
	s.Var(word{&f.dir, "directory"}, "dir", "where to keep files, if not in\n"+defaultLogDir)
	s.Var(word{&f.layout, "layout"}, "layout", "process, a file for each; host, one for all")
	s.Var(room{&f.maxBytes}, "max-bytes", "of all files; the oldest go first")
	s.Var(count{&f.maxFiles}, "max-files", "likewise")
	s.Var(room{&f.segmentBytes}, "rotate-size", "end a file when it is so large")
	s.Var(period{&f.segmentAge}, "rotate-age", "or so old")
	s.Var(word{&f.fsync, "when"}, "fsync", "let lines survive a loss of power: never (the\ndefault), close (of a file), or each 1s, say")
	for _, name := range []string{"dir", "layout", "fsync"} {
		s.Lookup(name).DefValue = "" // said in words
	}
}

// defineBeside declares those of a command that may record beside what else it does.
func (f *storeFlags) defineBeside(s *pflag.FlagSet) {
	f.begin()
	f.prefix = "log-"
	s.Var(word{&f.dir, "directory"}, "log-dir", "keep every transition there, as tcptrail log does")
	s.Var(word{&f.layout, "layout"}, "log-layout", "process, a file for each; host, one for all")
	s.Var(room{&f.maxBytes}, "log-bytes", "of its files; the oldest go first")
	s.Var(word{&f.fsync, "when"}, "log-fsync", "never, close or a time, as of tcptrail log")
	for _, name := range []string{"log-layout", "log-fsync"} {
		s.Lookup(name).DefValue = "" // said in words
	}
}

// besideNames are those that need a directory.
var besideNames = [...]string{"log-layout", "log-bytes", "log-fsync"}

// storeFlagNames are the names of those of log.
var storeFlagNames = [...]string{"dir", "layout", "max-bytes", "max-files", "rotate-size", "rotate-age", "fsync"}

// options checks the flags.
func (f *storeFlags) options() (o directoryOptions, err error) {
	o.store = archive.Options{
		Dir: f.dir, SegmentBytes: int64(f.segmentBytes), SegmentAge: f.segmentAge, MaxBytes: int64(f.maxBytes),
		MaxFiles: int(min(f.maxFiles, maxTop)),
	}
	switch f.layout {
	case "process":
	case "host":
		o.whole = true
	default:
		return o, fmt.Errorf("--%slayout %q: use process or host", f.prefix, f.layout)
	}
	if o.store.Sync, err = parseSync(f.fsync); err != nil {
		return o, fmt.Errorf("--%sfsync %w", f.prefix, err)
	}
	switch {
	case f.maxBytes >= 2*f.segmentBytes:
	case f.prefix != "":
		return o, fmt.Errorf("--log-bytes: give at least %dM, which is two files", 2*f.segmentBytes>>20)
	default:
		return o, errors.New("--max-bytes is less than two files of --rotate-size: raise the one or lower the other")
	}
	return o, nil
}

// parseSync reads when lines are to be on the disk.
func parseSync(text string) (s archive.Sync, err error) {
	switch text {
	case "never":
		return s, nil
	case "close":
		return archive.Sync{Close: true}, nil
	}
	if s.Every, err = time.ParseDuration(text); err != nil || s.Every <= 0 {
		return s, fmt.Errorf("%q: use never, close, or a time such as 1s", text)
	}
	s.Close = true
	return s, nil
}
