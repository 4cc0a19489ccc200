package metrics

// maxNamed is how many sinks and how many programs have series of their own, far more than anybody configures or than
// there are. The rest is summed up.
const maxNamed = 64

// mergeNamed returns items with the names that they have as labels, those of one name added up.
func mergeNamed[T any](items []T, name func(*T) *string, add func(sum, item *T)) []T {
	var merged []T
	at := map[string]int{}
	for _, item := range items {
		value := label(*name(&item))
		i, known := at[value]
		if !known && len(at) >= maxNamed {
			value = otherValue
			i, known = at[value]
		}
		if !known {
			at[value] = len(merged)
			*name(&item) = value
			merged = append(merged, item)
			continue
		}
		add(&merged[i], &item)
	}
	return merged
}

func mergeSinks(sinks []Sink) []Sink {
	return mergeNamed(sinks, func(s *Sink) *string { return &s.Name }, func(sum, s *Sink) {
		sum.Delivered += s.Delivered
		sum.Failed += s.Failed
		sum.Dropped += s.Dropped
		sum.Queued += s.Queued
		sum.Failing = sum.Failing || s.Failing
	})
}

func mergePrograms(programs []Program) []Program {
	return mergeNamed(programs, func(p *Program) *string { return &p.Name }, func(sum, p *Program) {
		sum.Time += p.Time
		sum.Runs += p.Runs
	})
}
