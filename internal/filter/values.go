package filter

import (
	"fmt"
	"math"
	"path"
	"strings"
)

// pid takes the value of pid. A word is asked for, as self.
func (p *parser) pid(word token) (node, error) {
	c, value, err := p.operand(word, ordering)
	if err != nil {
		return nil, err
	}
	elements, err := p.elements(value)
	if err != nil {
		return nil, err
	}
	if c.isOrder() && len(elements) > 1 {
		return nil, p.errorAt(value, "pid cannot be compared with a list by %s: use = or !=", c)
	}
	t := pidTerm{is: c}
	for _, element := range elements {
		pid, err := p.number(element, "pid", p.names.PID)
		if err != nil {
			return nil, err
		}
		t.pids = append(t.pids, pid)
	}
	return t, nil
}

// number reads a number, or asks for a name.
func (p *parser) number(value token, what string, ask func(string) (uint32, error)) (uint32, error) {
	if number, ok := parseNumber(value.text, 32); ok {
		return uint32(number), nil
	}
	if isNumeric(value.text) {
		return 0, p.errorAt(value, "%s %q is no number", what, value.text)
	}
	number, err := ask(value.text)
	if err != nil {
		return 0, p.errorAt(value, "%s %q: %v", what, value.text, err)
	}
	return number, nil
}

// program takes the value of comm or exe.
func (p *parser) program(word token) (node, error) {
	c, value, err := p.operand(word, equality)
	if err != nil {
		return nil, err
	}
	if word.text == "comm" {
		if err := CheckComm(value.text); err != nil {
			return nil, p.errorAt(value, "%v", err)
		}
		return commTerm{is: c, pattern: []string{value.text}}, nil
	}
	if _, err := path.Match(value.text, ""); err != nil {
		return nil, p.errorAt(value, `%q: malformed pattern: use * ? [a-z], and \ before one of these in a name`, value.text)
	}
	return exeTerm{is: c, pattern: value.text}, nil
}

// place takes the value of uid, netns or cgroup.
func (p *parser) place(word token) (node, error) {
	takes := equality
	if word.text == "uid" {
		takes = ordering
	}
	c, value, err := p.operand(word, takes)
	if err != nil {
		return nil, err
	}
	switch word.text {
	case "uid":
		uid, err := p.number(value, "uid", p.names.User)
		return uidTerm{c, uid}, err
	case "netns":
		inode, err := p.names.NetNS(value.text)
		if err != nil {
			return nil, p.errorAt(value, "netns %q: %v", value.text, err)
		}
		return netnsTerm{c, inode, value.text}, nil
	}
	id, err := p.names.Cgroup(value.text)
	if err != nil {
		return nil, p.errorAt(value, "cgroup %q: %v", value.text, err)
	}
	return cgroupTerm{c, id, value.text}, nil
}

// age takes the value of age.
func (p *parser) age(word token) (node, error) {
	c, value, err := p.operand(word, ordering)
	if err != nil {
		return nil, err
	}
	age, err := parseAge(value.text)
	if err != nil {
		return nil, p.errorAt(value, "%v", err)
	}
	return ageTerm{c, age}, nil
}

// socketTerm takes what follows the word of a predicate that only sockets answer.
func (p *parser) socketTerm(word token) (node, error) {
	only := socketOnly{word.text, p.column(word)}
	if word.text == "autobound" {
		if _, ok := p.peekComparison(); ok {
			return nil, p.errorAt(p.peek(), "autobound takes no value: use it alone, or after not")
		}
		return autoboundTerm{only}, nil
	}
	takes := equality
	if word.text == "recvq" || word.text == "sendq" {
		takes = ordering
	}
	c, value, err := p.operand(word, takes)
	if err != nil {
		return nil, err
	}
	switch word.text {
	case "dev":
		index, err := p.number(value, "dev", p.names.Interface)
		return devTerm{only, c, index}, err
	case "fwmark":
		mark, mask, err := parseMark(value.text)
		if err != nil {
			return nil, p.errorAt(value, "%v", err)
		}
		return markTerm{only, c, mark, mask}, nil
	}
	size, err := parseSize(value.text)
	if err != nil {
		return nil, p.errorAt(value, "%v", err)
	}
	return queueTerm{only, c, word.text == "sendq", size}, nil
}

// parseMark reads MARK or MARK/MASK.
func parseMark(text string) (mark, mask uint32, err error) {
	value, bits, masked := strings.Cut(text, "/")
	m, ok := parseCNumber(value, 32)
	b, bitsOK := uint64(everyBit), true
	if masked {
		b, bitsOK = parseCNumber(bits, 32)
	}
	if !ok || !bitsOK {
		return 0, 0, fmt.Errorf("%q is no mark: use a number, or number/mask, as 0x1/0xff", text)
	}
	return uint32(m), uint32(b), nil
}

// parseSize reads bytes, with K, M or G for their multiples by 1024.
func parseSize(text string) (uint64, error) {
	const units = "KMG"
	digits, shift := text, 0
	if i := strings.IndexByte(units, text[len(text)-1]&^0x20); i >= 0 {
		digits, shift = text[:len(text)-1], 10*(i+1)
	}
	n, ok := parseNumber(digits, 64)
	if !ok || n > math.MaxUint64>>shift {
		return 0, fmt.Errorf("%q is no size: use bytes, as 4096, or 64K or 1M", text)
	}
	return n << shift, nil
}
