package leak

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// ReportOptions say how to report. The zero value has good defaults.
type ReportOptions struct {
	Repeat       time.Duration // after which a finding that goes on is told again; 0: never
	Sample       int           // sockets that a finding shows; 0: DefaultSample
	MaxFindings  int           // 0: DefaultMaxFindings; what is beyond is counted in Tally.Omitted
	MaxEndpoints int           // findings that differ in nothing but the endpoint, beyond which they become one; 0: DefaultMaxEndpoints
	// Unproven takes in sockets that may be past their limit for all that is known, for a single look, which cannot wait
	// for proof: zombies that are older than the tracer above all. They count as Warn.
	Unproven bool
	// Opened tells where in the code a socket was opened, see Key, and whether that made it or its peer the opener. Both are 0
	// when they are unknown; nil: they always are.
	Opened func(*tcp.Socket) (site uint64, by Direction)
}

// The defaults.
const (
	DefaultSample       = 10
	DefaultMaxFindings  = 1000
	DefaultMaxEndpoints = 16
)

// Reporter makes findings of snapshots and follows their lives.
type Reporter struct {
	watcher *Watcher
	options ReportOptions
	mutes   []Mute
	records map[Key]*record
	tally   Tally
}

// NewReporter returns a Reporter without findings, for the sockets of w.
func NewReporter(w *Watcher, o ReportOptions) *Reporter {
	o.Sample = cmp.Or(max(o.Sample, 0), DefaultSample)
	o.MaxFindings = cmp.Or(max(o.MaxFindings, 0), DefaultMaxFindings)
	o.MaxEndpoints = cmp.Or(max(o.MaxEndpoints, 0), DefaultMaxEndpoints)
	return &Reporter{watcher: w, options: o, records: map[Key]*record{}}
}

// Mute keeps sockets out of the reports to come.
func (r *Reporter) Mute(m Mute) { r.mutes = append(r.mutes, m) }

// Tally returns what became of the sockets of the last snapshot.
func (r *Reporter) Tally() Tally { return r.tally }

// Report returns what there is to say at time now, right after the snapshot was taken: each finding that goes on, the
// worst first, and last, once, each that is over. The snapshot has the states of Limits.Snapshot; nil says that none
// could be taken: then the findings are those of last time, and none is over. Facts may be nil. A Report is a Resync, too.
func (r *Reporter) Report(now int64, s *tcp.Snapshot, facts Facts) []Finding {
	if s == nil {
		return r.repeat(now)
	}
	r.watcher.Resync(s, now)
	r.mutes = slices.DeleteFunc(r.mutes, func(m Mute) bool { return m.Until <= now })
	x := &round{
		Reporter: r, now: now, snapshot: s, groups: map[Key]*group{}, byCookie: map[uint64]*group{},
		endpoints: map[Key]int{}, muted: map[Key]bool{}, fdLimits: map[uint32]fdLimit{},
		listeners: listenersOf(s.Sockets), ends: otherEndsOf(s.Sockets),
	}
	x.judge()
	r.watcher.rest(s, now)
	x.fold()
	x.collect()
	shown := x.choose()
	x.relate()
	findings := make([]Finding, 0, len(shown))
	for _, g := range shown {
		x.finish(g)
		x.name(g)
		findings = append(findings, x.live(g, facts))
	}
	findings = append(findings, x.bury()...)
	r.tally = x.tally
	return findings
}

// choose returns the groups that have sockets, the worst first and those that were shown before ahead of others as bad,
// and no more than there may be.
func (r *round) choose() []*group {
	var groups []*group
	for _, k := range slices.SortedFunc(maps.Keys(r.groups), func(a, b Key) int { return cmp.Compare(a.id(), b.id()) }) {
		if g := r.groups[k]; g.finding.Count > 0 {
			groups = append(groups, g)
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.finding.Level, a.finding.Level), cmp.Compare(b.finding.Count, a.finding.Count))
	})
	if len(groups) > r.options.MaxFindings {
		slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(r.rank(a), r.rank(b)) })
		for _, g := range groups[r.options.MaxFindings:] {
			r.tally.Omitted += g.finding.Count
		}
		groups = groups[:r.options.MaxFindings]
	}
	return groups
}

// rank is 0 for what was in the last report: it stays there as long as it goes on, whatever else comes up.
func (r *round) rank(g *group) int {
	if _, known := r.records[g.finding.Key]; known {
		return 0
	}
	return 1
}

func (r *Reporter) isMuted(s *tcp.Socket) bool {
	for i := range r.mutes {
		if r.mutes[i].Match(s) {
			return true
		}
	}
	return false
}
