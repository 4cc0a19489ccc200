package tcp

// Evidence is what proves an owner. The numbers are those of enum evidence in bpf/record.h.
type Evidence uint8

// The proofs.
const (
	EvidenceNone    Evidence = iota // owner unknown
	EvidenceConnect                 // it ran connect()
	EvidenceListen                  // it ran listen(), on this socket or on the listener that it came from
	EvidenceAccept                  // it ran accept()
	EvidenceClose                   // it ran close() or shutdown()
	EvidenceFD                      // it was seen with a descriptor on the socket
)

var evidenceNames = [...]string{"", "connect", "listen", "accept", "close", "fd"}

// String returns the name used in JSON, as "connect"; "" for EvidenceNone and for a number that is no evidence.
func (e Evidence) String() string {
	if int(e) >= len(evidenceNames) {
		return ""
	}
	return evidenceNames[e]
}
