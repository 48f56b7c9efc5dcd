package api

import (
	"net/netip"
	"sync"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// window counts over a sliding time, at the node that is asked, how often somebody
// has done something.
type window[K comparable] struct {
	mu sync.Mutex
	// at holds the times of each one, oldest first. What is older than the window
	// goes when the same comes again, or at a sweep.
	at    map[K][]time.Time
	swept time.Time
}

// maxInWindow bounds those that are remembered. Past it the oldest knowledge gives
// way.
const maxInWindow = 100_000

// take counts once more, or tells when the next time may be.
func (w *window[K]) take(who K, most int, within time.Duration, now time.Time) (wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sweep(within, now)
	times := w.at[who]
	for len(times) > 0 && now.Sub(times[0]) >= within {
		times = times[1:]
	}
	if len(times) >= most {
		w.at[who] = times
		return within - now.Sub(times[0])
	}
	if w.at == nil || len(w.at) >= maxInWindow && times == nil {
		w.at = make(map[K][]time.Time)
	}
	w.at[who] = append(times, now)
	return 0
}

// sweep forgets, once a window, who did not come again.
func (w *window[K]) sweep(within time.Duration, now time.Time) {
	if now.Sub(w.swept) < within {
		return
	}
	w.swept = now
	for who, times := range w.at {
		if now.Sub(times[len(times)-1]) >= within {
			delete(w.at, who)
		}
	}
}

// registrations counts sign-ups by the client's address. The directory bounds
// pending ones besides.
type registrations struct{ window[netip.Addr] }

func (r *registrations) take(address string, now time.Time) (wait time.Duration) {
	return r.window.take(shard.ClientOf(address), cloudlicenses.MaxRegistrations, cloudlicenses.RegistrationWindow, now)
}

// contactMails counts by vendor the mails to contacts: they go to whom the vendor
// names, with words of its own.
type contactMails struct{ window[cloudlicenses.VendorID] }

func (m *contactMails) take(vendor cloudlicenses.VendorID, now time.Time) (wait time.Duration) {
	return m.window.take(vendor, cloudlicenses.MaxContactMails, cloudlicenses.ContactMailWindow, now)
}

// proofs counts by user the tries to prove who somebody is beside a session.
type proofs struct{ window[prover] }

type prover struct {
	tenant cloudlicenses.TenantID
	user   cloudlicenses.UserID
}

func (p *proofs) take(tenant cloudlicenses.TenantID, user cloudlicenses.UserID, now time.Time) (wait time.Duration) {
	return p.window.take(prover{tenant, user}, cloudlicenses.LoginFailures, cloudlicenses.LoginWindow, now)
}

// wholeSeconds is a wait as Retry-After tells it, rounded up.
func wholeSeconds(wait time.Duration) int { return int((wait + time.Second - 1) / time.Second) }
