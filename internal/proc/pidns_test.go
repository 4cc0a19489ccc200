package proc

import (
	"os"
	"path/filepath"
	"testing"
)

func TestIsHostPIDNS(t *testing.T) {
	tests := []struct {
		link string
		want bool
	}{
		{hostPIDNS, true},
		{"pid:[4026532178]", false},
		{"", true},
	}
	for _, test := range tests {
		root := t.TempDir()
		if test.link != "" {
			ns := filepath.Join(root, "self", "ns")
			if err := os.MkdirAll(ns, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(test.link, filepath.Join(ns, "pid")); err != nil {
				t.Fatal(err)
			}
		}
		if got := (FS{Root: root}).IsHostPIDNS(); got != test.want {
			t.Errorf("%q: %v", test.link, got)
		}
	}
}
