package record

import (
	"encoding/json"
	"errors"
)

var errNoObject = errors.New("no JSON object on a line")

// scan calls field for each member of the JSON object that line is, with the inside of its key, and its value as it stands.
// It is strict where a mistake would change what a member means, and leaves the value to who knows what it should be.
func scan(line []byte, field func(key, value []byte) error) error {
	s := scanner{rest: line}
	if !s.eat('{') {
		return errNoObject
	}
	if s.eat('}') {
		return s.end()
	}
	for {
		key, ok := s.str()
		if !ok || !s.eat(':') {
			return errNoObject
		}
		value, ok := s.value()
		if !ok {
			return errNoObject
		}
		if err := field(key[1:len(key)-1], value); err != nil {
			return err
		}
		switch {
		case s.eat(','):
		case s.eat('}'):
			return s.end()
		default:
			return errNoObject
		}
	}
}

type scanner struct{ rest []byte }

func (s *scanner) space() {
	for len(s.rest) > 0 {
		switch s.rest[0] {
		case ' ', '\t', '\r', '\n':
			s.rest = s.rest[1:]
		default:
			return
		}
	}
}

func (s *scanner) eat(c byte) bool {
	s.space()
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) end() error {
	if s.space(); len(s.rest) > 0 {
		return errNoObject
	}
	return nil
}

// str takes a string, with its quotes.
func (s *scanner) str() (text []byte, ok bool) {
	s.space()
	if len(s.rest) == 0 || s.rest[0] != '"' {
		return nil, false
	}
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '\\':
			i++
		case c == '"':
			text, s.rest = s.rest[:i+1], s.rest[i+1:]
			return text, true
		case c < ' ':
			return nil, false
		}
	}
	return nil, false
}

// value takes a value: a string, a number or a word by itself, and what has parts by the library.
func (s *scanner) value() (value []byte, ok bool) {
	s.space()
	if len(s.rest) == 0 {
		return nil, false
	}
	switch s.rest[0] {
	case '"':
		return s.str()
	case '{', '[':
		return s.parts()
	}
	n := 0
	for n < len(s.rest) && isPlain(s.rest[n]) {
		n++
	}
	value, s.rest = s.rest[:n], s.rest[n:]
	return value, n > 0
}

func isPlain(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}

// parts takes an object or an array, up to where its brackets are closed.
func (s *scanner) parts() (value []byte, ok bool) {
	whole, depth := s.rest, 0
	for len(s.rest) > 0 {
		switch s.rest[0] {
		case '"':
			if _, ok := s.str(); !ok {
				return nil, false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.rest = s.rest[1:]
		if depth == 0 {
			value = whole[:len(whole)-len(s.rest)]
			return value, json.Valid(value)
		}
	}
	return nil, false
}
