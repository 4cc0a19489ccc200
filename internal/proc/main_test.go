package proc

import (
	"os"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// TestMain lets nettest start its processes, and keeps tests that move between namespaces off the main thread.
func TestMain(m *testing.M) {
	if os.Getenv(leaderlessEnv) != "" {
		os.Exit(endLeader())
	}
	os.Exit(nettest.Main(m))
}
