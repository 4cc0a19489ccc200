package kernel

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	ringSize = int(unsafe.Sizeof(bpfRing{}))
	slotSize = int(unsafe.Sizeof(bpfSlot{}))

	// defaultRingBytes is what the rings of all CPUs take together: at 300,000 transitions a second on each of two
	// CPUs it holds what comes in a tenth of a second, ten times the poll interval.
	defaultRingBytes = 16 << 20
	// minSlots is the least a ring has, however many CPUs share the memory: a poll interval at 200,000 transitions a
	// second on one CPU, in 300 kB.
	minSlots = 2048
)

// slotsFor returns how many slots each of cpus rings gets of the given memory: a power of two.
func slotsFor(bytes, cpus int) int {
	n := max(bytes/cpus/slotSize, minSlots)
	return 1 << (bits.Len(uint(n)) - 1)
}

// shape gives the map of the rings its size, and tells the programs.
func shape(spec *ebpf.CollectionSpec, v *bpfVariableSpecs, bytes int, orderedStores bool) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count CPUs: %w", err)
	}
	if bytes == 0 {
		bytes = defaultRingBytes
	}
	slots := slotsFor(bytes, cpus)
	rings := spec.Maps[bpfMapRings]
	rings.MaxEntries = uint32(cpus)
	rings.ValueSize = uint32(ringSize + slots*slotSize)
	rings.Value = nil
	spec.Maps[bpfMapDoorbell].MaxEntries = uint32(unix.Getpagesize())
	return errors.Join(v.SlotMask.Set(uint64(slots-1)), v.OrderedStores.Set(orderedStores))
}

// rings are the per-CPU rings of bpf/ring.h, mapped. They are for one goroutine.
type rings struct {
	memory  []byte
	cursors []cursor
	mask    uint64
}

// cursor is the reading end of one ring.
type cursor struct {
	ring  *bpfRing
	slots []bpfSlot
	next  uint64 // number of the record to read next, counted like bpfRing.Reserved
	time  uint64 // of that record, or noRecord
}

// noRecord is later than any time stamp.
const noRecord = math.MaxUint64

func openRings(m *ebpf.Map) (*rings, error) {
	slots := (int(m.ValueSize()) - ringSize) / slotSize
	memory, err := unix.Mmap(m.FD(), 0, int(m.ValueSize())*int(m.MaxEntries()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map rings: %w", err)
	}
	r := &rings{memory: memory, mask: uint64(slots - 1)}
	for cpu := range int(m.MaxEntries()) {
		base := unsafe.Pointer(&memory[cpu*int(m.ValueSize())])
		r.cursors = append(r.cursors, cursor{
			ring:  (*bpfRing)(base),
			slots: unsafe.Slice((*bpfSlot)(unsafe.Add(base, ringSize)), slots),
			time:  noRecord,
		})
	}
	return r, nil
}

func (r *rings) close() error {
	if r.memory == nil {
		return nil
	}
	memory := r.memory
	r.memory, r.cursors = nil, nil
	return unix.Munmap(memory)
}

// look finds out which rings have a record, and says whether any has.
func (r *rings) look() bool {
	found := false
	for i := range r.cursors {
		c := &r.cursors[i]
		c.look(r.mask)
		found = found || c.time != noRecord
	}
	return found
}

// earliest returns the ring whose next record is the oldest, as of the last look; nil when there is none. Few CPUs
// have records at a time and their times lie side by side, so a scan beats a heap.
func (r *rings) earliest() *cursor {
	var first *cursor
	least := uint64(noRecord)
	for i := range r.cursors {
		if c := &r.cursors[i]; c.time < least {
			first, least = c, c.time
		}
	}
	return first
}

// release gives the slots that were read back to the programs.
func (r *rings) release() {
	for i := range r.cursors {
		c := &r.cursors[i]
		atomic.StoreUint64(&c.ring.Consumed, c.next)
	}
}

// look loads the time of the next record, if its program has committed it.
func (c *cursor) look(mask uint64) {
	slot := &c.slots[c.next&mask]
	if atomic.LoadUint64(&slot.Commit) != c.next+1 {
		c.time = noRecord
		return
	}
	c.time = slot.Record.Head.TimeNs
}

// record returns the record that look found. It is valid until release.
func (c *cursor) record(mask uint64) *bpfClosingRecord { return &c.slots[c.next&mask].Record }
