package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
)

const maxWebhookBody = 1 << 20 // bytes

var (
	// ErrWebhook: the webhook cannot be sent by anybody. Permanent.
	ErrWebhook = errors.New("not a webhook that can be sent")
	// ErrURL: not a URL that a webhook may have. Permanent.
	ErrURL = errors.New("not a URL for webhooks")
)

// Webhook is one message to one URL, by the Standard Webhooks specification
// (github.com/standard-webhooks/standard-webhooks):
//
//	POST <URL>
//	Content-Type: application/json
//	webhook-id: <ID>                  the same in every attempt
//	webhook-timestamp: <seconds>      of this attempt
//	webhook-signature: v1,<base64> …  one for each secret, the newest first
//
// A vendor's invoice webhook has its own key instead of secrets, or besides them:
//
//	Authorization: Bearer <Bearer>
type Webhook struct {
	ID      ID
	URL     string
	Body    []byte   // JSON, up to 1 MiB, sent as it is: it is what was signed
	Secrets []Secret // in force, up to 5; all sign
	Bearer  string   // "" for none; printable ASCII
}

// EventBody returns a body as the specification has it: the event's type (such as
// "license.provisioned"), its time, and what it is about, which is JSON.
func EventBody(kind string, at time.Time, data json.RawMessage) ([]byte, error) {
	return json.Marshal(struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}{kind, at.UTC(), data})
}

// CheckURL returns an [ErrURL] where a webhook cannot have the URL: for whoever
// lets people set one. It looks nothing up: addresses are checked when they are
// dialed, every time.
func CheckURL(text string, allowHTTP bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > cloudlicenses.MaxURLLength:
		return fmt.Errorf("%w: not a URL, or longer than %d bytes", ErrURL, cloudlicenses.MaxURLLength)
	case u.Scheme != "https" && (u.Scheme != "http" || !allowHTTP):
		return fmt.Errorf("%w: the scheme must be https", ErrURL)
	case u.Hostname() == "" || u.Opaque != "":
		return fmt.Errorf("%w: it has no host", ErrURL)
	case looseAddress(u.Hostname()):
		return fmt.Errorf("%w: its host is neither a name nor an address as it is written in full", ErrURL)
	case u.User != nil:
		return fmt.Errorf("%w: it carries a password", ErrURL)
	case strings.Contains(text, "#"):
		return fmt.Errorf("%w: it has a fragment", ErrURL)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%w: its port", ErrURL)
		}
	}
	return nil
}

func (w *Webhook) check() error {
	switch {
	case !w.ID.valid():
		return fmt.Errorf("%w: id %q", ErrWebhook, w.ID)
	case len(w.Secrets) == 0 && w.Bearer == "":
		return fmt.Errorf("%w: neither a secret nor a key", ErrWebhook)
	case len(w.Secrets) > cloudlicenses.MaxWebhookSecrets:
		return fmt.Errorf("%w: %d secrets, at most %d", ErrWebhook, len(w.Secrets), cloudlicenses.MaxWebhookSecrets)
	case len(w.Bearer) > cloudlicenses.MaxBearerToken || strings.ContainsFunc(w.Bearer, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%w: the key is not printable ASCII", ErrWebhook)
	case len(w.Body) > maxWebhookBody || !json.Valid(w.Body):
		return fmt.Errorf("%w: the body is no JSON, or past %d bytes", ErrWebhook, maxWebhookBody)
	}
	for _, s := range w.Secrets {
		if len(s.key) < minSecret {
			return fmt.Errorf("%w: an empty secret", ErrWebhook)
		}
	}
	return nil
}

// request makes the request of an attempt at a time.
func (w *Webhook) request(ctx context.Context, at time.Time) (*http.Request, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(w.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "cloudlicenses-webhooks/1")
	r.Header.Set("Webhook-Id", string(w.ID))
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	if w.Bearer != "" {
		r.Header.Set("Authorization", "Bearer "+w.Bearer)
	}
	var signatures []string
	for _, s := range w.Secrets {
		signatures = append(signatures, s.Sign(w.ID, at, w.Body))
	}
	if len(signatures) > 0 {
		r.Header.Set("Webhook-Signature", strings.Join(signatures, " "))
	}
	return r, nil
}
