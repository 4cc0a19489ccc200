package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// HTTPOptions say how to talk to a server. The zero value has good defaults.
type HTTPOptions struct {
	Timeout   time.Duration // of a whole request; 0: DefaultTimeout
	UserAgent string        // "" is "tcptrail"
	TLS       *tls.Config   // nil: the system's certificates
}

// The bounds of a request. Those of time are per stage, within that of the whole.
const (
	dialTimeout   = 5 * time.Second
	tlsTimeout    = 5 * time.Second
	headerTimeout = 10 * time.Second
	idleTimeout   = 30 * time.Second // below what servers commonly grant, so that it is us who close
	// drainTimeout and drainBytes are what a response's body may cost to have the connection for the next request.
	drainTimeout = time.Second
	drainBytes   = 64 << 10
	// shownBody is how much of a response's body an error shows.
	shownBody   = 300
	headerBytes = 64 << 10
)

// poster sends JSON to one URL.
type poster struct {
	name      string
	url       *url.URL // without the user
	user      *url.Userinfo
	agent     string
	secrets   []string // never to be shown
	client    http.Client
	transport *http.Transport
	timeout   time.Duration
}

// newPoster checks a URL. The kind of sink is for messages.
func newPoster(kind, text string, o HTTPOptions) (*poster, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The cause may quote a password.
		return nil, fmt.Errorf("read URL of %s: give http://HOST[:PORT]/PATH or https://..., with special characters in a user's name or password as %%XX", kind)
	}
	p := &poster{user: u.User, url: u, agent: o.UserAgent, timeout: o.Timeout}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	if p.agent == "" {
		p.agent = "tcptrail"
	}
	if p.timeout <= 0 {
		p.timeout = DefaultTimeout
	}
	p.name = kind + " " + plain(u.Scheme+"://"+u.Host, maxName) // the path may be a secret, too
	p.secrets = secretsOf(u, p.user)
	if _, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err != nil {
		return nil, fmt.Errorf("read proxy of %s: the URL in HTTP_PROXY or HTTPS_PROXY is not valid; correct it", p.name)
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	p.transport = &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSClientConfig: o.TLS,
		TLSHandshakeTimeout: tlsTimeout, ResponseHeaderTimeout: headerTimeout, IdleConnTimeout: idleTimeout,
		MaxIdleConnsPerHost: 1, MaxResponseHeaderBytes: headerBytes, ForceAttemptHTTP2: true, DisableCompression: true,
	}
	p.client = http.Client{Transport: p.transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		// A POST that is redirected may become a GET, or take findings to another host.
		return http.ErrUseLastResponse
	}}
	return p, nil
}

// minSecretPath is how long a path is at least that may be a secret; a shorter one is not worth mangling messages for.
const minSecretPath = 8

// secretsOf returns what is not to be shown of a URL, longer ones first: a server may quote it in its answer.
func secretsOf(u *url.URL, user *url.Userinfo) []string {
	var secrets []string
	for _, part := range [...]string{u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery} {
		if len(part) >= minSecretPath {
			secrets = append(secrets, part)
		}
	}
	if user == nil {
		return secrets
	}
	password, ok := user.Password()
	credentials := user.Username() + ":" + password
	secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(credentials)), credentials)
	if !ok {
		return append(secrets, user.Username()) // a token, as some services have it
	}
	return append(secrets, password)
}

// close gives up the connections.
func (p *poster) close() { p.transport.CloseIdleConnections() }

// post sends a body, and returns a *DeliveryError if it was not taken.
func (p *poster) post(ctx context.Context, now time.Time, body []byte, header http.Header) error {
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { written.Store(true) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url.String(), bytes.NewReader(body))
	if err != nil {
		return final(p.error(err))
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", p.agent)
	if p.user != nil {
		password, _ := p.user.Password()
		request.SetBasicAuth(p.user.Username(), password)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return &DeliveryError{Err: p.error(err), Unheard: !written.Load()}
	}
	start := readBody(response.Body)
	if response.StatusCode/100 == 2 {
		return nil
	}
	return p.judge(response, start, now)
}

// readBody reads to the end of a short body, so that the connection can be used again, and returns its beginning.
func readBody(body io.ReadCloser) []byte {
	defer body.Close()
	stop := time.AfterFunc(drainTimeout, func() { body.Close() })
	defer stop.Stop()
	start, err := io.ReadAll(io.LimitReader(body, shownBody))
	if err == nil {
		_, _ = io.CopyN(io.Discard, body, drainBytes)
	}
	return start
}

// judge returns what follows from a response that is not one of success.
func (p *poster) judge(r *http.Response, body []byte, now time.Time) error {
	text := fmt.Sprintf("the server answers %d %s", r.StatusCode, http.StatusText(r.StatusCode))
	if start := strings.TrimSpace(string(body)); start != "" {
		text += ": " + start
	}
	f := &DeliveryError{}
	switch code := r.StatusCode; {
	case code/100 == 3:
		f.Final, f.Unheard = true, true
		text = fmt.Sprintf("the server redirects (%d), which is not followed; give the URL at which it takes alerts", code)
		if to, err := r.Location(); err == nil {
			text += ", on " + to.Scheme + "://" + to.Host
		}
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		f.After = retryAfter(r.Header.Get("Retry-After"), now)
	case code/100 == 4:
		f.Final, f.Unheard = true, true
		f.Split = code == http.StatusBadRequest || code == http.StatusRequestEntityTooLarge || code == http.StatusUnprocessableEntity
	default:
		f.After = retryAfter(r.Header.Get("Retry-After"), now)
	}
	f.Err = p.error(errors.New(text))
	return f
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3): seconds or a date; 0 for neither.
func retryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(MaxAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), MaxAfter)
	}
	return 0
}

// error returns an error without URL and secrets.
func (p *poster) error(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = fmt.Sprintf("no answer within %v", p.timeout)
	}
	for _, secret := range p.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return errors.New("post: " + text)
}
