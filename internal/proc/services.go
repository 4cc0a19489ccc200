package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Services are the names of TCP ports. It is not changed after it was read and may be used by several goroutines.
type Services struct {
	path  string
	names map[uint16]string
	ports map[string]uint16
}

// Services reads the names of TCP ports in the file services (services(5)). Without the file there are no names, which
// is no error. Other sources that nsswitch.conf may name are not asked.
func (f FS) Services() (*Services, error) {
	etc := f.Etc
	if etc == "" {
		etc = "/etc"
	}
	path := filepath.Join(etc, "services")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read names of ports: %w", err)
	}
	s := parseServices(string(text))
	s.path = path
	return s, nil
}

// Name returns what a port is called, "" if nothing.
func (s *Services) Name(port uint16) string { return s.names[port] }

// Port returns the port that a name or an alias stands for. Case matters, as it does to getservbyname(3).
func (s *Services) Port(name string) (uint16, error) {
	port, ok := s.ports[name]
	if !ok {
		return 0, fmt.Errorf("service %q: no TCP service of this name in %s: give the port's number", name, s.path)
	}
	return port, nil
}

// parseServices reads lines "NAME PORT/PROTOCOL ALIAS... # COMMENT". Lines of an unknown format and other protocols are
// passed over. Of several for a name or a port the first counts, as in the C library.
func parseServices(text string) *Services {
	s := &Services{names: make(map[uint16]string), ports: make(map[string]uint16)}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		port, ok := parseTCPPort(fields[1])
		if !ok {
			continue
		}
		if _, known := s.names[port]; !known {
			s.names[port] = fields[0]
		}
		for i, name := range fields {
			if _, known := s.ports[name]; !known && i != 1 {
				s.ports[name] = port
			}
		}
	}
	return s
}

// parseTCPPort reads "443/tcp".
func parseTCPPort(field string) (port uint16, ok bool) {
	digits, isTCP := strings.CutSuffix(field, "/tcp")
	number, err := strconv.ParseUint(digits, 10, 16)
	return uint16(number), isTCP && isNumber(digits) && err == nil && number != 0
}
