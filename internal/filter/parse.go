package filter

import (
	"slices"
	"unicode/utf8"
)

// Limits of an expression. They bound what somebody else's text, as in a query parameter, may cost.
const (
	maxText   = 4096 // bytes, as given and as String writes it: fits on a command line, and far more than people write
	maxDepth  = 64   // of parentheses and nots: bounds the stack
	maxTerms  = 512  // after host names have become addresses: an event is compared with each
	maxValues = 256  // of one list: as many as one filter flag may have (kernel.MaxTargets)
)

// reserved has the words of the language that are no operators: one that is meant as a value must be quoted.
var reserved = []string{
	"state", "exclude", "excl", "src", "dst", "sport", "dport", "dev", "fwmark", "cgroup", "autobound",
	"pid", "comm", "exe", "uid", "netns", "age", "recvq", "sendq", "cause",
}

// logical has the words that join terms.
var logical = []string{"and", "or", "not"}

func isReserved(word string) bool {
	if slices.Contains(reserved, word) || slices.Contains(logical, word) {
		return true
	}
	for _, names := range comparisonNames {
		if slices.Contains(names, word) {
			return true
		}
	}
	return false
}

// Parse reads an expression; see Expr for the language. A text of blanks is the nil Expr, which selects everything.
// Names may be nil: then numbers and addresses are all that can be written. Every error is a *SyntaxError, and none of
// the names was asked if the text is malformed.
func Parse(text string, names Names) (*Expr, error) {
	if len(text) > maxText {
		return nil, syntaxError(text, 0, "filter of %d bytes is too long: use up to %d", len(text), maxText)
	}
	tokens, err := lex(text)
	if err != nil || len(tokens) == 0 {
		return nil, err
	}
	if names == nil {
		names = noNames{}
	}
	var root node
	for _, names := range []Names{anyNames{}, names} {
		p := parser{text: text, tokens: tokens, names: names}
		if root, err = p.parse(); err != nil {
			return nil, err
		}
	}
	x := &Expr{root}
	if depth(root) > maxDepth || len(x.String()) > maxText {
		return nil, syntaxError(text, 0, "filter is too long or nested too deep when written out in full: split it up")
	}
	return x, nil
}

// parser goes once over the tokens. Its methods that take a part of the text return the part's node.
type parser struct {
	text   string
	tokens []token
	next   int
	depth  int
	terms  int
	names  Names
}

// parse takes the whole text: like ss, a filter for states that the text begins with, joined by "and" with all the rest,
// whatever operators that has.
func (p *parser) parse() (node, error) {
	states := node(nil)
	if p.atState() {
		run, err := p.stateRun()
		if err != nil {
			return nil, err
		}
		states = run
	}
	n, err := p.expression(states)
	if err == nil && !p.atEnd() {
		err = p.errorAt(p.peek(), "parenthesis is closed that was not opened")
	}
	return n, err
}

// expression takes what follows the states that a text begins with, if any. An operator there makes them a term like
// others.
func (p *parser) expression(states node) (node, error) {
	if states != nil && (p.atEnd() || p.peek().is(")") || p.atOperator()) {
		return p.listFrom(states)
	}
	n, err := p.list()
	if err == nil && states != nil {
		n = join(false, states, n)
	}
	return n, err
}

func (p *parser) atOperator() bool { return p.peek().is("and", "&", "&&", "or", "|", "||") }

func (p *parser) list() (node, error) {
	first, err := p.unary()
	if err != nil {
		return nil, err
	}
	return p.listFrom(first)
}

// listFrom takes operators and terms up to the end or a closing parenthesis, from left to right: in ss, whatever its
// manual says, "and" does not bind closer than "or" (exprlist in iproute2's misc/ssfilter.y, up to 7.1).
func (p *parser) listFrom(n node) (node, error) {
	for !p.atEnd() && !p.peek().is(")") {
		isOr := p.peek().is("or", "|", "||")
		if p.atOperator() {
			p.next++
		}
		right, err := p.unary()
		if err != nil {
			return nil, err
		}
		n = join(isOr, n, right)
	}
	return n, nil
}

// unary takes a term, a negation, or what is in parentheses.
func (p *parser) unary() (node, error) {
	if p.atEnd() {
		return nil, p.errorAtEnd("filter ends where a predicate is missing")
	}
	t := p.peek()
	switch {
	case t.is("not", "!", "("):
		p.next++
		p.depth++
		defer func() { p.depth-- }()
		if p.depth > maxDepth {
			return nil, p.errorAt(t, "filter is nested too deep: use up to %d levels", maxDepth)
		}
		if t.is("(") {
			return p.parenthesized(t)
		}
		n, err := p.unary()
		if err != nil {
			return nil, err
		}
		return negate(n), nil
	case t.is(")"):
		return nil, p.errorAt(t, "predicate is missing before the closing parenthesis")
	case t.symbol, t.is(logical...):
		return nil, p.errorAt(t, "predicate is missing before %q", t.text)
	}
	return p.term()
}

// parenthesized takes what follows an opening parenthesis.
func (p *parser) parenthesized(open token) (node, error) {
	n, err := p.list()
	if err != nil {
		return nil, err
	}
	if p.atEnd() {
		return nil, p.errorAt(open, "parenthesis is not closed")
	}
	p.next++
	return n, nil
}

func (p *parser) atEnd() bool { return p.next == len(p.tokens) }

// peek returns the next token, which must be there.
func (p *parser) peek() token { return p.tokens[p.next] }

func (p *parser) errorAt(t token, format string, args ...any) error {
	return syntaxError(p.text, t.offset, format, args...)
}

func (p *parser) errorAtEnd(format string, args ...any) error {
	return syntaxError(p.text, len(p.text), format, args...)
}

// column returns where a token begins, as SyntaxError counts.
func (p *parser) column(t token) int {
	return utf8.RuneCountInString(p.text[:t.offset]) + 1
}
