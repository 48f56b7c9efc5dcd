package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Result is how a delivery ended.
type Result int

const (
	// Delivered means that the receiver has taken it. Nothing is left to do.
	Delivered Result = iota + 1
	// Retry means not now; Outcome.RetryAt says when.
	Retry
	// Disabled means that the receiver wants no more of these (HTTP 410): neither
	// this record nor any later one is to be sent there.
	Disabled
	// Failed is for good: trying again would not help, or was tried often enough.
	Failed
)

// String returns the result's name, as logs and lists of deliveries show it.
func (r Result) String() string {
	switch r {
	case Delivered:
		return "delivered"
	case Retry:
		return "retry"
	case Disabled:
		return "disabled"
	case Failed:
		return "failed"
	}
	return fmt.Sprintf("Result(%d)", int(r))
}

// Outcome is what became of one attempt.
type Outcome struct {
	Result  Result
	RetryAt time.Time // of Retry, and of nothing else
	Status  int       // what the receiver answered: HTTP status, SMTP reply; 0: nothing
	Err     error     // why it was not delivered; holds no secret and no token
}

// Record is one delivery to make: a mail or a webhook, one of the two.
type Record struct {
	Attempt int // this one's number, from 1
	Mail    *Message
	Webhook *Webhook
}

// Sender delivers records. Its fields are set before its first use and not
// changed after; it is safe for concurrent use.
type Sender struct {
	Mail     Mailer
	Webhooks *WebhookClient
	Now      func() time.Time // nil: time.Now
	Random   func() float64   // in [0,1); nil: math/rand's
}

// ErrNotConfigured: no way of sending such a record was set up. Temporary.
var ErrNotConfigured = errors.New("not set up to be sent")

// Deliver makes one attempt. It returns when that has ended, or ctx has, which
// is then a Retry: whether the receiver has got it is not known.
func (s *Sender) Deliver(ctx context.Context, r Record) Outcome {
	var o Outcome
	var wait time.Duration
	switch {
	case r.Mail != nil && r.Webhook == nil:
		o = s.deliverMail(ctx, r.Mail)
	case r.Webhook != nil && r.Mail == nil:
		o, wait = s.deliverWebhook(ctx, r.Webhook)
	default:
		o = Outcome{Result: Failed, Err: errors.New("a record is a mail or a webhook, one of the two")}
	}
	if o.Result != Retry {
		return o
	}
	now := s.now()
	next, more := NextAttempt(r.Attempt, now, s.random())
	if !more {
		return Outcome{Result: Failed, Status: o.Status, Err: fmt.Errorf("given up after %d attempts: %w", r.Attempt, o.Err)}
	}
	o.RetryAt = next
	if asked := now.Add(min(wait, maxRetryAfter)); asked.After(next) {
		o.RetryAt = asked
	}
	return o
}

func (s *Sender) deliverMail(ctx context.Context, m *Message) Outcome {
	if s.Mail == nil {
		return Outcome{Result: Retry, Err: fmt.Errorf("mail: %w", ErrNotConfigured)}
	}
	err := s.Mail.Send(ctx, m)
	if err == nil {
		return Outcome{Result: Delivered}
	}
	o := Outcome{Result: Retry, Err: err}
	var failure *MailError
	if errors.As(err, &failure) {
		o.Status = failure.Code
		if failure.Permanent {
			o.Result = Failed
		}
	}
	return o
}

func (s *Sender) deliverWebhook(ctx context.Context, w *Webhook) (Outcome, time.Duration) {
	if s.Webhooks == nil {
		return Outcome{Result: Retry, Err: fmt.Errorf("webhook: %w", ErrNotConfigured)}, 0
	}
	reply := s.Webhooks.Post(ctx, w, s.now())
	return reply.outcome(), reply.RetryAfter
}

func (s *Sender) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Sender) random() float64 {
	if s.Random == nil {
		return rand.Float64()
	}
	return s.Random()
}
