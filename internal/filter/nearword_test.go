package filter

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"state", "sport", "dport", "src", "dst", "pid", "age", "netns"}
	for text, want := range map[string]string{
		"dprot": "dport", "sprot": "sport", "sport": "sport", "stat": "state", "sate": "state", "pdi": "pid", "netsn": "netns",
		"port": "sport", "agee": "age", "x": "", "": "", "frobnicate": "", "xyz": "", "lst": "dst", "states": "state",
	} {
		if got := nearest(text, words); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"abc", "cab", 2}, {"dport", "sport", 1}, {"dprot", "dport", 1}, {"kitten", "sitting", 3},
	} {
		if got := mistakes(test.a, test.b); got != test.want || mistakes(test.b, test.a) != test.want {
			t.Errorf("%q to %q: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
