package main

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// entitlement is what a pool allows: commit seats C and at most M overage
// seats, of which the operator's `tenant create` makes T = C + M.
type entitlement struct {
	Commit  int64
	Overage int64
}

// decide is the seat table of the contract for T = C + M: what n seats are
// made of when so many committed and overage seats are live, or the code of
// the refusal.
func (e entitlement) decide(commitLive, overageLive, n int64, allowOverage bool) (commit, overage int64, code string) {
	free := e.Commit + e.Overage - commitLive - overageLive
	commitFree := max(0, e.Commit-commitLive)
	overageFree := max(0, e.Overage-overageLive)
	switch {
	case free < n && e.Overage == 0:
		return 0, 0, "license_unavailable"
	case free < n:
		return 0, 0, "overage_max_exceeded"
	case n <= commitFree:
		return n, 0, ""
	case e.Overage == 0:
		return 0, 0, "license_unavailable"
	case !allowOverage && overageFree > 0:
		return 0, 0, "overage_declined"
	case n-commitFree > overageFree:
		return 0, 0, "overage_max_exceeded"
	}
	return commitFree, n - commitFree, ""
}

// opKind says what a client asked of a pool.
type opKind uint8

const (
	opCheckout opKind = iota
	opReturn
	opHeartbeat
	opRead // linearizable read of the pool's counters
)

func (k opKind) String() string {
	return [...]string{"checkout", "return", "heartbeat", "read"}[k]
}

// request is the input of one operation on a pool.
type request struct {
	Kind         opKind `json:"kind"`
	User         string `json:"user,omitempty"`  // of a checkout: names the operation
	Count        int64  `json:"count,omitempty"` // seats of a checkout
	AllowOverage bool   `json:"allow_overage,omitempty"`
	Lease        string `json:"lease,omitempty"` // of return and heartbeat
}

// outcome is what an operation came to: definite by construction, since what
// stayed unknown is resolved from the audit log before histories are checked.
type outcome struct {
	Code    string `json:"code,omitempty"`  // empty: success
	Lease   string `json:"lease,omitempty"` // granted
	Commit  int64  `json:"commit"`          // seats granted, or in use for a read
	Overage int64  `json:"overage"`
}

// seats are what a live lease holds.
type seats struct {
	lease           string
	commit, overage int64
}

// poolState is the live leases of a pool in order of lease. A state is never
// changed in place.
type poolState []seats

func (s poolState) totals() (commit, overage int64) {
	for _, l := range s {
		commit += l.commit
		overage += l.overage
	}
	return commit, overage
}

func (s poolState) find(lease string) (int, bool) {
	return slices.BinarySearchFunc(s, lease, func(l seats, id string) int { return strings.Compare(l.lease, id) })
}

// step says whether the pool may answer out to in, and the state after it.
func (e entitlement) step(s poolState, in request, out outcome) (bool, poolState) {
	switch in.Kind {
	case opCheckout:
		return e.stepCheckout(s, in, out)
	case opReturn:
		at, live := s.find(in.Lease)
		if out.Code != "" {
			return false, s // its holder alone returns it, and no lease here expires
		}
		if !live { // a repeated return repeats its reply
			return true, s
		}
		return true, slices.Delete(slices.Clone(s), at, at+1)
	case opHeartbeat:
		_, live := s.find(in.Lease)
		if live {
			return out.Code == "", s
		}
		return out.Code == "lease_released", s
	case opRead:
		commit, overage := s.totals()
		return out.Commit == commit && out.Overage == overage, s
	}
	panic(fmt.Sprintf("operation of kind %d", in.Kind))
}

func (e entitlement) stepCheckout(s poolState, in request, out outcome) (bool, poolState) {
	commitLive, overageLive := s.totals()
	commit, overage, code := e.decide(commitLive, overageLive, in.Count, in.AllowOverage)
	if code != out.Code {
		return false, s
	}
	if code != "" {
		return true, s
	}
	at, taken := s.find(out.Lease)
	if taken || commit != out.Commit || overage != out.Overage {
		return false, s
	}
	return true, slices.Insert(slices.Clone(s), at, seats{out.Lease, commit, overage})
}

// model is the pool as Porcupine knows it.
func (e entitlement) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return poolState(nil) },
		Step: func(state, input, output any) (bool, any) {
			return e.step(as[poolState](state), as[request](input), as[outcome](output))
		},
		Equal: func(a, b any) bool { return slices.Equal(as[poolState](a), as[poolState](b)) },
		Hash: func(state any) uint64 {
			h := fnv.New64a()
			for _, l := range as[poolState](state) {
				h.Write([]byte(l.lease))
				h.Write([]byte{byte(l.commit), byte(l.overage)})
			}
			return h.Sum64()
		},
		DescribeOperation: func(input, output any) string {
			return describe(as[request](input), as[outcome](output))
		},
		DescribeState: func(state any) string {
			commit, overage := as[poolState](state).totals()
			return fmt.Sprintf("commit %d overage %d", commit, overage)
		},
	}
}

// as unwraps what the model itself wrapped: another type is a mistake here.
func as[T any](v any) T {
	t, ok := v.(T)
	if !ok {
		panic(fmt.Sprintf("a %T where the model expects another type", v))
	}
	return t
}

func describe(in request, out outcome) string {
	result := out.Code
	if result == "" {
		result = fmt.Sprintf("%s commit=%d overage=%d", out.Lease, out.Commit, out.Overage)
	}
	switch in.Kind {
	case opCheckout:
		return fmt.Sprintf("checkout %s n=%d overage=%t → %s", in.User, in.Count, in.AllowOverage, result)
	case opReturn, opHeartbeat:
		return fmt.Sprintf("%s %s → %s", in.Kind, in.Lease, result)
	default:
		return fmt.Sprintf("%s → %s", in.Kind, result)
	}
}

// checkTimeout bounds the search for a linearization of one pool's history.
const checkTimeout = 30 * time.Second

// linearizable reports whether the history fits the pool's model: Ok, Illegal,
// or Unknown when the time ran out.
func (e entitlement) linearizable(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(e.model(), history, checkTimeout)
}
