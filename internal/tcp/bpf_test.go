package tcp

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var constantLine = regexp.MustCompile(`(?m)^\s*([A-Z][A-Z0-9_]*)\s*(?:=\s*(\d+)\s*)?,`)

// readEnum returns the constants of a C enum by number, the enum being what follows start in the file.
func readEnum(tb testing.TB, file, start string) map[int]string {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	_, body, found := strings.Cut(string(text), start)
	body, _, closed := strings.Cut(body, "}")
	if !found || !closed {
		tb.Fatalf("%s has no %q", file, start)
	}
	constants, number := map[int]string{}, 0
	for _, match := range constantLine.FindAllStringSubmatch(body, -1) {
		if match[2] != "" {
			number, _ = strconv.Atoi(match[2])
		}
		constants[number] = match[1]
		number++
	}
	return constants
}

// checkEnum compares the names that Go gives to numbers with the constants of the C side. No name is no constant, save
// for the zero, whose name is empty.
func checkEnum(t *testing.T, constants map[int]string, constant func(number uint8) string) {
	t.Helper()
	for number := range 256 {
		if got, want := constant(uint8(number)), constants[number]; got != want {
			t.Errorf("number %d is %q in Go and %q in C", number, got, want)
		}
	}
}
