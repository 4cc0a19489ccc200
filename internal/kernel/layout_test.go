package kernel

import (
	"math"
	"math/bits"
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// The offsets that the compiler gave to C, from the objects' BTF, against those that Go gives to the mirrored types.
func TestLayoutAgreesWithC(t *testing.T) {
	checkLayouts(t, loadBpf, map[string]reflect.Type{
		"record":         reflect.TypeFor[bpfRecord](),
		"closing_record": reflect.TypeFor[bpfClosingRecord](),
		"slot":           reflect.TypeFor[bpfSlot](),
		"ring":           reflect.TypeFor[bpfRing](),
		"counters":       reflect.TypeFor[bpfCounters](),
		"cell":           reflect.TypeFor[bpfCell](),
		"durations":      reflect.TypeFor[bpfDurations](),
		"stack":          reflect.TypeFor[bpfStack](),
		"new_program":    reflect.TypeFor[bpfNewProgram](),
		"subflow":        reflect.TypeFor[bpfSubflow](),
	})
	checkLayouts(t, loadSnapshot, map[string]reflect.Type{
		"socket_row":    reflect.TypeFor[snapshotSocketRow](),
		"full_row":      reflect.TypeFor[snapshotFullRow](),
		"holder_row":    reflect.TypeFor[snapshotHolderRow](),
		"namespace_row": reflect.TypeFor[snapshotNamespaceRow](),
		"entry":         reflect.TypeFor[snapshotEntry](),
	})
}

func checkLayouts(t *testing.T, load func() (*ebpf.CollectionSpec, error), mirrors map[string]reflect.Type) {
	t.Helper()
	spec, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for name, mirror := range mirrors {
		var c *btf.Struct
		if err := spec.Types.TypeByName(name, &c); err != nil {
			t.Errorf("struct %s: %v", name, err)
			continue
		}
		if uintptr(c.Size) != mirror.Size() {
			t.Errorf("struct %s: %d bytes in C, %d in Go", name, c.Size, mirror.Size())
		}
		for _, member := range c.Members {
			field, ok := mirror.FieldByName(goName(member.Name))
			if !ok || field.Offset != uintptr(member.Offset.Bytes()) {
				t.Errorf("struct %s: %s is at %d in C, at %d in Go (%v)", name, member.Name, member.Offset.Bytes(), field.Offset, ok)
			}
			if size, err := btf.Sizeof(member.Type); err != nil || uintptr(size) != field.Type.Size() {
				t.Errorf("struct %s: %s has %d bytes in C, %d in Go (%v)", name, member.Name, size, field.Type.Size(), err)
			}
		}
	}
}

func goName(c string) string {
	var name strings.Builder
	for word := range strings.SplitSeq(c, "_") {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

// Both objects work on the same entries.
func TestObjectsAgreeOnEntries(t *testing.T) {
	if reflect.TypeFor[bpfEntry]().Size() != reflect.TypeFor[snapshotEntry]().Size() {
		t.Fatal("two sizes of struct entry")
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[bpfEntry]()) {
		other, ok := reflect.TypeFor[snapshotEntry]().FieldByName(field.Name)
		if !ok || other.Offset != field.Offset || other.Type.Size() != field.Type.Size() {
			t.Errorf("struct entry: %s is not the same in both objects", field.Name)
		}
	}
}

// What the parser goes by: every row has its kind first, and keeps the next one aligned.
func TestRowsFollowEachOther(t *testing.T) {
	for _, row := range []reflect.Type{
		reflect.TypeFor[snapshotFullRow](), reflect.TypeFor[snapshotSocketRow](),
		reflect.TypeFor[snapshotHolderRow](), reflect.TypeFor[snapshotNamespaceRow](),
	} {
		if row.Size()%rowAlign != 0 || row.Align() > rowAlign {
			t.Errorf("%v: %d bytes aligned to %d", row, row.Size(), row.Align())
		}
		first := row
		if head, ok := row.FieldByName("Head"); ok && head.Offset == 0 {
			first = head.Type
		}
		if kind, ok := first.FieldByName("Kind"); !ok || kind.Offset != 0 || kind.Type.Size() != 1 {
			t.Errorf("%v does not begin with its kind", row)
		}
	}
}

// The words of the domain have the numbers of the enums in C.
func TestEnumsAgreeWithC(t *testing.T) {
	checkEnum(t, loadBpf, "evidence", "EVIDENCE_", func(n uint64) string { return tcp.Evidence(n).String() })
	checkEnum(t, loadBpf, "reason", "REASON_", func(n uint64) string { return tcp.Reason(n).String() })
	checkEnum(t, loadSnapshot, "row_timer", "ROW_TIMER_", func(n uint64) string { return tcp.TimerKind(n).String() })
	checkEnum(t, loadSnapshot, "row_kind", "ROW_", func(n uint64) string {
		names := map[int]string{fullRowSize: "full", holderRowSize: "holder", namespaceRowSize: "namespace"}
		if n == uint64(snapshotRowKindROW_REQUEST) {
			return tcp.Request.String()
		}
		if size := rowSize(byte(n)); size != socketRowSize {
			return names[size]
		}
		return tcp.Minisock.String()
	})
}

// checkEnum compares all values of an enum, and sees that the domain has no word beyond them.
func checkEnum(t *testing.T, load func() (*ebpf.CollectionSpec, error), enum, prefix string, name func(uint64) string) {
	t.Helper()
	c := mustEnum(t, load, enum)
	most := uint64(0)
	for _, value := range c.Values {
		word := strings.ToLower(strings.TrimPrefix(value.Name, prefix))
		if word == "none" {
			word = ""
		}
		if got := name(value.Value); got != word {
			t.Errorf("%s is %q in Go", value.Name, got)
		}
		most = max(most, value.Value)
	}
	if got := name(most + 1); got != "" {
		t.Errorf("%q in Go is none of enum %s", got, enum)
	}
}

func mustEnum(t *testing.T, load func() (*ebpf.CollectionSpec, error), enum string) *btf.Enum {
	t.Helper()
	spec, err := load()
	if err != nil {
		t.Fatal(err)
	}
	var c *btf.Enum
	if err := spec.Types.TypeByName(enum, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Enums without words: bits that fit their field, and every way to a namespace.
func TestFlagsAndWaysAgreeWithC(t *testing.T) {
	var all uint64
	for _, flag := range mustEnum(t, loadSnapshot, "row_flags").Values {
		if bits.OnesCount64(flag.Value) != 1 || flag.Value > math.MaxUint8 || all&flag.Value != 0 {
			t.Errorf("%s is %#x", flag.Name, flag.Value)
		}
		all |= flag.Value
	}
	known := snapshotRowFlagsROW_ORPHAN | snapshotRowFlagsROW_UNACCEPTED | snapshotRowFlagsROW_CONNECTED | snapshotRowFlagsROW_AUTOBOUND
	if all != uint64(known) {
		t.Errorf("flags %#x in C, %#x in Go", all, known)
	}
	ways := map[string]snapshotNamespaceWay{
		"BY_TASK": snapshotNamespaceWayBY_TASK, "BY_FILE": snapshotNamespaceWayBY_FILE, "BY_SOCKET": snapshotNamespaceWayBY_SOCKET,
	}
	for _, value := range mustEnum(t, loadSnapshot, "namespace_way").Values {
		if way, ok := ways[value.Name]; !ok || uint64(way) != value.Value {
			t.Errorf("%s is %d in C, %d in Go (%v)", value.Name, value.Value, way, ok)
		}
		delete(ways, value.Name)
	}
	if len(ways) != 0 {
		t.Errorf("ways that C has not: %v", ways)
	}
}
