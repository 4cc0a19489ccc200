package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// serveLength is the length of a run of -serve unless it is given: all that serve does by itself comes round within.
const serveLength = 16 * time.Second

// pairs is what was measured of one companion.
type pairs struct {
	name    string
	seconds float64
	alone   []load    // two a round
	with    []beside  // two a round
	ratios  []float64 // of connections a second, one a round
	costs   []float64 // of CPU time a connection, one a round
}

// measureServe measures what daemons cost the load.
func measureServe(o options) error {
	fmt.Printf("%d rounds of four runs of %v, %d workers: alone, beside it, beside it, alone\n\n", o.rounds, o.seconds, o.workers)
	if _, err := generate(o); err != nil { // warm-up, not counted
		return err
	}
	var all []pairs
	for _, c := range companions() {
		if !strings.Contains(c.name, o.only) {
			continue
		}
		p := pairs{name: c.name, seconds: o.seconds.Seconds()}
		for i := range o.rounds {
			if err := p.round(o, &c); err != nil {
				return err
			}
			fmt.Printf("%s: round %d: alone %.0f/s, beside it %.0f/s, ratio %.3f; CPU a connection times %.3f\n", c.name, i+1, p.alone[2*i].rate, p.with[2*i].rate, p.ratios[i], p.costs[i])
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return fmt.Errorf("-only %q: there is none of that name", o.only)
	}
	reportServe(os.Stdout, all)
	return nil
}

// round runs alone, twice beside the companion, and alone: a drift of the machine's speed that is even over the four hits both alike.
func (p *pairs) round(o options, c *companion) error {
	var alone, with load
	for _, isBeside := range []bool{false, true, true, false} {
		if !isBeside {
			l, err := generateLoad(o)
			if err != nil {
				return err
			}
			p.alone = append(p.alone, l)
			alone.add(l)
			continue
		}
		b, err := c.run(o)
		if err != nil {
			return err
		}
		p.with = append(p.with, b)
		with.add(b.load)
	}
	p.ratios = append(p.ratios, with.rate/alone.rate)
	p.costs = append(p.costs, with.cpu.Seconds()/alone.cpu.Seconds())
	return nil
}

// add makes sums, of which only ratios mean something.
func (l *load) add(other load) {
	l.rate += other.rate
	l.cpu += other.cpu
}

// reportServe prints the table that docs show. What a companion does not have is a dash.
func reportServe(w io.Writer, all []pairs) {
	fmt.Fprintf(w, "\n| beside the load | connections/s alone | beside it | ratio, median | least to most | CPU a connection, times | least to most | its CPU | events/s taken | told as lost | not taken by the end | bytes an event, compressed | as lines |\n"+
		"|%s\n", strings.Repeat(" --- |", 13))
	for i := range all {
		p := &all[i]
		fmt.Fprintf(w, "| %s | %.0f | %.0f | %.3f | %.3f to %.3f | %.3f | %.3f to %.3f | %s | %s | %s | %s | %s | %s |\n", p.name,
			median(p.alone, func(l load) float64 { return l.rate }), p.median(func(b *beside) float64 { return b.rate }),
			median(p.ratios, itself), slices.Min(p.ratios), slices.Max(p.ratios),
			median(p.costs, itself), slices.Min(p.costs), slices.Max(p.costs),
			p.cell("%.2f %%", func(b *beside) (float64, bool) { return 100 * b.daemon.Seconds() / p.seconds, b.daemon > 0 }),
			p.cell("%.0f", func(b *beside) (float64, bool) { return float64(b.delivered) / p.seconds, b.delivered > 0 }),
			p.cell("%.0f", func(b *beside) (float64, bool) { return float64(b.lost), b.delivered > 0 }),
			p.cell("%.0f", func(b *beside) (float64, bool) { return float64(b.missing), b.asked > 0 && b.delivered > 0 }),
			p.cell("%.1f", func(b *beside) (float64, bool) {
				return float64(b.files.disk) / float64(b.files.lines), b.files.lines > 0
			}),
			p.cell("%.0f", func(b *beside) (float64, bool) {
				return float64(b.files.plain) / float64(b.files.lines), b.files.lines > 0
			}))
	}
	fmt.Fprintf(w, "\nIts CPU is of one processor, while the load ran. 3 %% less connections are a ratio of 0.970. CPU a connection is the load's\n"+
		"own, programs in the kernel included: what else the machine does disturbs it less.\n")
}

func itself(x float64) float64 { return x }

func (p *pairs) median(figure func(*beside) float64) float64 {
	return median(p.with, func(b beside) float64 { return figure(&b) })
}

// cell is the median of a figure that all runs have, or a dash.
func (p *pairs) cell(format string, figure func(*beside) (float64, bool)) string {
	for i := range p.with {
		if _, ok := figure(&p.with[i]); !ok {
			return "-"
		}
	}
	return fmt.Sprintf(format, p.median(func(b *beside) float64 {
		value, _ := figure(b)
		return value
	}))
}
