package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// slowRun is the length of a run from which on one must do.
	slowRun = 2 * time.Second
	// maxSockets bounds the kernel's memory: about 6 kB a socket with its descriptor.
	maxSockets = 1_000_000
	// defaultSizes are the numbers of sockets that README shows.
	defaultSizes = "1000,10000,100000,200000"
)

// comparison is what all contenders took for one crowd: by contender, in the order of the rounds.
type comparison struct {
	sockets    int
	closeWait  int // of them; as many are in FIN_WAIT2, the others in ESTABLISHED
	holders    int // processes
	namespaces int // of the host
	others     int // sockets in other namespaces, which only ours show
	runs       [][]figures
}

// measureSnapshot compares whole commands that show the sockets of now.
func measureSnapshot(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	sizes, err := parseSizes(o.sizes)
	if err != nil {
		return err
	}
	who, missing, err := installed(contenders(o.binary))
	if err != nil {
		return err
	}
	c, err := newCrowd()
	if err != nil {
		return err
	}
	defer c.close()
	fmt.Printf("%s\n", describeMachine(ctx, who, missing))
	var all []comparison
	for _, size := range sizes {
		if err := c.grow(ctx, size/2); err != nil {
			return err
		}
		found, err := compare(ctx, o, who, c)
		if err != nil {
			return err
		}
		all = append(all, found)
	}
	reportSnapshot(os.Stdout, who, all)
	return nil
}

// parseSizes reads numbers of sockets, which have to grow.
func parseSizes(text string) ([]int, error) {
	var sizes []int
	last := 0
	for field := range strings.SplitSeq(text, ",") {
		size, err := strconv.Atoi(field)
		switch {
		case err != nil:
			return nil, fmt.Errorf("-sizes: %w", err)
		case size < 2*halfClosedShare || size > maxSockets:
			return nil, fmt.Errorf("-sizes: %d sockets: from %d to %d will do", size, 2*halfClosedShare, maxSockets)
		case size%2 != 0:
			return nil, fmt.Errorf("-sizes: %d sockets: a connection has two, give an even number", size)
		case size <= last:
			return nil, fmt.Errorf("-sizes: %d after %d: give them in ascending order", size, last)
		}
		sizes, last = append(sizes, size), size
	}
	return sizes, nil
}

// compare runs each contender once, which checks it and warms up, and then ours and those that are quick in rounds, so
// that a drift of the machine's speed hits all.
func compare(ctx context.Context, o options, who []contender, c *crowd) (comparison, error) {
	found := comparison{
		sockets: c.sockets(), closeWait: c.halfClosed, holders: len(c.holders), namespaces: countNetNS(),
		runs: make([][]figures, len(who)),
	}
	var quick []int
	for i := range who {
		f, lines, err := who[i].check(ctx, c, o.limit)
		if err != nil {
			return found, err
		}
		if i == 0 {
			found.others = lines - c.sockets()
			fmt.Printf("%d sockets, %d more in other namespaces\n", found.sockets, found.others)
		}
		if f.wall < slowRun || who[i].ours() {
			quick = append(quick, i)
			continue
		}
		found.runs[i] = []figures{f}
		fmt.Printf("%d sockets, once: %v %s\n", c.sockets(), &who[i], wallCell(found.runs[i]))
	}
	for round := range o.rounds {
		for _, i := range quick {
			f, err := who[i].run(ctx, c.ns, o.limit, nil)
			if err != nil {
				return found, err
			}
			found.runs[i] = append(found.runs[i], f)
		}
		slices.Reverse(quick) // nobody always comes after the same
		fmt.Printf("%d sockets, round %d of %d: %v %s\n", c.sockets(), round+1, o.rounds, &who[base], wallCell(found.runs[base][round:]))
	}
	return found, nil
}

// ratios returns the wall times of a contender over those of the base, round by round if both ran in all rounds.
func (c *comparison) ratios(i int) []float64 {
	own, of := c.runs[i], c.runs[base]
	if len(own) != len(of) {
		return []float64{median(own, figures.seconds) / median(of, figures.seconds)}
	}
	ratios := make([]float64, len(own))
	for k := range own {
		ratios[k] = own[k].seconds() / of[k].seconds()
	}
	return ratios
}

func (f figures) seconds() float64    { return f.wall.Seconds() }
func (f figures) cpuSeconds() float64 { return f.cpu.Seconds() }
func (f figures) megabytes() float64  { return float64(f.rss) / 1e6 }
