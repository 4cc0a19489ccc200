package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard lets requests through that were meant for this host. A page in a browser here may have a name of its own that
// leads to a loopback address (DNS rebinding): the browser takes us for the page's own server then, and lets it read all;
// but it tells the name. Without a name it is no browser.
func guard(next http.Handler, hosts []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isHere(r.Host, hosts) {
			protect(w.Header())
			refused := &response{ResponseWriter: w, control: http.NewResponseController(w), timeout: WriteTimeout}
			refused.refuse(http.StatusForbidden, problem{
				Error: "this is for loopback addresses and localhost: ask by one of them, or let tcptrail know the host's name",
			}, 0)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isHere says whether a Host header, with or without a port, names a loopback address, localhost or one of hosts.
func isHere(header string, hosts []string) bool {
	if header == "" {
		return true
	}
	name := header
	if host, _, err := net.SplitHostPort(header); err == nil {
		name = host
	}
	name = strings.TrimSuffix(name, ".")
	if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && ip.Unmap().IsLoopback() {
		return true
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	for _, host := range hosts {
		if strings.EqualFold(name, strings.TrimSuffix(host, ".")) {
			return true
		}
	}
	return false
}
