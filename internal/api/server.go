package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
)

// How patient a server is with clients.
const (
	headerTimeout = 5 * time.Second  // for a TLS handshake or the head of a request
	idleTimeout   = 90 * time.Second // between requests: most scrape once a minute, and keep the connection
	maxHeader     = 2 * maxQuery     // bytes; net/http adds 4096
	// DefaultShutdown is how long requests have to end when the server does: a count takes less.
	DefaultShutdown = 5 * time.Second
	// abortTimeout is how much longer handlers have that were broken off: they only have to notice.
	abortTimeout = time.Second
)

// ServerOptions say where to listen, and how to serve.
type ServerOptions struct {
	// Addresses are IP addresses with ports (127.0.0.1:9797, [::1]:9797, :9797 for all), and unix:/path. At least one.
	Addresses []string
	// WebConfig is a file as exporter-toolkit reads it, with certificates for TLS and users for basic authentication. It is read
	// again for each request, so changes need no signal. It is for TCP: a unix socket is protected by its mode. "": none.
	WebConfig string
	// Hosts are names of this host that requests on loopback addresses may ask for, beside loopback addresses and localhost.
	Hosts []string
	// Log is told of what goes wrong with connections, for debugging; nil: nobody is.
	Log *slog.Logger
	// Shutdown is how long requests have to end when Serve does; 0 is DefaultShutdown.
	Shutdown time.Duration
}

// ErrBrokenOff is what Serve's error is, in the sense of errors.Is, when requests had to be broken off at the end; they may
// be of clients that do not read. Nothing else is wrong.
var ErrBrokenOff = errors.New("requests took too long, and were broken off")

// Server serves an API on listeners. It speaks HTTP/1.1 alone, with one request on a connection at a time: so the bound on
// connections is one on everything.
type Server struct {
	api     *API
	options ServerOptions
	doors   []*door
	notes   []string
	abort   context.CancelFunc
}

// door is a listener with its server, as what is asked of whom depends on where.
type door struct {
	address  address
	listener *limited
	server   *http.Server
	arrivals arrivals
}

// Check says whether addresses and the web configuration are right, as far as can be told without listening.
func Check(o ServerOptions) error {
	var errs []error
	for _, text := range o.Addresses {
		_, err := parseAddress(text)
		errs = append(errs, err)
	}
	_, err := readProtection(o.WebConfig)
	return errors.Join(append(errs, err)...)
}

// Listen listens on all addresses, or none: it returns an error then. Serve must be called, or Close.
func Listen(ctx context.Context, a *API, o ServerOptions) (*Server, error) {
	if len(o.Addresses) == 0 {
		return nil, errors.New("listen: there is no address; give one, such as 127.0.0.1:9797")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Shutdown = cmp.Or(o.Shutdown, DefaultShutdown)
	protection, err := readProtection(o.WebConfig)
	if err != nil {
		return nil, err
	}
	s := &Server{api: a, options: o}
	base, abort := context.WithCancel(context.WithoutCancel(ctx))
	s.abort = abort
	for _, text := range o.Addresses {
		at, err := parseAddress(text)
		if err == nil {
			err = s.open(ctx, base, at)
		}
		if err != nil {
			s.Close()
			return nil, err
		}
		if note := protection.note(at); note != "" {
			s.notes = append(s.notes, note)
		}
	}
	return s, nil
}

func (s *Server) open(ctx, base context.Context, at address) error {
	var l net.Listener
	var err error
	if at.path != "" {
		l, err = listenUnix(ctx, at.path)
	} else {
		l, err = listenTCP(ctx, at)
	}
	if err != nil {
		return err
	}
	var handler http.Handler = s.api
	if at.path == "" && at.isLocal() {
		handler = guard(handler, s.options.Hosts)
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	d := &door{address: at, listener: limit(l, maxConnections)}
	d.server = &http.Server{
		Handler: handler, Protocols: protocols, DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: s.api.writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog:    slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return base },
		ConnState:   d.arrivals.note,
	}
	s.doors = append(s.doors, d)
	return nil
}

// Addresses returns where it listens, with the ports that were chosen for those given as 0.
func (s *Server) Addresses() []string {
	var all []string
	for _, d := range s.doors {
		if d.address.path != "" {
			all = append(all, d.address.String())
		} else {
			all = append(all, d.listener.Addr().String())
		}
	}
	return all
}

// Notes returns warnings, a line each: of addresses that others can reach without encryption or authentication.
func (s *Server) Notes() []string { return s.notes }

// Serve serves until the context ends, or a listener fails, which is an error. Then event streams end at once, other
// requests in the time of the options; those that do not are broken off, which is ErrBrokenOff, and told by their contexts.
// It is called once.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, len(s.doors))
	for _, d := range s.doors {
		go func() { failed <- s.serve(d) }()
	}
	var err error
	returned := 0
	select {
	case <-ctx.Done():
	case err = <-failed:
		returned++
	}
	err = errors.Join(err, s.shutDown())
	for ; returned < len(s.doors); returned++ {
		err = errors.Join(err, <-failed)
	}
	return err
}

func (s *Server) serve(d *door) error {
	none := ""
	config := &web.FlagConfig{WebConfigFile: &none}
	if d.address.path == "" {
		config.WebConfigFile = &s.options.WebConfig
	}
	if err := web.Serve(d.listener, d.server, config, s.options.Log); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", d.address, err)
	}
	return nil
}

// shutDown ends everything, and waits for it within bounds.
func (s *Server) shutDown() error {
	s.api.End()
	ctx, cancel := context.WithTimeout(context.Background(), s.options.Shutdown)
	defer cancel()
	late := make(chan bool, len(s.doors))
	for _, d := range s.doors {
		d.arrivals.end()
		go func() { late <- d.server.Shutdown(ctx) != nil }()
	}
	broken := false
	for range s.doors {
		broken = <-late || broken
	}
	s.Close()
	if !broken {
		return nil
	}
	after := time.NewTimer(abortTimeout)
	defer after.Stop()
	look := time.NewTicker(abortTimeout / 100)
	defer look.Stop()
	for s.api.running.Load() > 0 {
		select {
		case <-look.C:
		case <-after.C:
			return fmt.Errorf("stop serving: %w, but %d go on", ErrBrokenOff, s.api.running.Load())
		}
	}
	return fmt.Errorf("stop serving: %w", ErrBrokenOff)
}

// Close closes listeners and breaks connections off, without a wait. Serve does it in the end.
func (s *Server) Close() {
	s.abort()
	for _, d := range s.doors {
		d.server.Close()
		d.listener.Close()
	}
}
