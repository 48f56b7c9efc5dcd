package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mailerFunc is a mailer that ends as it is told.
type mailerFunc func() error

func (f mailerFunc) Send(context.Context, *Message) error { return f() }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func testSender(chance float64) *Sender {
	return &Sender{Now: func() time.Time { return noon }, Random: func() float64 { return chance }}
}

func TestScheduleStaysWithinThreeDays(t *testing.T) {
	require.Equal(t, MaxAttempts, len(Schedule())+1)
	for _, chance := range []float64{0, 0.5, 0.999999, -1, 2} {
		at, waited := noon, time.Duration(0)
		for attempt := 1; attempt < MaxAttempts; attempt++ {
			next, more := NextAttempt(attempt, at, chance)
			require.True(t, more)
			wait := next.Sub(at)
			longest := Schedule()[attempt-1]
			require.LessOrEqual(t, wait, longest)
			require.GreaterOrEqual(t, wait, longest*8/10)
			again, _ := NextAttempt(attempt, at, chance)
			require.Equal(t, next, again, "a pure function")
			at, waited = next, waited+wait
		}
		require.LessOrEqual(t, waited, 72*time.Hour)
		require.Greater(t, waited, 48*time.Hour)
		_, more := NextAttempt(MaxAttempts, at, chance)
		require.False(t, more)
	}
	first, more := NextAttempt(0, noon, 0)
	require.True(t, more)
	require.Equal(t, noon.Add(5*time.Second), first)
	Schedule()[0] = 0
	require.NotZero(t, Schedule()[0], "a copy")
}

func TestMailOutcomes(t *testing.T) {
	permanent := &MailError{Permanent: true, Code: 550, Err: errors.New("no")}
	temporary := &MailError{Code: 450, Err: errors.New("later")}
	for _, c := range []struct {
		err     error
		attempt int
		want    Result
		status  int
	}{
		{nil, 1, Delivered, 0}, {nil, MaxAttempts, Delivered, 0},
		{permanent, 1, Failed, 550}, {fmt.Errorf("wrapped: %w", permanent), 1, Failed, 550},
		{temporary, 1, Retry, 450}, {temporary, MaxAttempts - 1, Retry, 450}, {temporary, MaxAttempts, Failed, 450},
		{errors.New("of no class"), 1, Retry, 0},
	} {
		s := testSender(0)
		s.Mail = mailerFunc(func() error { return c.err })
		o := s.Deliver(context.Background(), Record{Attempt: c.attempt, Mail: testMessage()})
		require.Equal(t, c.want, o.Result)
		require.Equal(t, c.status, o.Status)
		require.Equal(t, c.want == Retry, !o.RetryAt.IsZero())
		if c.err == nil {
			require.NoError(t, o.Err)
		} else {
			require.ErrorIs(t, o.Err, c.err)
		}
	}
}

func TestRecordsThatNobodyCanSend(t *testing.T) {
	s := testSender(0)
	for _, r := range []Record{{Attempt: 1, Mail: testMessage()}, {Attempt: 1, Webhook: testWebhook("https://vector.com")}} {
		o := s.Deliver(context.Background(), r)
		require.Equal(t, Outcome{Result: Retry, RetryAt: noon.Add(5 * time.Second), Err: o.Err}, o)
		require.ErrorIs(t, o.Err, ErrNotConfigured)
	}
	for _, r := range []Record{{}, {Mail: testMessage(), Webhook: testWebhook("https://vector.com")}} {
		require.Equal(t, Failed, s.Deliver(context.Background(), r).Result)
	}
}

func TestWebhookOutcomes(t *testing.T) {
	later := noon.Add(5 * time.Second)
	for _, c := range []struct {
		status     int
		retryAfter string
		want       Result
		at         time.Time
	}{
		{200, "", Delivered, time.Time{}}, {204, "3600", Delivered, time.Time{}}, {299, "", Delivered, time.Time{}},
		{301, "", Retry, later}, {304, "", Retry, later}, {307, "", Retry, later},
		{400, "", Retry, later}, {401, "", Retry, later}, {404, "", Retry, later}, {408, "", Retry, later},
		{410, "3600", Disabled, time.Time{}},
		{429, "", Retry, later}, {429, "60", Retry, noon.Add(time.Minute)}, {429, "1", Retry, later}, {429, "soon", Retry, later}, {429, "-5", Retry, later},
		{429, "99999999", Retry, noon.Add(24 * time.Hour)}, {429, "99999999999999999999", Retry, later},
		{500, "60", Retry, later}, {502, "", Retry, later},
		{503, noon.Add(time.Hour).Format(http.TimeFormat), Retry, noon.Add(time.Hour)},
		{503, noon.Add(-time.Hour).Format(http.TimeFormat), Retry, later},
	} {
		t.Run(fmt.Sprint(c.status, " ", c.retryAfter), func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", c.retryAfter)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
			}))
			defer server.Close()
			s := testSender(0)
			s.Webhooks = toLoopback(nil)
			o := s.Deliver(context.Background(), Record{Attempt: 1, Webhook: testWebhook(server.URL)})
			require.Equal(t, Outcome{Result: c.want, RetryAt: c.at, Status: c.status, Err: o.Err}, o)
			require.Equal(t, c.want == Delivered, o.Err == nil)
			if c.want == Retry {
				o = s.Deliver(context.Background(), Record{Attempt: MaxAttempts, Webhook: testWebhook(server.URL)})
				require.Equal(t, Failed, o.Result)
				require.True(t, o.RetryAt.IsZero())
			}
		})
	}
}

func TestResultsHaveNames(t *testing.T) {
	for r, want := range map[Result]string{Delivered: "delivered", Retry: "retry", Disabled: "disabled", Failed: "failed", 0: "Result(0)"} {
		require.Equal(t, want, r.String())
	}
}

// TestSenderByItself takes the time and chance of the system.
func TestSenderByItself(t *testing.T) {
	s := &Sender{Mail: mailerFunc(func() error { return errors.New("later") })}
	before := time.Now()
	o := s.Deliver(context.Background(), Record{Attempt: 1, Mail: testMessage()})
	require.WithinRange(t, o.RetryAt, before.Add(4*time.Second), time.Now().Add(5*time.Second))
}
