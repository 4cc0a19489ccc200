package kernel

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// The offsets that the compiler gave to C, from the object's BTF, against those that Go gives to the mirrored types.
func TestLayoutAgreesWithC(t *testing.T) {
	spec, err := loadBpf()
	if err != nil {
		t.Fatal(err)
	}
	mirrors := map[string]reflect.Type{
		"record":         reflect.TypeFor[bpfRecord](),
		"closing_record": reflect.TypeFor[bpfClosingRecord](),
		"slot":           reflect.TypeFor[bpfSlot](),
		"ring":           reflect.TypeFor[bpfRing](),
		"counters":       reflect.TypeFor[bpfCounters](),
		"subflow":        reflect.TypeFor[bpfSubflow](),
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

// The words of the domain have the numbers of the enums in C.
func TestEnumsAgreeWithC(t *testing.T) {
	spec, err := loadBpf()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]func(uint64) string{
		"evidence": func(n uint64) string { return tcp.Evidence(n).String() },
		"reason":   func(n uint64) string { return tcp.Reason(n).String() },
	}
	for enum, name := range names {
		var c *btf.Enum
		if err := spec.Types.TypeByName(enum, &c); err != nil {
			t.Fatal(err)
		}
		for _, value := range c.Values {
			word := strings.ToLower(strings.TrimPrefix(value.Name, strings.ToUpper(enum)+"_"))
			if word == "none" {
				word = ""
			}
			if got := name(value.Value); got != word {
				t.Errorf("%s is %q in Go", value.Name, got)
			}
		}
	}
}
