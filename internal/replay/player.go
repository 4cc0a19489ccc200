// Package replay plays recordings: it puts the lines of many files in the order in which they were written, and makes of
// them what the kernel would have said at that time.
package replay

import (
	"container/heap"
	"errors"
	"fmt"
	"io"

	"github.com/tcptrail/tcptrail/internal/archive"
	"github.com/tcptrail/tcptrail/internal/record"
)

// Stream is a series of files that were written one after the other.
type Stream []Segment

// Segment is one of its files. What is open costs a descriptor.
type Segment struct {
	Name string // for messages
	Open func() (io.ReadCloser, error)
	Once bool // it can be opened once, as a pipe can
	// Summary returns what is known of the file without reading it, nil when that is nothing; it may be nil, too.
	Summary func() *archive.Summary
}

// Stats are what a Player has met so far.
type Stats struct {
	Lines   uint64
	Bad     uint64 // lines that are none, or of which a field is not what it should be
	Torn    uint64 // files whose last line was not written to its end
	Lost    uint64 // events that the recorder could not record
	Strange uint64 // lines of kinds that this version does not know
	First   error  // why the first of Bad is one, with its file
}

// Player reads the lines of streams in the order of their numbers; those that have none, in the order of their time. It
// is for one goroutine.
type Player struct {
	queue queue
	stats Stats
	last  *reader // whose line was returned
}

// Open finds the first line of each stream.
func Open(streams []Stream) (*Player, error) {
	p := &Player{}
	for _, s := range streams {
		r := &reader{rest: s, stats: &p.stats}
		ok, err := r.peek()
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		if ok {
			p.queue = append(p.queue, r)
		}
	}
	heap.Init(&p.queue)
	return p, nil
}

// Next returns the next line, which is valid until the next call; io.EOF at the end.
func (p *Player) Next() (*record.Record, error) {
	if p.last != nil {
		ok, err := p.last.next()
		if err != nil {
			return nil, err
		}
		if ok {
			heap.Fix(&p.queue, 0)
		} else {
			heap.Pop(&p.queue)
		}
		p.last = nil
	}
	if len(p.queue) == 0 {
		return nil, io.EOF
	}
	first := p.queue[0]
	if err := first.wake(); err != nil {
		return nil, err
	}
	p.last = first
	p.stats.Lines++
	if first.record.Kind == record.Loss {
		p.stats.Lost += first.record.Lost
	}
	return &first.record, nil
}

// Stats returns what it has met so far.
func (p *Player) Stats() Stats { return p.stats }

// Close closes what is open.
func (p *Player) Close() error {
	var errs []error
	for _, r := range p.queue {
		errs = append(errs, r.close())
	}
	p.queue, p.last = nil, nil
	return errors.Join(errs...)
}

// queue is a heap of readers by their next line.
type queue []*reader

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Push(any)      { panic("replay: readers are not added") }
func (q queue) Less(i, j int) bool {
	a, b := &q[i].record, &q[j].record
	if a.Seq != b.Seq && a.Seq != 0 && b.Seq != 0 {
		return a.Seq < b.Seq
	}
	return a.Time < b.Time
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	r := (*q)[last]
	*q = (*q)[:last]
	return r
}

// bad notes a line that is none.
func (s *Stats) bad(name string, err error) {
	if s.Bad++; s.First == nil {
		s.First = fmt.Errorf("%s: %w", name, err)
	}
}
