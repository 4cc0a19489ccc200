package cli

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/output"
)

// maxUntold is how many findings wait for an output that is stuck: up to 50 MB of them.
const maxUntold = 10_000

// teller prints what looks have found: all of it in place on a terminal, else a line for each change. It prints in a
// goroutine of its own: an output that is stuck must neither keep an alert back nor the next look.
type teller struct {
	out    *output.Findings
	screen *output.Screen // nil when stdout is no terminal
	alerts *alerts
	env    *Env
	told   int           // changes that were news
	over   chan struct{} // closed when nothing more is printed
	err    error         // why; after over

	mu      sync.Mutex
	more    *sync.Cond
	page    *report // for the screen: the last one alone
	untold  []news
	dropped int  // news that waited in vain
	ended   bool // no more will come
}

// news is a change to tell of.
type news struct {
	finding leak.Finding
	at      int64 // ns since 1970
}

func newTeller(env *Env, p *leaksPlan, s *sites) (*teller, error) {
	o, err := p.printed(env, s)
	if err != nil {
		return nil, err
	}
	alerted, err := p.printed(env, s) // with names of its own, for they are looked up in two goroutines
	if err != nil {
		return nil, err
	}
	t := &teller{alerts: newAlerts(env, p.sinks, alerted), env: env, over: make(chan struct{})}
	t.more = sync.NewCond(&t.mu)
	if p.looks.width > 0 && !p.lines && o.Format != output.JSON && env.Getenv("TERM") != "dumb" {
		t.screen = output.NewScreen(env.Stdout, env.terminalHeight())
		o.Folded = o.Format == output.Table
		t.out = output.NewFindings(t.screen, o)
	} else {
		t.out = output.NewFindings(env.Stdout, o)
	}
	go t.print()
	return t, nil
}

// printed returns how findings are printed.
func (p *leaksPlan) printed(env *Env, s *sites) (output.FindingOptions, error) {
	labels, err := newLabels(env.Proc)
	if err != nil {
		return output.FindingOptions{}, err
	}
	o := p.findingOptions(labels)
	if s != nil {
		o.CallSite = s.site
	}
	return o, nil
}

// tell tells sinks, and leaves the rest to the other goroutine.
func (t *teller) tell(r *report) error {
	var changes []news
	for i := range r.findings {
		if r.findings[i].News {
			changes = append(changes, news{r.findings[i], r.at})
		}
	}
	t.told += len(changes)
	t.hand(r, changes)
	return t.alerts.tell(r)
}

// hand hands over what there is to print.
func (t *teller) hand(r *report, changes []news) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.screen != nil {
		page := *r
		t.page = &page
	} else {
		t.keep(changes)
	}
	t.more.Signal()
}

// keep keeps changes without the snapshot that they point into.
func (t *teller) keep(changes []news) {
	for _, n := range changes {
		if len(t.untold) == maxUntold {
			t.dropped++
			continue
		}
		n.finding.Sample = slices.Clone(n.finding.Sample)
		for i := range n.finding.Sample {
			socket := &n.finding.Sample[i].Socket
			socket.Holders = slices.Clone(socket.Holders)
		}
		t.untold = append(t.untold, n)
	}
}

// print prints what was handed over until the end, or until that fails.
func (t *teller) print() {
	defer close(t.over)
	for {
		page, changes, dropped, ended := t.take()
		if page != nil {
			t.err = t.show(page)
		}
		for i := range changes {
			t.err = errors.Join(t.err, t.out.News(&changes[i].finding, changes[i].at))
		}
		if dropped > 0 {
			fmt.Fprintf(t.env.Stderr, "tcptrail: output was stuck: %s not printed\n", plural(dropped, "change"))
		}
		if t.err = wrote(t.err); ended || t.err != nil {
			return
		}
	}
}

// take waits for something to print, or the end.
func (t *teller) take() (page *report, changes []news, dropped int, ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.page == nil && len(t.untold) == 0 && !t.ended {
		t.more.Wait()
	}
	page, changes, dropped = t.page, t.untold, t.dropped
	t.page, t.untold, t.dropped = nil, nil, 0
	return page, changes, dropped, t.ended
}

// finish waits until everything is printed, and returns why not if it is not.
func (t *teller) finish() error {
	t.mu.Lock()
	t.ended = true
	t.more.Signal()
	t.mu.Unlock()
	<-t.over
	return t.err
}

// show fills the screen with a report.
func (t *teller) show(r *report) error {
	t.out.Resize(t.env.TerminalWidth())
	t.screen.Resize(t.env.terminalHeight())
	if err := t.out.Report(r.findings, r.at); err != nil {
		return err
	}
	return t.screen.Show()
}
