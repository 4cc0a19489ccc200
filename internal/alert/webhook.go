package alert

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
)

// Webhook sends the finding's JSON to a URL by POST, one request an alert, with these headers:
//
//	X-Tcptrail-Event          the status: firing, escalated, resolved, muted or merged
//	X-Tcptrail-Delivery       32 hexadecimal digits, the same when the same alert is sent again: by them a receiver knows
//	                          one that it has taken already. Idempotency-Key has the same
//	X-Tcptrail-Timestamp      of this attempt, seconds since 1970
//	X-Tcptrail-Signature-256  if there is a secret: see Sign
//
// A status of 2xx is success. Other 4xx than 408, 425 and 429, and redirections, are final; all else is tried again,
// after Retry-After if the server says so. The user and password of the URL are sent as basic authentication. Proxies are
// those of the environment.
type Webhook struct {
	poster *poster
	secret []byte
}

// NewWebhook checks a URL. Without a secret nothing is signed; an empty one that is not nil is an error.
func NewWebhook(url string, secret []byte, o HTTPOptions) (*Webhook, error) {
	if secret != nil && len(secret) == 0 {
		return nil, errors.New("read secret of webhook: it is empty; give one, or none at all")
	}
	p, err := newPoster("webhook", url, o)
	if err != nil {
		return nil, err
	}
	p.secrets = append(p.secrets, string(secret))
	return &Webhook{p, secret}, nil
}

// Name returns the server's name.
func (w *Webhook) Name() string { return w.poster.name }

// Traits returns those of a sink that takes one alert at a time.
func (w *Webhook) Traits() Traits { return Traits{Timeout: w.poster.timeout} }

// Close gives up the connections.
func (w *Webhook) Close() error {
	w.poster.close()
	return nil
}

// Deliver sends requests.
func (w *Webhook) Deliver(ctx context.Context, deliveries []Delivery) error {
	for i := range deliveries {
		d := &deliveries[i]
		timestamp := strconv.FormatInt(d.Now.Unix(), 10)
		header := http.Header{}
		header.Set("X-Tcptrail-Event", d.Status.String())
		header.Set("X-Tcptrail-Delivery", d.Key)
		header.Set("X-Tcptrail-Timestamp", timestamp)
		// net/http sends a POST with it again by itself when the server has closed an idle connection meanwhile.
		header.Set("Idempotency-Key", d.Key)
		if w.secret != nil {
			header.Set("X-Tcptrail-Signature-256", Sign(w.secret, timestamp, d.JSON))
		}
		if err := w.poster.post(ctx, d.Now, d.JSON, header); err != nil {
			return err
		}
	}
	return nil
}

// Sign returns the signature of a request: "sha256=" and, in hexadecimal, the HMAC-SHA-256 under the secret of the
// timestamp as in its header, a period, and the body as it came. A receiver computes it anew, compares in constant time,
// and refuses a timestamp that is more than some minutes off, so that nobody can send an old request again.
func Sign(secret []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(timestamp))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
