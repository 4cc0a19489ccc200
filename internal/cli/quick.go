package cli

import (
	"errors"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// countQuickly counts without loading programs, if that can be done: false says that it cannot. It is what monitoring
// asks for every few seconds.
func countQuickly(env *Env, o kernel.SnapshotOptions) (*tcp.Counts, bool, error) {
	if o.States.Has(tcp.Close) {
		return nil, false, nil // in none of the kernel's tables
	}
	if err := keep(env, listPrivileges); err != nil {
		return &tcp.Counts{}, true, err
	}
	counts, err := env.CountStates(o)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, false, nil
	}
	return &counts, true, err
}
