package main

import (
	"fmt"
	"io"
	"slices"
)

// report prints the table that README shows.
func report(w io.Writer, rounds []round, k kernelCost) {
	var lost, missed, seen uint64
	var rss int64
	for _, r := range rounds {
		lost += r.tracer.lost
		missed += r.tracer.missed
		seen += r.tracer.seen
		rss = max(rss, r.tracer.maxRSS)
	}
	ratio := median(rounds, func(r round) float64 { return r.traced / r.untraced })
	cpu := median(rounds, func(r round) float64 { return float64(r.tracer.cpuPerEvent().Nanoseconds()) })
	perEvent := median(rounds, func(r round) float64 { return float64(r.tracer.bytes) / float64(max(r.tracer.delivered, 1)) })
	fmt.Fprintf(w, "\n| figure | median | goal |\n| --- | --- | --- |\n")
	fmt.Fprintf(w, "| connections/s, untraced | %.0f | |\n", median(rounds, func(r round) float64 { return r.untraced }))
	fmt.Fprintf(w, "| connections/s, traced to a JSON file | %.0f | |\n", median(rounds, func(r round) float64 { return r.traced }))
	fmt.Fprintf(w, "| ratio, pair by pair | %.2f | ≥ 0.85 |\n", ratio)
	fmt.Fprintf(w, "| events lost of %d | %d | 0 |\n", seen, lost)
	fmt.Fprintf(w, "| transitions missed by the kernel, found and healed | %d | |\n", missed)
	fmt.Fprintf(w, "| in kernel, an empty program | %d ns | |\n", k.empty.Nanoseconds())
	fmt.Fprintf(w, "| in kernel over an empty program, a transition | %d ns | ≤ 150 ns |\n", k.perTransition.Nanoseconds())
	fmt.Fprintf(w, "| in kernel, what --stacks adds to a connection | %d ns | ~1 µs |\n", k.perStack.Nanoseconds())
	fmt.Fprintf(w, "| reader CPU an event, formatting and writing included | %.0f ns | ≤ 300 ns |\n", cpu)
	fmt.Fprintf(w, "| heap allocations per 1,000 events | %.2f | 0 |\n", k.allocsPerK)
	fmt.Fprintf(w, "| JSON bytes an event | %.0f | |\n", perEvent)
	fmt.Fprintf(w, "| resident memory, highest | %.1f MB | < 40 MB |\n", float64(rss)/1e6)
}

// median returns the median of a figure of all items, of which there is at least one.
func median[T any](items []T, figure func(T) float64) float64 {
	values := make([]float64, len(items))
	for i, item := range items {
		values[i] = figure(item)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}
