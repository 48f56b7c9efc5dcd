package licenseclient

import (
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// leaderHeader names the base URL of the tenant's leader in a reply of a
	// node that had to forward.
	leaderHeader = "X-Leader"
	// avoidFor is how long an address that failed as leader is not believed
	// again: hints may name addresses that this machine cannot reach.
	avoidFor = 30 * time.Second
	// avoidMost bounds how many such addresses are remembered.
	avoidMost = 64
)

// router chooses the node for the next attempt: the tenant's leader for
// writes while one is known and reachable, else the server's URL, else the
// further endpoints in turn.
type router struct {
	homes  []*url.URL // ServerURL, then Options.Endpoints; never empty
	follow bool       // whether hints are followed

	mu     sync.Mutex
	home   int                  // index into homes of the one to ask
	leader *url.URL             // nil while none is known
	avoid  map[string]time.Time // by host and port: not before
}

// target is where one attempt goes.
type target struct {
	base   *url.URL
	hinted bool // a leader's address from a reply, not from the options
}

// pick returns the target of the next attempt.
func (r *router) pick(write bool) target {
	r.mu.Lock()
	defer r.mu.Unlock()
	if write && r.leader != nil {
		return target{base: r.leader, hinted: true}
	}
	return target{base: r.homes[r.home]}
}

// failed takes note that t did not answer as a license server does.
func (r *router) failed(t target, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !t.hinted {
		if t.base == r.homes[r.home] {
			r.home = (r.home + 1) % len(r.homes)
		}
		return
	}
	if r.leader == t.base {
		r.leader = nil
	}
	for host, until := range r.avoid {
		if now.After(until) {
			delete(r.avoid, host)
		}
	}
	if len(r.avoid) < avoidMost {
		r.avoid[t.base.Host] = now.Add(avoidFor)
	}
}

// unsettled takes note that t answered, but not as the leader.
func (r *router) unsettled(t target) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.hinted && r.leader == t.base {
		r.leader = nil
	}
}

// learn reads the leader's address from a reply, where there is one. It must
// speak the same scheme, so that no key leaves an encrypted connection. Without
// TLS, which would show it, a loopback address of a distant node is this
// machine's own here, where anybody may listen: the key does not go there.
func (r *router) learn(header http.Header, now time.Time) {
	hint := header.Get(leaderHeader)
	if hint == "" || !r.follow {
		return
	}
	u, err := url.Parse(hint)
	if err != nil || u.Scheme != r.homes[0].Scheme || u.Host == "" || u.User != nil ||
		(u.Path != "" && u.Path != "/") || u.RawQuery != "" ||
		isUnspecified(u.Hostname()) ||
		(u.Scheme == "http" && isLoopback(u.Hostname()) && !isLoopback(r.homes[0].Hostname())) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if until, bad := r.avoid[u.Host]; bad && now.Before(until) {
		return
	}
	if r.leader == nil || r.leader.Host != u.Host {
		r.leader = &url.URL{Scheme: u.Scheme, Host: u.Host}
	}
}
