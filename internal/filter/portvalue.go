package filter

import (
	"fmt"
	"strings"
)

// port takes the value of sport or dport: a number or a service, several by commas, and ranges of numbers.
func (p *parser) port(word token, s side) (node, error) {
	c, value, err := p.operand(word, ordering)
	if err != nil {
		return nil, err
	}
	family, text, err := cutFamily(value.text)
	if err != nil {
		return nil, p.errorAt(value, "%v", err)
	}
	text = strings.TrimPrefix(text, ":")
	anyPort := addrTerm{side: s, family: family}
	if text == "" || text == "*" {
		if c.isOrder() {
			return nil, p.errorAt(value, "%s cannot be compared with any port by %s: use a number", word.text, c)
		}
		return unless(c, anyPort), nil
	}
	if family == 0 {
		return p.ports(s, c, value, text)
	}
	if err := p.count(value, 1); err != nil {
		return nil, err
	}
	if c == notEqual {
		n, err := p.ports(s, equal, value, text)
		return negate(join(false, n, anyPort)), err
	}
	n, err := p.ports(s, c, value, text)
	return join(false, n, anyPort), err
}

// ports takes what follows the colon, if any, of value.
func (p *parser) ports(s side, c comparison, value token, text string) (node, error) {
	value.offset += strings.LastIndex(value.text, text) // quotes are before it, too, but nobody quotes ports
	value.text = text
	elements, err := p.elements(value)
	if err != nil {
		return nil, err
	}
	var all []node
	for _, element := range elements {
		n, err := p.portElement(s, element)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	n := joinAll(true, all)
	if t, ok := n.(portTerm); ok {
		t.is = c
		return t, nil
	}
	if c.isOrder() {
		return nil, p.errorAt(value, "several ports cannot be compared by %s: use = or !=", c)
	}
	return unless(c, n), p.count(value, countTerms(n)-1)
}

func countTerms(n node) (terms int) {
	visit(n, func(node) bool { terms++; return true })
	return terms
}

// portElement takes one port or a range, which only numbers make: the names of services have dashes.
func (p *parser) portElement(s side, element token) (node, error) {
	from, to, _ := strings.Cut(element.text, "-")
	first, fromOK := parseCNumber(from, 16)
	last, toOK := parseCNumber(to, 16)
	switch {
	case !fromOK || !toOK:
		number, err := p.portNumber(element.text)
		if err != nil {
			return nil, p.errorAt(element, "%v", err)
		}
		return portTerm{side: s, port: number}, nil
	case first > last:
		return nil, p.errorAt(element, "%q: range is reversed: use %s-%s", element.text, to, from)
	}
	return and{portTerm{s, greaterEqual, uint16(first)}, portTerm{s, lessEqual, uint16(last)}}, nil
}

// portNumber reads a number or asks for a service.
func (p *parser) portNumber(text string) (uint16, error) {
	if number, ok := parseCNumber(text, 16); ok {
		return uint16(number), nil
	}
	if isNumeric(text) || strings.ContainsAny(text, ":/[]") {
		return 0, fmt.Errorf("%q is no port: use a number up to %d or a service, and src or dst with an address", text, maxPort)
	}
	number, err := p.names.Port(text)
	if err != nil {
		return 0, fmt.Errorf("service %q: %w", text, err)
	}
	return number, nil
}
