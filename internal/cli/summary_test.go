package cli

import (
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
)

func TestSummary(t *testing.T) {
	for _, test := range []struct {
		name    string
		account account
		want    string
	}{
		{"nothing", account{}, "seen 0, delivered 0, lost 0, missed 0, filtered 0 in 0s"},
		{
			"balanced",
			account{
				kernel:    kernel.Stats{Seen: 100, Lost: 10, Filtered: 20, Missed: 3},
				delivered: 60, filtered: 10, final: true, elapsed: 1234567 * time.Microsecond,
			},
			"seen 100, delivered 60, lost 10, missed 3, filtered 30 in 1.235s",
		},
		{
			"limit",
			account{kernel: kernel.Stats{Seen: 9}, delivered: 5, beyond: 4, final: true},
			"seen 9, delivered 5, lost 0, missed 0, filtered 0, after the limit 4 in 0s",
		},
		{
			"given up",
			account{kernel: kernel.Stats{Seen: 9, Lost: 1, Filtered: 1}, delivered: 2, filtered: 1, beyond: 1, final: true},
			"seen 9, delivered 2, lost 1, missed 0, filtered 2, after the limit 1, not delivered 3 in 0s",
		},
		{
			"still reading",
			account{kernel: kernel.Stats{Seen: 9}, delivered: 2},
			"seen 9, delivered 2, lost 0, missed 0, filtered 0, under way 7 in 0s",
		},
		{
			"counters were read before the output took more",
			account{kernel: kernel.Stats{Seen: 1}, delivered: 2},
			"seen 1, delivered 2, lost 0, missed 0, filtered 0 in 0s",
		},
		{
			"no memory for sockets",
			account{kernel: kernel.Stats{Seen: 2, Untracked: 2}, delivered: 2, final: true},
			"seen 2, delivered 2, lost 0, missed 0, filtered 0, untracked 2 in 0s",
		},
	} {
		if got := test.account.String(); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}
