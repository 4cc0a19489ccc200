package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// press compresses files that are over, one after the other, beside everything else.
type press struct {
	archive *Archive
	mu      sync.Mutex
	more    *sync.Cond
	waiting []pressJob
	busy    string // file at work
	ending  bool
	done    chan struct{}
	encoder *zstd.Encoder
	err     error
}

type pressJob struct {
	name    string
	summary []byte // a frame to put behind it; nil: none
}

func newPress(a *Archive) *press {
	p := &press{archive: a, done: make(chan struct{})}
	p.more = sync.NewCond(&p.mu)
	go p.run()
	return p
}

// add lets a file be compressed.
func (p *press) add(name string, s *summary) {
	job := pressJob{name: name}
	if s != nil {
		job.summary = s.frame()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, job)
	p.more.Broadcast()
}

// forget leaves a file alone that is about to be removed.
func (p *press) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.busy == name {
		p.more.Wait()
	}
	for i := range p.waiting {
		if p.waiting[i].name == name {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return
		}
	}
}

// drain waits until nothing is left to compress.
func (p *press) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) > 0 || p.busy != "" {
		p.more.Wait()
	}
}

// stop finishes what waits, and ends.
func (p *press) stop() error {
	p.mu.Lock()
	p.ending = true
	p.more.Broadcast()
	p.mu.Unlock()
	<-p.done
	return p.err
}

func (p *press) run() {
	defer close(p.done)
	for {
		p.mu.Lock()
		p.busy = ""
		p.more.Broadcast()
		for len(p.waiting) == 0 && !p.ending {
			p.more.Wait()
		}
		if len(p.waiting) == 0 {
			p.mu.Unlock()
			return
		}
		job := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.busy = job.name
		p.mu.Unlock()
		if err := p.compress(job); err != nil {
			p.archive.options.Warn(fmt.Sprintf("compress %s: %v: it stays as it is", job.name, err))
		}
	}
}

// compress writes the compressed file beside the other, and only then lets it take its place.
func (p *press) compress(job pressJob) (err error) {
	a := p.archive
	dir := int(a.dir.Fd())
	fd, err := unix.Openat(dir, job.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	from := os.NewFile(uintptr(fd), job.name)
	defer func() { err = errors.Join(err, from.Close()) }()
	temp := "." + job.name + tempSuffix
	_ = unix.Unlinkat(dir, temp, 0)
	to, err := a.openFile(temp)
	if err != nil {
		return err
	}
	size, err := p.copy(to, from, job.summary)
	if err == nil && a.options.Sync.Close {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err == nil {
		err = unix.Renameat(dir, temp, dir, job.name+zstdSuffix)
	}
	if err != nil {
		_ = unix.Unlinkat(dir, temp, 0)
		return err
	}
	if err := unix.Unlinkat(dir, job.name, 0); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.files[job.name]; f != nil {
		delete(a.files, job.name)
		f.bytes = size
		a.files[job.name+zstdSuffix] = f
	}
	return nil
}

func (p *press) copy(to, from *os.File, summary []byte) (size int64, err error) {
	if p.encoder == nil {
		if p.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true)); err != nil {
			return 0, err
		}
	}
	p.encoder.Reset(to)
	if _, err = io.Copy(p.encoder, from); err == nil {
		err = p.encoder.Close()
	}
	if err == nil {
		_, err = to.Write(summary)
	}
	if err != nil {
		return 0, err
	}
	return to.Seek(0, io.SeekEnd)
}
