package census

import (
	"fmt"
	"slices"
	"strings"
)

// Key is what a Breakdown tells sockets apart by. The zero value is none.
type Key uint8

// The keys.
const (
	ByState      Key = iota + 1 // as tcp.Counts counts: requests in SYN_RECV, zombies apart from CLOSE
	ByRemoteAddr                // address without port
	ByRemotePort                // 0: none, as of a listener
	ByLocalAddr                 // address without port
	ByLocalPort                 // 0: none
	ByProcess                   // the owner's name; all sockets without owner are one group
	ByPID                       // the owner
	ByUID                       // whom the socket belongs to; a minisock does not say
	ByCgroup                    // v2
	ByNetNS                     // network namespace
)

var keyNames = [...]string{
	ByState: "state", ByRemoteAddr: "remote-addr", ByRemotePort: "remote-port", ByLocalAddr: "local-addr",
	ByLocalPort: "local-port", ByProcess: "process", ByPID: "pid", ByUID: "uid", ByCgroup: "cgroup", ByNetNS: "netns",
}

// keyWords has the words that name a key, folded: lower case without '-' and '_'.
var keyWords = map[string]Key{
	"state": ByState, "remoteaddr": ByRemoteAddr, "remoteport": ByRemotePort, "localaddr": ByLocalAddr,
	"localport": ByLocalPort, "process": ByProcess, "pid": ByPID, "uid": ByUID, "cgroup": ByCgroup, "netns": ByNetNS,
	"raddr": ByRemoteAddr, "rport": ByRemotePort, "laddr": ByLocalAddr, "lport": ByLocalPort, "comm": ByProcess, // as in JSON
}

var foldKey = strings.NewReplacer("-", "", "_", "")

// ParseKeys reads names joined by commas, as state,remote-addr, in any case and with - or _ or nothing between words;
// raddr, rport, laddr, lport and comm, by which an event's JSON calls them, do too. It refuses one that comes twice.
func ParseKeys(text string) ([]Key, error) {
	var keys []Key
	for token := range strings.SplitSeq(text, ",") {
		key, ok := keyWords[foldKey.Replace(strings.ToLower(token))]
		switch {
		case token == "":
			return nil, fmt.Errorf("%q: a name is missing: use one or more of %s", text, allKeys())
		case !ok:
			return nil, fmt.Errorf("unknown key %q: use one or more of %s", token, allKeys())
		case slices.Contains(keys, key):
			return nil, fmt.Errorf("%q: %s comes twice: name it once", text, key)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func allKeys() string { return strings.Join(keyNames[1:], ", ") }

// String returns the name as ParseKeys reads it, as "remote-addr"; "" for a number that is no key.
func (k Key) String() string {
	if int(k) >= len(keyNames) {
		return ""
	}
	return keyNames[k]
}

// JSON returns the name of its member in JSON, as "remote_addr".
func (k Key) JSON() string { return strings.ReplaceAll(k.String(), "-", "_") }

// Number says whether its values are numbers by nature: ports and ids, those that have names too.
func (k Key) Number() bool {
	switch k {
	case ByRemotePort, ByLocalPort, ByPID, ByUID, ByCgroup, ByNetNS:
		return true
	}
	return false
}
