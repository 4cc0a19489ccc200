package filter

import (
	"slices"
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// term takes one predicate: its word, an operator, and a value.
func (p *parser) term() (node, error) {
	word := p.peek()
	if p.atState() {
		return p.stateRun()
	}
	p.next++
	if err := p.count(word, 1); err != nil {
		return nil, err
	}
	if word.quoted {
		return nil, p.unknownWord(word)
	}
	switch word.text {
	case "src":
		return p.host(word, local)
	case "dst":
		return p.host(word, remote)
	case "sport":
		return p.port(word, local)
	case "dport":
		return p.port(word, remote)
	case "pid":
		return p.pid(word)
	case "comm", "exe":
		return p.program(word)
	case "uid", "netns", "cgroup":
		return p.place(word)
	case "age":
		return p.age(word)
	case "dev", "fwmark", "autobound", "recvq", "sendq":
		return p.socketTerm(word)
	case "cause":
		return nil, p.errorAt(word, `"cause" comes with leaks: no other command knows causes yet`)
	}
	return nil, p.unknownWord(word)
}

// count counts the terms that a token becomes.
func (p *parser) count(t token, terms int) error {
	if p.terms += terms; p.terms > maxTerms {
		return p.errorAt(t, "filter has more than %d terms, each address of a name among them: split it up", maxTerms)
	}
	return nil
}

func (p *parser) unknownWord(word token) error {
	if lower := strings.ToLower(word.text); !word.quoted && lower != word.text && isReserved(lower) {
		return p.errorAt(word, "unknown word %q: write %s", word.text, lower)
	}
	predicates := slices.DeleteFunc(slices.Clone(reserved), func(w string) bool { return w == "excl" || w == "cause" })
	if near := nearest(word.text, predicates); near != "" && !word.quoted {
		return p.errorAt(word, "unknown word %q: did you mean %s?", word.text, near)
	}
	return p.errorAt(word, "unknown word %q: a predicate is one of %s; quote values with blanks", word.text,
		strings.Join(predicates, ", "))
}

// Which operators a word takes.
type operators bool

const (
	equality operators = false // = and !=
	ordering operators = true  // all
)

// comparison takes an operator; without one it is "equal", as in ss.
func (p *parser) comparison(word token, takes operators) (comparison, error) {
	c, ok := p.peekComparison()
	if !ok {
		return equal, nil
	}
	if c.isOrder() && takes == equality {
		return 0, p.errorAt(p.peek(), "%s cannot be compared by %q: use = or !=", word.text, p.peek().text)
	}
	p.next++
	return c, nil
}

// peekComparison returns the operator that comes next, if one does.
func (p *parser) peekComparison() (comparison, bool) {
	if !p.atEnd() {
		for c, names := range comparisonNames {
			if p.peek().is(names...) {
				return comparison(c), true
			}
		}
	}
	return 0, false
}

// value takes the value of a predicate.
func (p *parser) value(word token) (token, error) {
	if p.atEnd() {
		return token{}, p.errorAtEnd("value of %s is missing", word.text)
	}
	t := p.peek()
	switch {
	case t.symbol:
		return t, p.errorAt(t, "value of %s is missing before %q", word.text, t.text)
	case !t.quoted && isReserved(t.text):
		return t, p.errorAt(t, "value of %s is missing before %q: if that is the value, quote it", word.text, t.text)
	case t.text == "":
		return t, p.errorAt(t, "value of %s is empty", word.text)
	}
	p.next++
	return t, nil
}

// operand takes an operator and a value.
func (p *parser) operand(word token, takes operators) (comparison, token, error) {
	c, err := p.comparison(word, takes)
	if err != nil {
		return 0, token{}, err
	}
	value, err := p.value(word)
	return c, value, err
}

// elements returns what stands between the commas of a value, none of it empty.
func (p *parser) elements(value token) ([]token, error) {
	var all []token
	offset := value.offset
	for text := range strings.SplitSeq(value.text, ",") {
		t := token{text: text, offset: offset, quoted: value.quoted}
		if value.quoted {
			t.offset = value.offset // where in the quotes is not known
		}
		if text == "" {
			return nil, p.errorAt(t, "element is missing beside a comma")
		}
		all = append(all, t)
		offset += len(text) + 1
	}
	if len(all) > maxValues {
		return nil, p.errorAt(value, "list of %d values is too long: use up to %d", len(all), maxValues)
	}
	return all, nil
}

func (p *parser) atState() bool { return !p.atEnd() && p.peek().is("state", "exclude", "excl") }

// stateRun takes all of `state` and `exclude` that stands in a row. As in ss each adds to or takes away from what those
// before it left, and an `exclude` that comes first takes away from all.
func (p *parser) stateRun() (node, error) {
	var run node
	for p.atState() {
		word := p.peek()
		p.next++
		t, err := p.stateTerm(word)
		if err != nil {
			return nil, err
		}
		switch {
		case word.text == "state" && run == nil:
			run = t
		case word.text == "state":
			run = uniteStates(run, t)
		case run == nil:
			run = negate(t)
		default:
			run = join(false, run, negate(t))
		}
	}
	return run, nil
}

// uniteStates joins by "or", and makes one term of two.
func uniteStates(run node, t stateTerm) node {
	if before, ok := run.(stateTerm); ok {
		before.states |= t.states
		before.zombie = before.zombie || t.zombie
		return before
	}
	return join(true, run, t)
}

// stateTerm takes the states that follow a word.
func (p *parser) stateTerm(word token) (stateTerm, error) {
	all := stateTerm{column: p.column(word)}
	if err := p.count(word, 1); err != nil {
		return all, err
	}
	value, err := p.value(word)
	if err != nil {
		return all, err
	}
	names, err := p.elements(value)
	if err != nil {
		return all, err
	}
	for _, name := range names {
		one, err := parseStateWord(name.text)
		if err != nil {
			return all, p.errorAt(name, "%v", err)
		}
		all.states |= one.states
		all.zombie = all.zombie || one.zombie
	}
	all.zombie = all.zombie && !all.states.Has(tcp.Close)
	return all, nil
}
