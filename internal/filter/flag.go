package filter

import (
	"net/netip"
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// The flags have the methods of pflag.Value. Each writes where To points and must not have a nil To. Values are
// joined by commas, a flag may be repeated, and all its values count; a value that is refused changes nothing.

// PortsFlag adds to a set of ports, which it makes when there is none.
type PortsFlag struct{ To **Ports }

// Set adds what ParsePorts reads in text.
func (f PortsFlag) Set(text string) error {
	ports, err := ParsePorts(text)
	if err != nil {
		return err
	}
	if *f.To != nil {
		ports.add(*f.To)
	}
	*f.To = ports
	return nil
}

// String returns the ports so far as Set reads them; "" when there are none.
func (f PortsFlag) String() string {
	if f.To == nil || *f.To == nil {
		return ""
	}
	return (*f.To).String()
}

// Type returns what help calls a value.
func (f PortsFlag) Type() string { return "ports" }

// PrefixesFlag adds to a list of networks.
type PrefixesFlag struct{ To *[]netip.Prefix }

// Set adds what ParsePrefix reads between the commas of text.
func (f PrefixesFlag) Set(text string) error {
	prefixes := *f.To
	for token := range strings.SplitSeq(text, ",") {
		prefix, err := ParsePrefix(token)
		if err != nil {
			return err
		}
		prefixes = append(prefixes, prefix)
	}
	*f.To = prefixes
	return nil
}

// String returns the networks so far as Set reads them; "" when there are none.
func (f PrefixesFlag) String() string {
	if f.To == nil {
		return ""
	}
	var names []string
	for _, prefix := range *f.To {
		names = append(names, prefix.String())
	}
	return strings.Join(names, ",")
}

// Type returns what help calls a value.
func (f PrefixesFlag) Type() string { return "cidr" }

// StatesFlag adds to a set of states.
type StatesFlag struct{ To *tcp.StateSet }

// Set adds what tcp.ParseStates reads between the commas of text.
func (f StatesFlag) Set(text string) error {
	set := *f.To
	for token := range strings.SplitSeq(text, ",") {
		states, err := tcp.ParseStates(token)
		if err != nil {
			return err
		}
		set |= states
	}
	*f.To = set
	return nil
}

// String returns the states so far as Set reads them, in the kernel's order; "" when there are none.
func (f StatesFlag) String() string {
	if f.To == nil {
		return ""
	}
	var names []string
	for s := tcp.State(1); s <= tcp.States; s++ {
		if f.To.Has(s) {
			names = append(names, s.String())
		}
	}
	return strings.Join(names, ",")
}

// Type returns what help calls a value.
func (f StatesFlag) Type() string { return "state" }

// CommsFlag adds to a list of names and patterns. A comma always separates; in a name that has one, write ? for it.
type CommsFlag struct{ To *[]string }

// Set adds what stands between the commas of text, if CheckComm accepts it.
func (f CommsFlag) Set(text string) error {
	comms := *f.To
	for token := range strings.SplitSeq(text, ",") {
		if err := CheckComm(token); err != nil {
			return err
		}
		comms = append(comms, token)
	}
	*f.To = comms
	return nil
}

// String returns the names so far as Set reads them; "" when there are none.
func (f CommsFlag) String() string {
	if f.To == nil {
		return ""
	}
	return strings.Join(*f.To, ",")
}

// Type returns what help calls a value.
func (f CommsFlag) Type() string { return "name" }
