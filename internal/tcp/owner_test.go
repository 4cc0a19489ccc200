package tcp

import (
	"strings"
	"testing"
)

func TestEvidenceNumbersAreTheKernelSides(t *testing.T) {
	constants := readEnum(t, "../../bpf/record.h", "enum evidence {")
	checkEnum(t, constants, func(number uint8) string {
		switch name := Evidence(number).String(); {
		case Evidence(number) == EvidenceNone:
			return "EVIDENCE_NONE"
		case name == "":
			return ""
		default:
			return "EVIDENCE_" + strings.ToUpper(name)
		}
	})
}

func TestEvidenceString(t *testing.T) {
	for evidence, want := range map[Evidence]string{
		EvidenceNone: "", EvidenceConnect: "connect", EvidenceListen: "listen", EvidenceAccept: "accept",
		EvidenceClose: "close", EvidenceFD: "fd", EvidenceFD + 1: "", 255: "",
	} {
		if got := evidence.String(); got != want {
			t.Errorf("Evidence(%d).String() = %q, want %q", uint8(evidence), got, want)
		}
	}
}
