package proc

import (
	"testing"
)

func TestInterface(t *testing.T) {
	tests := []struct {
		arg     string
		want    uint32
		refusal string
	}{
		{"lo", 1, ""},
		{"1", 1, ""},
		{"2147483647", 2147483647, ""},
		{"0", 0, "from 1 to 2147483647, or a name"},
		{"2147483648", 0, "from 1 to 2147483647"},
		{"-1", 0, "no such interface"},
		{"", 0, "no such interface"},
		{"no\x1b[31m\n", 0, `"no\x1b[31m\n": no such interface in this network namespace|ip link|give the index`},
	}
	for _, test := range tests {
		got, err := FS{}.Interface(test.arg)
		if test.refusal != "" {
			checkRefusal(t, err, test.refusal)
		} else if err != nil || got != test.want {
			t.Errorf("Interface(%q) = %d, %v, want %d", test.arg, got, err, test.want)
		}
	}
}

func TestUser(t *testing.T) {
	tests := []struct {
		arg     string
		want    uint32
		refusal string
	}{
		{"root", 0, ""},
		{"0", 0, ""},
		{"1000", 1000, ""},
		{"4294967294", 4294967294, ""},
		{"4294967295", 0, "from 0 to 4294967294, or a name"},
		{"99999999999", 0, "from 0 to 4294967294"},
		{"-1", 0, "no such user"},
		{"", 0, "no such user"},
		{"root:", 0, "no such user"},
		{"no\x1b[31m\n", 0, `"no\x1b[31m\n": no such user in /etc/passwd: give the number that id -u prints`},
	}
	for _, test := range tests {
		got, err := FS{}.User(test.arg)
		if test.refusal != "" {
			checkRefusal(t, err, test.refusal)
		} else if err != nil || got != test.want {
			t.Errorf("User(%q) = %d, %v, want %d", test.arg, got, err, test.want)
		}
	}
}
