package output

import (
	"syscall"
	"testing"
)

// TestErrnoNames compares with the numbers of the machine that tests, which uses the generic ones.
func TestErrnoNames(t *testing.T) {
	for _, test := range []struct {
		errno syscall.Errno
		want  string
	}{
		{syscall.EPERM, "EPERM"},
		{syscall.EAGAIN, "EAGAIN"},
		{syscall.ENOMEM, "ENOMEM"},
		{syscall.EACCES, "EACCES"},
		{syscall.EINVAL, "EINVAL"},
		{syscall.EPIPE, "EPIPE"},
		{syscall.ENONET, "ENONET"},
		{syscall.EPROTO, "EPROTO"},
		{syscall.EBADMSG, "EBADMSG"},
		{syscall.EMSGSIZE, "EMSGSIZE"},
		{syscall.ENOPROTOOPT, "ENOPROTOOPT"},
		{syscall.EOPNOTSUPP, "EOPNOTSUPP"},
		{syscall.EADDRINUSE, "EADDRINUSE"},
		{syscall.EADDRNOTAVAIL, "EADDRNOTAVAIL"},
		{syscall.ENETDOWN, "ENETDOWN"},
		{syscall.ENETUNREACH, "ENETUNREACH"},
		{syscall.ENETRESET, "ENETRESET"},
		{syscall.ECONNABORTED, "ECONNABORTED"},
		{syscall.ECONNRESET, "ECONNRESET"},
		{syscall.ENOBUFS, "ENOBUFS"},
		{syscall.ENOTCONN, "ENOTCONN"},
		{syscall.ETIMEDOUT, "ETIMEDOUT"},
		{syscall.ECONNREFUSED, "ECONNREFUSED"},
		{syscall.EHOSTDOWN, "EHOSTDOWN"},
		{syscall.EHOSTUNREACH, "EHOSTUNREACH"},
		{syscall.ECANCELED, "ECANCELED"},
		{0, "E0"},
		{2, "E2"},
		{126, "E126"},
		{65535, "E65535"},
	} {
		if got := string(appendErrno(nil, uint16(test.errno))); got != test.want {
			t.Errorf("%d is %q, want %q", test.errno, got, test.want)
		}
	}
}
