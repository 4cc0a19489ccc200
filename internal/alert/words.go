package alert

import (
	"errors"
	"fmt"
	"strings"
)

// SplitWords splits a command line as a POSIX shell does (XCU 2.2, "Quoting"): at spaces, tabs and line feeds that are
// not quoted by a backslash, by single quotes, or by double quotes, in which a backslash quotes only itself and the
// characters " $ ` and a line feed. No shell runs, so what one would expand or take for an operator is an error, unless
// it is quoted: the words are always those that a shell would make.
func SplitWords(line string) ([]string, error) {
	s := splitter{rest: line}
	for s.rest != "" {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	s.end()
	return s.words, nil
}

type splitter struct {
	rest   string
	words  []string
	word   strings.Builder
	inWord bool
}

func (s *splitter) step() error {
	c := s.rest[0]
	s.rest = s.rest[1:]
	switch {
	case c == 0:
		return errors.New("a NUL byte, which no command can be given")
	case c == ' ' || c == '\t' || c == '\n':
		s.end()
	case c == '\\':
		return s.escaped()
	case c == '\'':
		return s.single()
	case c == '"':
		return s.double()
	case strings.IndexByte("|&;<>()$`*?[", c) >= 0, !s.inWord && (c == '~' || c == '#'):
		return fmt.Errorf("an unquoted %c, and there is no shell to make something of it: quote it, or run sh -c '...'", c)
	default:
		s.add(c)
	}
	return nil
}

func (s *splitter) add(c byte) {
	s.inWord = true
	s.word.WriteByte(c)
}

func (s *splitter) end() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}

// escaped reads on after a backslash outside of quotes.
func (s *splitter) escaped() error {
	if s.rest == "" {
		return errors.New(`a backslash at the end: write \\ for the character itself`)
	}
	c := s.rest[0]
	if c == 0 {
		return nil // the next step refuses it
	}
	s.rest = s.rest[1:]
	if c != '\n' { // which joins lines
		s.add(c)
	}
	return nil
}

// single reads on after a single quote.
func (s *splitter) single() error {
	text, rest, found := strings.Cut(s.rest, "'")
	if !found {
		return errors.New("a single quote without an end: add one")
	}
	if strings.IndexByte(text, 0) >= 0 {
		return errors.New("a NUL byte, which no command can be given")
	}
	s.inWord = true
	s.word.WriteString(text)
	s.rest = rest
	return nil
}

// double reads on after a double quote.
func (s *splitter) double() error {
	s.inWord = true
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch c {
		case '"':
			return nil
		case 0:
			return errors.New("a NUL byte, which no command can be given")
		case '$', '`':
			return fmt.Errorf(`a %c, and there is no shell to expand it: write \%c, or run sh -c '...'`, c, c)
		case '\\':
			if s.rest != "" && strings.IndexByte("\\\"$`\n", s.rest[0]) >= 0 {
				c = s.rest[0]
				s.rest = s.rest[1:]
				if c == '\n' {
					continue
				}
			}
		}
		s.add(c)
	}
	return errors.New("a double quote without an end: add one")
}
