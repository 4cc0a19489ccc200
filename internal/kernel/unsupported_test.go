package kernel

import (
	"errors"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

func TestReleases(t *testing.T) {
	tests := []struct {
		release          string
		old, preemptible bool
	}{
		{"5.10.0-46-cloud-amd64", true, false},
		{"4.19", true, false},
		{"5.12.0", false, false},
		{"6.18.44-fc-v595", false, false},
		{"7.0.13", false, true},
		{"10.1", false, true},
		{"", false, false},
		{"custom", false, false},
	}
	for _, test := range tests {
		if got := isTooOld(test.release); got != test.old {
			t.Errorf("%q too old: %v", test.release, got)
		}
		if got := isPreemptible(test.release); got != test.preemptible {
			t.Errorf("%q preemptible: %v", test.release, got)
		}
	}
}

func TestExplain(t *testing.T) {
	tests := []struct {
		err  error
		want string // "" is not the kernel's refusal
	}{
		{unix.EPERM, "bpf()"},
		{unix.EACCES, "bpf()"},
		{unix.ENOSYS, "allow the bpf system call"},
		{&ebpf.VerifierError{Cause: unix.EINVAL, Log: []string{"unknown func"}}, "rejects a program"},
		{ebpf.ErrNotSupported, "lacks a feature"},
		{unix.ENOMEM, ""},
	}
	for _, test := range tests {
		var unsupported *UnsupportedError
		got := explain("load", test.err)
		if is := errors.As(got, &unsupported); is != (test.want != "") {
			t.Errorf("%v: %v", test.err, got)
		}
		if !strings.Contains(got.Error(), test.want) || strings.Contains(got.Error(), "\n") || !errors.Is(got, test.err) {
			t.Errorf("%v: %q, want one line with %q", test.err, got, test.want)
		}
	}
}
