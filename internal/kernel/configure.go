package kernel

import (
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// MaxTargets is MAX_TARGETS of bpf/maps.h: how many values one filter flag may have.
const MaxTargets = 256

// configure writes into the spec what of f the kernel decides: everything but names of processes and addresses.
func configure(v *bpfVariableSpecs, f *filter.Filter) error {
	knobs := []struct {
		variable *ebpf.VariableSpec
		value    any
	}{
		{v.FilterPid, len(f.PIDs) > 0},
		{v.FilterNetns, len(f.NetNS) > 0},
		{v.FilterCgroup, len(f.Cgroups) > 0},
		{v.FilterZombies, f.Zombies},
		{v.FilterStates, f.Zombies || f.States != 0 || f.Old != 0 || f.New != 0},
		{v.TargetState, targetStates(f)},
		{v.TargetOld, orAny(f.Old)},
		{v.TargetNew, orAny(f.New)},
		{v.FilterLport, f.LocalPorts != nil},
		{v.FilterRport, f.RemotePorts != nil},
		{v.FilterVersion, f.Version != filter.Any},
		{v.TargetIpv4, f.Version == filter.V4},
	}
	for _, k := range knobs {
		if err := k.variable.Set(k.value); err != nil {
			return fmt.Errorf("set %v: %w", k.variable, err)
		}
	}
	if err := setPorts(v.TargetLports, f.LocalPorts); err != nil {
		return err
	}
	return setPorts(v.TargetRports, f.RemotePorts)
}

func setPorts(v *ebpf.VariableSpec, p *filter.Ports) error {
	if p == nil {
		return nil
	}
	if err := v.Set(*p.Words()); err != nil {
		return fmt.Errorf("set ports: %w", err)
	}
	return nil
}

// targetStates returns the states on either side of a transition, which with zombies may be none.
func targetStates(f *filter.Filter) uint16 {
	if f.Zombies {
		return uint16(f.States)
	}
	return orAny(f.States)
}

// orAny returns the bits of set, or all bits for the empty set, which selects everything.
func orAny(set tcp.StateSet) uint16 {
	if set == 0 {
		return ^uint16(0)
	}
	return uint16(set)
}

// fillTargets puts the values of f that are looked up in maps where the programs find them.
func fillTargets(maps *requiredMaps, f *filter.Filter) error {
	if err := fill(maps.TargetPids, "pids", f.PIDs); err != nil {
		return err
	}
	if err := fill(maps.TargetNetns, "network namespaces", f.NetNS); err != nil {
		return err
	}
	return fill(maps.TargetCgroups, "cgroups", f.Cgroups)
}

func fill[K uint32 | uint64](m *ebpf.Map, what string, keys []K) error {
	if len(keys) > MaxTargets {
		return fmt.Errorf("filter by %d %s: at most %d are possible", len(keys), what, MaxTargets)
	}
	for _, k := range keys {
		if err := m.Put(k, uint8(1)); err != nil {
			return fmt.Errorf("filter by %s: %w", what, err)
		}
	}
	return nil
}
