package api

import (
	"net"
	"net/http"
	"sync"
)

// arrivals are connections on which nothing was asked yet. net/http waits five seconds for them when it shuts down; they
// may be a browser's that is prepared for more, or anybody's.
type arrivals struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	ending bool
}

// note is for http.Server's ConnState.
func (a *arrivals) note(c net.Conn, state http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(a.conns, c)
	case a.ending:
		c.Close()
	default:
		if a.conns == nil {
			a.conns = make(map[net.Conn]struct{})
		}
		a.conns[c] = struct{}{}
	}
}

// end closes those that there are and those that come.
func (a *arrivals) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ending = true
	for c := range a.conns {
		c.Close()
	}
}
