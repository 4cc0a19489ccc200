package alert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// File appends the JSON of each alert to a file as a line. What rotates logs may rename or remove the file: the next line
// goes to a new one. It is not flushed to the disk: what the kernel has taken, only a crash of the host loses.
type File struct {
	path string
	name string
	file *os.File
	info os.FileInfo
	torn bool // the last line has no end
}

// fileMode is that of a file that is made: findings name processes, peers and lines of code.
const fileMode = 0o600

// NewFile opens a file, making it if it is not there. A FIFO may be without a reader for now.
func NewFile(path string) (*File, error) {
	if path == "" || path == "-" {
		return nil, errors.New("open log file: give the name of a file")
	}
	f := &File{path: path, name: "log file " + plain(path, maxName)}
	if err := f.open(); err != nil && !errors.Is(err, syscall.ENXIO) {
		return nil, err
	}
	return f, nil
}

// Name returns the name of the file.
func (f *File) Name() string { return f.name }

// Traits says that it is a log.
func (f *File) Traits() Traits { return Traits{Log: true} }

// Deliver appends lines.
func (f *File) Deliver(ctx context.Context, deliveries []Delivery) error {
	if err := f.ready(); err != nil {
		return err
	}
	// Only what can make a writer wait, as a FIFO, takes a deadline.
	deadline, _ := ctx.Deadline()
	_ = f.file.SetWriteDeadline(deadline)
	stop := context.AfterFunc(ctx, interrupt(f.file.SetWriteDeadline))
	defer stop()
	for i := range deliveries {
		if err := f.write(deliveries[i].JSON); err != nil {
			return err
		}
	}
	return nil
}

// interrupt returns what ends a write that goes on, given how to set its deadline.
func interrupt(setDeadline func(time.Time) error) func() {
	return func() { _ = setDeadline(time.Unix(1, 0)) }
}

// write appends one line in one call, so that lines of several programs do not mix. What a full disk has torn is ended
// first, and stays for its readers to pass over.
func (f *File) write(json []byte) error {
	line := make([]byte, 0, len(json)+2)
	if f.torn {
		line = append(line, '\n')
	}
	line = append(append(line, json...), '\n')
	n, err := f.file.Write(line)
	if n > 0 {
		f.torn = n < len(line) && line[n-1] != '\n'
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", f.name, cause(err))
	}
	return nil
}

// ready makes sure that the open file is the one of that name.
func (f *File) ready() error {
	if f.file != nil {
		if info, err := os.Lstat(f.path); err == nil && os.SameFile(info, f.info) {
			return nil
		}
		f.Close()
	}
	return f.open()
}

func (f *File) open() error {
	// O_NONBLOCK: a FIFO without a reader is an error instead of a wait.
	const flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_NOCTTY
	file, err := os.OpenFile(f.path, flags, fileMode)
	if err != nil {
		return f.refused(err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return fmt.Errorf("open %s: %w", f.name, cause(err))
	}
	f.file, f.info = file, info
	f.torn = isTorn(f.path, info)
	return nil
}

// refused says what to do about a file that does not open.
func (f *File) refused(err error) error {
	remedy := ""
	switch {
	case errors.Is(err, syscall.ELOOP):
		remedy = ": it is a symbolic link, which is not followed; give the file that it names"
	case errors.Is(err, syscall.ENXIO):
		remedy = ": nobody reads the FIFO; start its reader"
	case errors.Is(err, syscall.EISDIR):
		remedy = "; give the name of a file"
	case errors.Is(err, fs.ErrNotExist):
		remedy = "; make its directory first"
	}
	return &DeliveryError{Err: fmt.Errorf("open %s: %w%s", f.name, cause(err), remedy), Unheard: true}
}

// isTorn says whether a file has a last line without an end, as a crash may leave it. It does not know of one that it may
// not read.
func isTorn(path string, opened os.FileInfo) bool {
	if !opened.Mode().IsRegular() || opened.Size() == 0 {
		return false
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !os.SameFile(info, opened) || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = file.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// Close closes the file.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// cause returns the error without the file's name, which the message has in printable characters already.
func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// maxName is how much of a sink's address is shown.
const maxName = 200
