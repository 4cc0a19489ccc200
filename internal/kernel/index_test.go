package kernel

import (
	"math/rand/v2"
	"testing"
)

// The index against a map, with the keys that there are: cookies, addresses, and both for two kinds of socket.
func TestIndexIsAMap(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		var list []extra
		x := newIndex([]int{0, 1, 1000, 100_000}[random.IntN(4)])
		places := map[identity]uint32{}
		for range 5000 {
			id := randomIdentity(random)
			want, known := places[id]
			if got := x.find(list, id); known && got != want || !known && got != nowhere {
				t.Fatalf("seed %d: %v is at %d, want %d (%v)", seed, id, got, want, known)
			}
			if random.IntN(3) == 0 {
				continue
			}
			at, claimed := x.claim(list, id)
			if claimed != known || known && at != want || !known && at != uint32(len(list)) {
				t.Fatalf("seed %d: claimed %d for %v (%v), want %d (%v)", seed, at, id, claimed, want, known)
			}
			if !known {
				places[id] = at
				list = append(list, extra{id: id})
			}
		}
		for id, at := range places {
			if x.find(list, id) != at {
				t.Fatalf("seed %d: %v was lost", seed, id)
			}
		}
		if 2*x.used > len(x.places) || x.used != len(list) {
			t.Errorf("seed %d: %d of %d places in use, for %d sockets", seed, x.used, len(x.places), len(list))
		}
	}
}

func randomIdentity(random *rand.Rand) identity {
	id := identity{bare: random.IntN(2) == 0}
	switch n := random.Uint64N(2000); random.IntN(4) {
	case 0: // cookies of two CPUs, each in a row
		id.key = n
	case 1:
		id.key = 1<<40 + n
	case 2: // addresses
		id.key = 0xffff_8880_0000_0000 + n*1216
	case 3:
		id.key = 0xffff_8880_0000_0000 + n<<12
	}
	return id
}

// Cookie 0 with address 0 is no socket, and finding it must end.
func TestIndexEmpty(t *testing.T) {
	x := newIndex(0)
	if at := x.find(nil, identity{}); at != nowhere {
		t.Errorf("found at %d", at)
	}
}

func TestIdentity(t *testing.T) {
	row := snapshotSocketRow{Kind: uint8(snapshotRowKindROW_FULL), Cookie: 5, Address: 7}
	minisock := row
	minisock.Kind = uint8(snapshotRowKindROW_MINISOCK)
	request := row
	request.Kind, request.Cookie = uint8(snapshotRowKindROW_REQUEST), 0
	for _, test := range []struct {
		row  snapshotSocketRow
		want identity
	}{{row, identity{5, false}}, {minisock, identity{5, true}}, {request, identity{7, true}}} {
		if got := identityOf(&test.row); got != test.want {
			t.Errorf("%+v, want %+v", got, test.want)
		}
	}
}

func BenchmarkIndexClaim(b *testing.B) {
	const n = 100_000
	list := make([]extra, 0, n)
	b.ReportAllocs()
	for b.Loop() {
		list = list[:0]
		x := newIndex(n)
		for i := range uint64(n) {
			x.claim(list, identity{key: i})
			list = append(list, extra{id: identity{key: i}})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/socket")
}
