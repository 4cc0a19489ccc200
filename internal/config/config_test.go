package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string][]Setting{
		"":             nil,
		"# nothing\n":  nil,
		"---\n":        nil,
		"top: 010\n":   {{"top", []string{"010"}, 1}},
		"stacks: yes":  {{"stacks", []string{"yes"}, 1}},
		"exec: ''\n":   {{"exec", []string{""}, 1}},
		"repeat: 1h\n": {{"repeat", []string{"1h"}, 1}},
		"{listen: ':9797', stacks: true}": {
			{"listen", []string{":9797"}, 1}, {"stacks", []string{"true"}, 1},
		},
		"# who is told\n\nlimit:\n  - CLOSE_WAIT=30s:5m\n  - FIN_WAIT2=off\nmute: ['2h: comm rsync']\n": {
			{"limit", []string{"CLOSE_WAIT=30s:5m", "FIN_WAIT2=off"}, 3}, {"mute", []string{"2h: comm rsync"}, 6},
		},
	} {
		if got, err := Parse([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"listen":                        "line 1: settings are names and values",
		"- listen":                      "line 1: settings are names and values",
		"a: 1\n\na: 2":                  `line 3: "a" is set in line 1 already`,
		"a:":                            `line 1: "a" has no value`,
		"a: []":                         `line 1: "a" has an empty list`,
		"a:\n  b: 1":                    `line 2: "a" takes a value or a list`,
		"a:\n- [1]":                     `line 2: "a" takes a list of plain values`,
		"a: [null]":                     `line 1: "a" takes a list of plain values`,
		"[1]: 2":                        "line 1: a setting's name is a word",
		"a: &x 1\nb: *x":                `line 2: "b" takes a value or a list`,
		"a: 1\n---\nb: 2":               "more than one document",
		"a: 'b":                         "yaml: ",
		"a: \x00":                       "yaml: ",
		strings.Repeat("#", MaxBytes+1): "longer than",
	} {
		if got, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %+v, %v, want %s", text, got, err, want)
		}
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tcptrail.yml")
	if _, err := Read(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte("top: 5\nlisten"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte("top: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

// FuzzParse gives values that flags can be set to, or an error, whatever the file.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a: 1\nb: [x, 'y']", "{a: &x 1, b: *x}", "a: !!binary aGk=", "? a\n: b", "<<: {a: 1}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		settings, err := Parse(text)
		if err != nil && settings != nil {
			t.Fatalf("%v with %v", settings, err)
		}
		seen := map[string]bool{}
		for _, s := range settings {
			if len(s.Values) == 0 || s.Line < 1 || seen[s.Name] {
				t.Fatalf("%q: %+v", text, settings)
			}
			seen[s.Name] = true
		}
	})
}
