package output

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// record returns the fields of one event by name.
func record(tb testing.TB, e tcp.Event) map[string]string {
	tb.Helper()
	text := render(tb, Options{Format: CSV, Header: true}, e)
	if strings.Count(text, "\n") != 2 {
		tb.Fatalf("not two lines: %q", text)
	}
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(records) != 2 {
		tb.Fatalf("%d records, %v in %q", len(records), err, text)
	}
	got := map[string]string{}
	for i, name := range records[0] {
		got[name] = records[1][i]
	}
	return got
}

func TestCSVHeader(t *testing.T) {
	want := strings.Join(fields[:], ",") + "\n"
	if got := render(t, Options{Format: CSV, Header: true}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCSVAgreesWithJSON but for names of processes, which are defused.
func TestCSVAgreesWithJSON(t *testing.T) {
	for _, e := range samples() {
		inJSON, inCSV := object(t, e), record(t, e)
		if len(inCSV) != len(fields) {
			t.Fatalf("%d fields, want %d", len(inCSV), len(fields))
		}
		for _, name := range fields {
			value := inJSON[name]
			if flag := name == "missed" || name == "late"; flag && value == nil {
				value = false
			}
			want := fmt.Sprint(value)
			if number, ok := value.(json.Number); ok {
				want = number.String()
			}
			if value == nil {
				want = ""
			}
			if name != "comm" && inCSV[name] != want {
				t.Errorf("%s is %q, in JSON %q", name, inCSV[name], want)
			}
		}
	}
}

func TestCSVComm(t *testing.T) {
	for _, test := range []struct{ comm, want string }{
		{"curl", "curl"},
		{"", ""},
		{"a,b", `"a,b"`},
		{`say "hi"`, `"say ""hi"""`},
		{" curl", `" curl"`},
		{"=1+1", "'=1+1"},
		{"+1", "'+1"},
		{"-1", "'-1"},
		{"@sum", "'@sum"},
		{"=a,b", `"'=a,b"`},
		{"a=b", "a=b"},
		{"\t=1", "?=1"},
		{"a\r\nb\x1b\x00c", "a??b?"},
		{"caf\u00e9\xff", "caf???"},
	} {
		c := comm(test.comm)
		if got := string(appendCSVText(nil, c.Bytes())); got != test.want {
			t.Errorf("%q is %s, want %s", test.comm, got, test.want)
		}
	}
}

func FuzzCSVComm(f *testing.F) {
	for _, e := range oddities() {
		f.Add(e.Comm[:])
	}
	f.Add([]byte(`",","`))
	f.Fuzz(func(t *testing.T, name []byte) {
		e := tcp.Event{PID: 1, Comm: comm(string(name))}
		want := ""
		for _, c := range e.Comm.Bytes() {
			want += string(printable(c))
		}
		if strings.IndexAny(want, "=+-@") == 0 {
			want = "'" + want
		}
		if got := record(t, e)["comm"]; got != want {
			t.Fatalf("%q is read as %q, want %q", name, got, want)
		}
	})
}
