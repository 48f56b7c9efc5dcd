package api

import (
	"net/netip"
	"sync"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// registrations counts sign-ups by the client's address over a sliding window,
// at the node that takes them. An IPv6 client is its /64: it has all of that.
type registrations struct {
	mu sync.Mutex
	// at holds the times of each address's sign-ups, oldest first. What is
	// older than the window goes when the address comes again, or at a sweep.
	at    map[netip.Addr][]time.Time
	swept time.Time
}

// maxRegistrants bounds the addresses that are remembered. Past it the oldest
// knowledge gives way: the directory bounds pending sign-ups besides.
const maxRegistrants = 100_000

// take counts a sign-up, or tells when the next one may come.
func (r *registrations) take(address string, now time.Time) (wait time.Duration) {
	who := shard.ClientOf(address)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(now)
	times := r.at[who]
	for len(times) > 0 && now.Sub(times[0]) >= cloudlicenses.RegistrationWindow {
		times = times[1:]
	}
	if len(times) >= cloudlicenses.MaxRegistrations {
		r.at[who] = times
		return cloudlicenses.RegistrationWindow - now.Sub(times[0])
	}
	if r.at == nil || len(r.at) >= maxRegistrants && times == nil {
		r.at = make(map[netip.Addr][]time.Time)
	}
	r.at[who] = append(times, now)
	return 0
}

// sweep forgets, once a window, the addresses that did not come again.
func (r *registrations) sweep(now time.Time) {
	if now.Sub(r.swept) < cloudlicenses.RegistrationWindow {
		return
	}
	r.swept = now
	for who, times := range r.at {
		if now.Sub(times[len(times)-1]) >= cloudlicenses.RegistrationWindow {
			delete(r.at, who)
		}
	}
}
