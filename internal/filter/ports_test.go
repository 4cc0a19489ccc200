package filter

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParsePorts(t *testing.T) {
	tests := []struct{ text, want string }{
		{"80", "80"},
		{"1", "1"},
		{"65535", "65535"},
		{"80,443", "80,443"},
		{"443,80", "80,443"},
		{"80,80", "80"},
		{"80-80", "80"},
		{"80,443,8000-8100", "80,443,8000-8100"},
		{"80,81", "80-81"},
		{"8050-8100,8000-8060", "8000-8100"},
		{"1-100,50", "1-100"},
		{"63,64,65,127,128", "63-65,127-128"},
		{"1-65535", "1-65535"},
		{"65534,65535,1", "1,65534-65535"},
	}
	for _, test := range tests {
		ports, err := ParsePorts(test.text)
		if err != nil {
			t.Errorf("ParsePorts(%q): %v", test.text, err)
			continue
		}
		if got := ports.String(); got != test.want {
			t.Errorf("ParsePorts(%q) = %s, want %s", test.text, got, test.want)
		}
	}
}

func TestParsePortsRefusals(t *testing.T) {
	const (
		oneToMax = "port must be a number from 1 to 65535"
		bothEnds = "both ends of a range must be numbers from 1 to 65535, as 8000-8100"
		missing  = "a port is missing: use ports and ranges, as 80,443,8000-8100"
	)
	tests := []struct{ text, want string }{
		{"", `"": ` + missing},
		{",", `",": ` + missing},
		{"80,", `"80,": ` + missing},
		{"80,,443", `"80,,443": ` + missing},
		{"0", `"0": ` + oneToMax},
		{"80,0", `"0": ` + oneToMax},
		{"65536", `"65536": ` + oneToMax},
		{"18446744073709551617", `"18446744073709551617": ` + oneToMax},
		{"http", `"http": ` + oneToMax},
		{"80,x,443", `"x": ` + oneToMax},
		{"080", `"080": ` + oneToMax},
		{"0x50", `"0x50": ` + oneToMax},
		{"+80", `"+80": ` + oneToMax},
		{"8_0", `"8_0": ` + oneToMax},
		{" 80", `" 80": ` + oneToMax},
		{"80 443", `"80 443": ` + oneToMax},
		{"٨٠", `"٨٠": ` + oneToMax},
		{"80\x1b", `"80\x1b": ` + oneToMax},
		{"-", `"-": ` + bothEnds},
		{"-80", `"-80": ` + bothEnds},
		{"80-", `"80-": ` + bothEnds},
		{"0-80", `"0-80": ` + bothEnds},
		{"80-65536", `"80-65536": ` + bothEnds},
		{"1-2-3", `"1-2-3": ` + bothEnds},
		{"80--90", `"80--90": ` + bothEnds},
		{"443,90-80", `"90-80": range is reversed: use 80-90`},
	}
	for _, test := range tests {
		ports, err := ParsePorts(test.text)
		if ports != nil || err == nil || err.Error() != test.want {
			t.Errorf("ParsePorts(%q) = %v, %v, want %s", test.text, ports, err, test.want)
		}
	}
}

func TestPortsHas(t *testing.T) {
	ports := mustPorts(t, "1,63-64,443,65535")
	want := []int{1, 63, 64, 443, 65535}
	for port := range 1 << 16 {
		if got, want := ports.Has(uint16(port)), slices.Contains(want, port); got != want {
			t.Errorf("Has(%d) = %t, want %t", port, got, want)
		}
	}
}

// The numbers are those that has_port() of bpf/filter.h looks up.
func TestPortsWords(t *testing.T) {
	words := mustPorts(t, "1,63,64,443,65535").Words()
	want := map[int]uint64{0: 1<<1 | 1<<63, 1: 1 << 0, 6: 1 << 59, 1023: 1 << 63}
	for i, word := range words {
		if word != want[i] {
			t.Errorf("word %d = %#x, want %#x", i, word, want[i])
		}
	}
}

func TestPortsEmpty(t *testing.T) {
	var ports Ports
	if got := ports.String(); got != "" {
		t.Errorf("String() = %q, want nothing", got)
	}
	if ports.Has(0) || ports.Has(80) {
		t.Error("the empty set has a port")
	}
}

var portToken = regexp.MustCompile(`^([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?$`)

// readPorts is ParsePorts by other means.
func readPorts(text string) (ports map[int]bool, ok bool) {
	ports = map[int]bool{}
	for _, token := range strings.Split(text, ",") {
		match := portToken.FindStringSubmatch(token)
		if match == nil {
			return nil, false
		}
		first, _ := strconv.Atoi(match[1])
		last := first
		if match[2] != "" {
			last, _ = strconv.Atoi(match[2])
		}
		if first > last || last > 65535 {
			return nil, false
		}
		for port := first; port <= last; port++ {
			ports[port] = true
		}
	}
	return ports, true
}

func FuzzParsePorts(f *testing.F) {
	for _, seed := range []string{
		"80", "80,443,8000-8100", "1-65535", "", ",", "0", "65536", "2-1", "080", "-1", "1-", "63,64", "80-80,81",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ports, err := ParsePorts(text)
		want, ok := readPorts(text)
		if ok != (err == nil) {
			t.Fatalf("%q: %v, want accepted: %t", text, err, ok)
		}
		if !ok {
			return
		}
		for port := range 1 << 16 {
			if ports.Has(uint16(port)) != want[port] {
				t.Fatalf("%q: Has(%d) = %t, want %t", text, port, !want[port], want[port])
			}
		}
		again, err := ParsePorts(ports.String())
		if err != nil || *again != *ports || again.String() != ports.String() {
			t.Fatalf("%q: %s does not come back: %v", text, ports, err)
		}
	})
}
