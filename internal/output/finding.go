package output

import (
	"io"
	"time"

	"github.com/tcptrail/tcptrail/internal/leak"
)

// FindingOptions says how findings are written. The zero value is a table for what is no terminal.
type FindingOptions struct {
	Format   Format // Table, Wide with every socket and all advice, or JSON; CSV has no place for findings and is written as JSON
	Color    bool   // color the levels of Table and Wide with ANSI sequences
	Width    int    // columns of the terminal, which no line of Table and Wide exceeds if it is at least 20; 0 when it is none
	Folded   bool   // leave out of Table what one does not need at a glance: sockets, evidence, commands
	Names    HostNames
	NetNS    uint32         // our own network namespace, for commands that need not go to another; 0: unknown
	Location *time.Location // zone of Table and Wide; nil means time.Local
	Limits   leak.Limits    // what was looked for: a report without findings says it
	// CallSite returns what Finding.Key.CallSite stands for, and whether that is known; nil: it never is.
	CallSite func(number uint64) (Site, bool)
}

// Findings writes what there is to say about stuck sockets. Each call writes in one piece. The first error of the underlying
// writer is kept and returned by every later call; nothing is written any more. It is not safe for concurrent use.
type Findings struct {
	sink
	o      FindingOptions
	labels labels
	byID   map[string]*leak.Finding // of the report that is being written
}

// NewFindings returns a Findings to w. It writes nothing yet.
func NewFindings(w io.Writer, o FindingOptions) *Findings {
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Format == CSV {
		o.Format = JSON
	}
	return &Findings{sink: newSink(w, maxListRow), o: o, labels: newLabels(&ListOptions{Format: o.Format, Names: o.Names})}
}

// Report writes the findings that go on, in their order, at a time of the wall clock in ns since 1970. Those that are over
// are left out; they are news. Where nothing is left, Table and Wide have one line that says what was looked for, and
// JSON has none.
func (w *Findings) Report(findings []leak.Finding, at int64) error {
	if w.err != nil {
		return w.err
	}
	w.byID = make(map[string]*leak.Finding, len(findings))
	var current []*leak.Finding
	for i := range findings {
		if f := &findings[i]; !f.Status.IsOver() {
			w.byID[f.ID] = f
			current = append(current, f)
		}
	}
	if w.o.Format == JSON {
		for _, f := range current {
			w.buf = w.appendJSON(w.buf, f, at)
		}
	} else {
		w.buf = w.appendReport(w.buf, current, at)
	}
	w.byID = nil
	return w.flush()
}

// Resize says that the terminal has so many columns now.
func (w *Findings) Resize(width int) { w.o.Width = width }

// Summary returns who has how many sockets in which state, for how long, and why, in one line.
func (w *Findings) Summary(f *leak.Finding) string { return w.headline(f) }

// Description returns what Report says of a finding below its headline.
func (w *Findings) Description(f *leak.Finding) string {
	p := newPage(nil, w.o.Width)
	w.details(p, f)
	return string(p.b)
}

// News writes one line about what became of a finding, at a time as in Report. In Table and Wide it is cut to the width of
// the terminal; where there is none, it has all its words.
func (w *Findings) News(f *leak.Finding, at int64) error {
	if w.err != nil {
		return w.err
	}
	if w.o.Format == JSON {
		w.buf = w.appendJSON(w.buf, f, at)
	} else {
		w.buf = w.appendNews(w.buf, f, at)
	}
	return w.flush()
}
