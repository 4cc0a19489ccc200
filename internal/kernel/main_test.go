package kernel

import (
	"os"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

func TestMain(m *testing.M) { os.Exit(nettest.Main(m)) }
