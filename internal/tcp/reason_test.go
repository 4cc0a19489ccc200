package tcp

import (
	"strings"
	"testing"
)

func TestReasonNumbersAreTheKernelSides(t *testing.T) {
	constants := readEnum(t, "../../bpf/record.h", "enum reason {")
	checkEnum(t, constants, func(number uint8) string {
		switch name := Reason(number).String(); {
		case Reason(number) == ReasonNone:
			return "REASON_NONE"
		case name == "":
			return ""
		default:
			return "REASON_" + strings.ToUpper(name)
		}
	})
}

func TestReasonNames(t *testing.T) {
	tests := []struct {
		reason       Reason
		name, phrase string
	}{
		{ReasonNone, "", ""},
		{ReasonFinLocal, "fin_local", "FIN by us"},
		{ReasonFinRemote, "fin_remote", "FIN by peer"},
		{ReasonResetReceived, "reset_received", "reset received"},
		{ReasonResetSent, "reset_sent", "reset sent"},
		{ReasonAbortUnread, "abort_unread", "reset: unread data"},
		{ReasonTimeout, "timeout", "timed out"},
		{ReasonRefused, "refused", "refused"},
		{ReasonUnreachable, "unreachable", "unreachable"},
		{ReasonProcessExit, "process_exit", "process exit"},
		{ReasonKilled, "killed", "killed"},
		{ReasonAbandoned, "abandoned", "abandoned"},
		{ReasonListenerClosed, "listener_closed", "listener closed"},
		{ReasonListenerClosed + 1, "", ""},
		{255, "", ""},
	}
	for _, test := range tests {
		if got := test.reason.String(); got != test.name {
			t.Errorf("Reason(%d).String() = %q, want %q", uint8(test.reason), got, test.name)
		}
		if got := test.reason.Phrase(); got != test.phrase {
			t.Errorf("Reason(%d).Phrase() = %q, want %q", uint8(test.reason), got, test.phrase)
		}
	}
}

func TestReasonNamesAreDistinct(t *testing.T) {
	names, phrases := map[string]bool{}, map[string]bool{}
	for reason := ReasonFinLocal; reason <= ReasonListenerClosed; reason++ {
		name, phrase := reason.String(), reason.Phrase()
		if name == "" || phrase == "" || names[name] || phrases[phrase] {
			t.Errorf("Reason(%d): %q, %q: empty or used twice", uint8(reason), name, phrase)
		}
		names[name], phrases[phrase] = true, true
	}
}
