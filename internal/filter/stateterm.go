package filter

import (
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// stateTerm holds for a socket that is in one of the states, and for an event with one of them on either side. As a
// socket knows (tcp.Socket.States), a request is in SynRecv and NewSynRecv, and a zombie in Close.
type stateTerm struct {
	states tcp.StateSet
	zombie bool // zombies, too; Close has them anyway
	column int
}

const zombieWord = "zombie"

// parseStateWord reads one spelling of one state or group, or zombie.
func parseStateWord(word string) (stateTerm, error) {
	if strings.EqualFold(word, zombieWord) {
		return stateTerm{zombie: true}, nil
	}
	states, err := tcp.ParseStates(word)
	return stateTerm{states: states}, err
}

func (t stateTerm) matchEvent(e *tcp.Event, _ Host) bool {
	return t.states.Has(e.Old) || t.states.Has(e.New)
}

func (t stateTerm) matchSocket(s *tcp.Socket, _ Host) bool {
	return t.states&s.States() != 0 || t.zombie && s.Zombie
}

func (t stateTerm) appendTo(text []byte) []byte {
	text = append(text, "state "...)
	if t.states == everyState {
		return append(text, "all"...)
	}
	start := len(text)
	for s := tcp.State(1); s <= tcp.States; s++ {
		if t.states.Has(s) {
			text = append(appendComma(text, start), s.String()...)
		}
	}
	if t.zombie && !t.states.Has(tcp.Close) {
		text = append(appendComma(text, start), zombieWord...)
	}
	return text
}

// appendComma separates the elements of a list that begins at start.
func appendComma(text []byte, start int) []byte {
	if len(text) > start {
		text = append(text, ',')
	}
	return text
}

// everyState is ss's group all.
const everyState = tcp.StateSet(1<<(tcp.States+1) - 2)

// Classes of sockets that no predicate about states tells apart. They have the numbers of states, but a request is
// NewSynRecv alone, so that a SynRecv of a full socket differs, and a zombie is zombieClass alone.
const (
	zombieClass  = tcp.StateSet(1 << (tcp.States + 1))
	everyClass   = everyState | zombieClass
	requestClass = tcp.StateSet(1 << tcp.NewSynRecv)
)

// classes returns the classes that the term holds for, and no others.
func (t stateTerm) classes() tcp.StateSet {
	set := t.states
	if set.Has(tcp.SynRecv) {
		set |= requestClass
	}
	if set.Has(tcp.Close) || t.zombie {
		set |= zombieClass
	}
	return set
}

// classesOf returns the classes of sockets that n may hold for, and those that it surely holds for.
func classesOf(n node) (may, must tcp.StateSet) {
	switch n := n.(type) {
	case stateTerm:
		return n.classes(), n.classes()
	case not:
		may, must = classesOf(n.of)
		return everyClass &^ must, everyClass &^ may
	case and:
		may, must = everyClass, everyClass
		for _, kid := range n {
			kidMay, kidMust := classesOf(kid)
			may, must = may&kidMay, must&kidMust
		}
		return may, must
	case or:
		for _, kid := range n {
			kidMay, kidMust := classesOf(kid)
			may, must = may|kidMay, must|kidMust
		}
		return may, must
	}
	return everyClass, 0
}

// statesOfClasses returns the states by which sockets of the classes are found.
func statesOfClasses(classes tcp.StateSet) tcp.StateSet {
	if classes&requestClass != 0 {
		classes |= tcp.SetOf(tcp.SynRecv)
	}
	if classes&zombieClass != 0 {
		classes |= tcp.SetOf(tcp.Close)
	}
	return classes & everyState
}
