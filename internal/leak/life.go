package leak

import (
	"cmp"
	"slices"
)

// record is what is kept of a finding from report to report.
type record struct {
	finding Finding // as of the last one
	worst   Level   // that was told
	told    int64
	history history
	netns   []uint32
	unseen  int // reports in a row whose snapshot did not look where it has sockets
}

// maxUnseen is how many snapshots in a row may leave out a network namespace until it counts as gone.
const maxUnseen = 3

// live brings the record of a group up to date, and returns its finding.
func (r *round) live(g *group, facts Facts) Finding {
	f := &g.finding
	known := r.records[f.Key]
	if known == nil {
		known = &record{finding: Finding{FirstSeen: r.now}}
		r.records[f.Key] = known
	}
	f.FirstSeen = known.finding.FirstSeen
	f.Endpoints = len(g.endpoints)
	known.history.add(r.now, f.Count)
	f.Growth = known.history.growth(r.now, f.Count)
	f.FDs = r.fds(facts, f, g.held)
	f.Status = Firing
	switch {
	case known.worst == None:
		f.News = true
	case f.Level > known.worst:
		f.Status, f.News = Escalated, true
	default:
		f.News = r.isDue(known, r.now)
	}
	if f.News {
		known.told = r.now
	}
	known.worst = max(known.worst, f.Level)
	known.netns, known.unseen = g.netns, 0
	known.finding = *f
	return *f
}

// isDue says whether a finding was told so long ago that it is to be told again.
func (r *Reporter) isDue(known *record, now int64) bool {
	return r.options.Repeat > 0 && now-known.told >= int64(r.options.Repeat)
}

// bury ends the findings that are not in this report, and returns them in the order of their IDs.
func (r *round) bury() []Finding {
	var over []Finding
	for k, known := range r.records {
		if g := r.groups[k]; g != nil && g.finding.Count > 0 {
			continue
		}
		f := known.finding
		f.News = true
		whole := r.groups[k.family()]
		switch {
		case whole != nil && whole.endpoints[k.Endpoint]:
			f.Status, f.Into = Merged, whole.finding.ID
		case !r.sees(known):
			known.unseen++
			continue
		case r.muted[k]:
			f.Status = Muted
		default:
			f.Status = Resolved
		}
		over = append(over, f)
		delete(r.records, k)
	}
	slices.SortFunc(over, func(a, b Finding) int { return cmp.Compare(a.ID, b.ID) })
	return over
}

// sees says whether the snapshot shows whether a finding goes on.
func (r *round) sees(known *record) bool {
	if known.unseen >= maxUnseen {
		return true
	}
	return !slices.ContainsFunc(known.netns, func(n uint32) bool { return !covers(r.snapshot, n) })
}

// repeat returns the findings of the last report, of which nothing new is known.
func (r *Reporter) repeat(now int64) []Finding {
	var findings []Finding
	for _, known := range r.records {
		f := known.finding
		f.Status, f.News = Firing, r.isDue(known, now)
		if f.News {
			known.told = now
		}
		findings = append(findings, f)
	}
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(b.Count, a.Count), cmp.Compare(a.ID, b.ID))
	})
	return findings
}

// Next returns when a report is due only to tell a finding again; Never if that is not asked for.
func (r *Reporter) Next() int64 {
	next := Never
	if r.options.Repeat <= 0 {
		return next
	}
	for _, known := range r.records {
		next = min(next, known.told+int64(r.options.Repeat))
	}
	return next
}

// Len returns how many findings go on.
func (r *Reporter) Len() int { return len(r.records) }
