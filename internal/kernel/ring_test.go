package kernel

import (
	"math/bits"
	"slices"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestSlotsFor(t *testing.T) {
	tests := []struct{ bytes, cpus, want int }{
		{defaultRingBytes, 1, 65536},
		{defaultRingBytes, 2, 32768},
		{defaultRingBytes, 3, 32768},
		{defaultRingBytes, 16, 4096},
		{defaultRingBytes, 128, minSlots},
		{64 << 10, 64, minSlots},
		{1, 8192, minSlots},
	}
	for _, test := range tests {
		got := slotsFor(test.bytes, test.cpus)
		if got != test.want || bits.OnesCount(uint(got)) != 1 {
			t.Errorf("%d bytes over %d CPUs: %d slots, want %d", test.bytes, test.cpus, got, test.want)
		}
		if got > minSlots && got*slotSize*test.cpus > test.bytes {
			t.Errorf("%d bytes over %d CPUs: %d slots take more", test.bytes, test.cpus, got)
		}
	}
}

// fakeRings plays the programs' side in ordinary memory.
func fakeRings(cpus, slots int) *rings {
	r := &rings{mask: uint64(slots - 1)}
	for range cpus {
		r.cursors = append(r.cursors, cursor{ring: &bpfRing{}, slots: make([]bpfSlot, slots), time: noRecord})
	}
	return r
}

// put writes a record as reserve() and commit() of bpf/ring.h do, and says whether there was room.
func (r *rings) put(cpu int, time uint64, committed bool) bool {
	c := &r.cursors[cpu]
	if c.ring.Reserved-c.ring.Consumed > r.mask {
		return false
	}
	slot := &c.slots[c.ring.Reserved&r.mask]
	head := &slot.Record.Head
	head.TimeNs, head.Old, head.New = time, uint8(tcp.Established), uint8(tcp.CloseWait)
	c.ring.Reserved++
	if committed {
		slot.Commit = c.ring.Reserved
	}
	return true
}

// take reads everything that is no younger than horizon, as drain does.
func (r *rings) take(horizon uint64) []uint64 {
	var times []uint64
	r.look()
	for {
		c := r.earliest()
		if c == nil || c.time > horizon {
			break
		}
		times = append(times, c.record(r.mask).Head.TimeNs)
		c.next++
		c.look(r.mask)
	}
	r.release()
	return times
}

func TestRingsMergeByTime(t *testing.T) {
	r := fakeRings(3, 8)
	for _, p := range []struct {
		cpu  int
		time uint64
	}{{0, 10}, {0, 40}, {2, 20}, {2, 30}, {0, 50}, {1, 5}} {
		r.put(p.cpu, p.time, true)
	}
	if got, want := r.take(35), []uint64{5, 10, 20, 30}; !slices.Equal(got, want) {
		t.Errorf("up to 35: %v, want %v", got, want)
	}
	if got, want := r.take(noRecord), []uint64{40, 50}; !slices.Equal(got, want) {
		t.Errorf("the rest: %v, want %v", got, want)
	}
	if got := r.take(noRecord); len(got) != 0 {
		t.Errorf("read again: %v", got)
	}
}

func TestRingStopsAtWhatIsNotCommitted(t *testing.T) {
	r := fakeRings(1, 8)
	r.put(0, 1, true)
	r.put(0, 2, false) // interrupted by the next
	r.put(0, 3, true)
	if got, want := r.take(noRecord), []uint64{1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	r.cursors[0].slots[1].Commit = 2
	if got, want := r.take(noRecord), []uint64{2, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRingWrapsAndFills(t *testing.T) {
	const slots = 8
	r := fakeRings(1, slots)
	next := uint64(1)
	for round := range 100 {
		put := 0
		for r.put(0, next, true) {
			next++
			put++
		}
		if put != slots {
			t.Fatalf("round %d: room for %d, want %d", round, put, slots)
		}
		got := r.take(noRecord)
		if len(got) != slots || got[slots-1] != next-1 {
			t.Fatalf("round %d: got %v", round, got)
		}
	}
}

func TestMergeAllocatesNothing(t *testing.T) {
	r := fakeRings(4, 1024)
	var e tcp.Event
	n := testing.AllocsPerRun(100, func() {
		for i := range 16 {
			r.put(i%4, uint64(i), true)
		}
		r.look()
		for c := r.earliest(); c != nil; c = r.earliest() {
			_ = decode(c.record(r.mask), &e)
			c.next++
			c.look(r.mask)
		}
		r.release()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMerge(b *testing.B) {
	r := fakeRings(2, 1024)
	var e tcp.Event
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		r.put(int(i&1), i, true)
		if i&511 != 511 {
			continue
		}
		r.look()
		for c := r.earliest(); c != nil; c = r.earliest() {
			_ = decode(c.record(r.mask), &e)
			c.next++
			c.look(r.mask)
		}
		r.release()
	}
}
