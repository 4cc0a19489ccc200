package tcp

import (
	"strings"
	"testing"
)

func TestStateNumbersAreTheKernels(t *testing.T) {
	constants := readEnum(t, "../../bpf/kernel.h", "/* include/net/tcp_states.h */\nenum {")
	for number, constant := range constants {
		if constant == "TCP_STATES" {
			delete(constants, number)
		}
	}
	if len(constants) != States {
		t.Errorf("States = %d, bpf/kernel.h has %d", States, len(constants))
	}
	checkEnum(t, constants, func(number uint8) string {
		if !State(number).Valid() {
			return ""
		}
		return "TCP_" + State(number).String()
	})
}

func TestInvalidStates(t *testing.T) {
	for _, s := range []State{0, States + 1, 16, 255} {
		if s.Valid() {
			t.Errorf("State(%d) is valid", uint8(s))
		}
		if got := s.String(); got != "UNKNOWN" {
			t.Errorf("State(%d).String() = %q, want UNKNOWN", uint8(s), got)
		}
	}
}

func TestStateSet(t *testing.T) {
	set := SetOf(Established, NewSynRecv)
	for number := range 256 {
		s := State(number)
		if got, want := set.Has(s), s == Established || s == NewSynRecv; got != want {
			t.Errorf("Has(%d) = %t, want %t", number, got, want)
		}
	}
	if SetOf() != 0 {
		t.Error("SetOf() is not empty")
	}
}

// TestParseStatesSpellings tries every state in the ways that people write names.
func TestParseStatesSpellings(t *testing.T) {
	spell := map[string]func(kernel string) string{
		"CLOSE_WAIT":     func(kernel string) string { return kernel },
		"close_wait":     strings.ToLower,
		"close-wait":     func(kernel string) string { return dashed(strings.ToLower(kernel)) },
		"CLOSE-WAIT":     dashed,
		"closewait":      func(kernel string) string { return strings.ToLower(camel(kernel)) },
		"CLOSEWAIT":      func(kernel string) string { return strings.ToUpper(camel(kernel)) },
		"CloseWait":      camel,
		"TCP_CLOSE_WAIT": func(kernel string) string { return "TCP_" + kernel },
		"tcp-close-wait": func(kernel string) string { return "tcp-" + dashed(strings.ToLower(kernel)) },
		"FIN_WAIT_2":     func(kernel string) string { return strings.Replace(kernel, "WAIT", "WAIT_", 1) },
	}
	for s := Established; s <= NewSynRecv; s++ {
		for style, spelled := range spell {
			word := spelled(s.String())
			if got, err := ParseStates(word); err != nil || got != SetOf(s) {
				t.Errorf("style %s: ParseStates(%q) = %s, %v, want %s", style, word, names(got), err, s)
			}
		}
	}
}

func dashed(kernel string) string { return strings.ReplaceAll(kernel, "_", "-") }

func camel(kernel string) string {
	var word strings.Builder
	for part := range strings.SplitSeq(strings.ToLower(kernel), "_") {
		word.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return word.String()
}

// TestParseStatesWords has the words of ss that are not the kernel's names: what its scan_state() accepts, what its
// manual page calls a group, what it prints; and those of the RFC.
func TestParseStatesWords(t *testing.T) {
	tests := []struct {
		words string
		want  StateSet
	}{
		{"established estab ESTAB", SetOf(Established)},
		{"syn-recv syn-rcv SYN-RECEIVED SYN-RCVD", SetOf(SynRecv)},
		{"fin-wait-1 FIN_WAIT1 FinWait1 FIN-WAIT-1", SetOf(FinWait1)},
		{"fin-wait-2 FIN_WAIT2 finwait2 FIN-WAIT-2", SetOf(FinWait2)},
		{"closed close unconnected UNCONN CLOSED", SetOf(Close)},
		{"listening listen LISTEN", SetOf(Listen)},
		{"all ALL", 0b1_1111_1111_1110},
		{"connected", SetOf(Established, SynSent, SynRecv, FinWait1, FinWait2, TimeWait, CloseWait, LastAck, Closing,
			NewSynRecv)},
		{"synchronized", SetOf(Established, SynRecv, FinWait1, FinWait2, TimeWait, CloseWait, LastAck, Closing,
			NewSynRecv)},
		// The kernel shows request sockets (NEW_SYN_RECV) to ss as SYN_RECV: tcp_diag_dump(), net/ipv4/tcp_diag.c.
		{"bucket", SetOf(SynRecv, TimeWait, NewSynRecv)},
		{"big Big BIG", SetOf(Established, SynSent, FinWait1, FinWait2, Close, CloseWait, LastAck, Listen, Closing)},
	}
	for _, test := range tests {
		for word := range strings.FieldsSeq(test.words) {
			if got, err := ParseStates(word); err != nil || got != test.want {
				t.Errorf("ParseStates(%q) = %s, %v, want %s", word, names(got), err, names(test.want))
			}
		}
	}
}

func TestParseStatesRefusals(t *testing.T) {
	words := []string{
		"", "-", "_", "tcp", "TCP_", "bogus", "7", "close wait", " close-wait", "close-wait ", "close-wait,time-wait",
		"fin-wait", "fin-wait-3", "wait", "UNKNOWN", "unknown", "bound-inactive", "tcptcpclose", "estab\x00", "fermé",
	}
	for _, word := range words {
		set, err := ParseStates(word)
		if err == nil || set != 0 {
			t.Errorf("ParseStates(%q) = %s, %v, want a refusal", word, names(set), err)
			continue
		}
		for s := Established; s <= NewSynRecv; s++ {
			if !strings.Contains(err.Error(), s.String()) {
				t.Errorf("ParseStates(%q): %v: does not name %s", word, err, s)
			}
		}
		for _, group := range []string{"all", "connected", "synchronized", "bucket", "big"} {
			if !strings.Contains(err.Error(), group) {
				t.Errorf("ParseStates(%q): %v: does not name %s", word, err, group)
			}
		}
	}
}

func TestParseStatesRefusalEscapes(t *testing.T) {
	_, err := ParseStates("\x1b[31m\n")
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\n") {
		t.Errorf("%v: control characters get through", err)
	}
}

func FuzzParseStates(f *testing.F) {
	for _, seed := range []string{
		"CLOSE_WAIT", "close-wait", "TCP_CLOSE_WAIT", "fin-wait-2", "all", "big", "", "-", "tcp", "LAST_AC\u212a", "ſyn-ſent", "\xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		set, err := ParseStates(word)
		if err != nil {
			if set != 0 {
				t.Fatalf("%q: refused, and yet %s", word, names(set))
			}
			return
		}
		if set == 0 || set&^0b1_1111_1111_1110 != 0 {
			t.Fatalf("%q: %#b is no set of states", word, set)
		}
		for _, same := range []string{
			strings.ToLower(word), strings.ToUpper(word), strings.ReplaceAll(word, "-", "_"), strings.ReplaceAll(word, "_", ""),
		} {
			if got, err := ParseStates(same); err != nil || got != set {
				t.Fatalf("%q is %s, but %q is %s, %v", word, names(set), same, names(got), err)
			}
		}
	})
}

func names(set StateSet) string {
	var all []string
	for s := Established; s <= NewSynRecv; s++ {
		if set.Has(s) {
			all = append(all, s.String())
		}
	}
	return "{" + strings.Join(all, ",") + "}"
}
