package cli

import (
	"math/bits"
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// lines are some of a table of counts, of which count prints the sum.
type lines struct {
	states  tcp.StateSet
	zombies bool
}

// parseLines reads states, groups and zombie joined by commas, and says whether it is nothing else. Groups with CLOSE
// have zombies, too, which are in that state; the line of CLOSE alone has not.
func parseLines(text string) (l lines, ok bool) {
	for word := range strings.SplitSeq(text, ",") {
		if strings.EqualFold(word, "zombie") {
			l.zombies = true
			continue
		}
		states, err := tcp.ParseStates(word)
		if err != nil {
			return lines{}, false
		}
		l.states |= states
		if bits.OnesCount16(uint16(states)) > 1 && states.Has(tcp.Close) {
			l.zombies = true
		}
	}
	return l, true
}

// where returns the states of the sockets that make up the lines.
func (l *lines) where() tcp.StateSet {
	if l.zombies {
		return l.states | tcp.SetOf(tcp.Close)
	}
	return l.states
}

// number adds the lines up, of counts that have nothing from other states than where says.
func (l *lines) number(c *tcp.Counts) uint64 {
	states := l.states
	if states.Has(tcp.NewSynRecv) {
		states |= tcp.SetOf(tcp.SynRecv) // where counts have requests
	}
	n := c.Of(states)
	if l.zombies {
		n += c.Zombies
	}
	return n
}
