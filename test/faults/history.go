package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// forever is the return time of an operation whose effect nobody waited for.
const forever = math.MaxInt64

// event is one operation of a pool's history. Times are nanoseconds since the
// run began, on the monotonic clock.
type event struct {
	Client  int     `json:"client"`
	Request request `json:"request"`
	Call    int64   `json:"call"`
	Outcome outcome `json:"outcome"`
	Return  int64   `json:"return"`
}

// doubt is a checkout that may have taken effect although nobody was told: its
// attempts ended without an answer, or one did and a later one was refused.
// The audit log says in the end whether it did.
type doubt struct {
	client  int
	request request
	call    int64
	// denied: every attempt was answered by a code which promises that nothing
	// happened, so that a grant is a broken promise.
	denied bool
	trail  []string
}

// grant is an acknowledged checkout.
type grant struct {
	tenant  string
	license string
	user    string
	lease   string
	count   int64
	overage int64
}

// pool is one license and what was done to it.
type pool struct {
	tenant      *tenant
	product     string
	license     string
	entitlement entitlement

	mu     sync.Mutex
	events []event
	doubts []doubt
	begun  int // operations begun: bounds the history
}

// begin reserves room for one more operation, or reports that the history has
// reached its bound.
func (p *pool) begin(limit int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun >= limit {
		return false
	}
	p.begun++
	return true
}

func (p *pool) record(e event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
}

func (p *pool) suspect(d doubt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doubts = append(p.doubts, d)
}

// definite returns what happened to the pool: what clients were told, and the
// checkouts nobody was told about that did take effect, by user.
func (p *pool) definite(late map[string]auditRecord) []event {
	p.mu.Lock()
	defer p.mu.Unlock()
	events := slices.Clone(p.events)
	for _, d := range p.doubts {
		if r, ok := late[d.request.User]; ok {
			out := outcome{Lease: r.LeaseID, Commit: r.Count - r.OverageCount, Overage: r.OverageCount}
			events = append(events, event{d.client, d.request, d.call, out, forever})
		}
	}
	return events
}

// history is definite in Porcupine's form.
func (p *pool) history(late map[string]auditRecord) []porcupine.Operation {
	var ops []porcupine.Operation
	for _, e := range p.definite(late) {
		ops = append(ops, porcupine.Operation{ClientId: e.Client, Input: e.Request, Call: e.Call, Output: e.Outcome, Return: e.Return})
	}
	return ops
}

// dump writes the history as JSON lines in order of call and returns the
// file's path.
func (p *pool) dump(dir string, late map[string]auditRecord) (string, error) {
	events := p.definite(late)
	slices.SortFunc(events, func(a, b event) int { return cmp.Compare(a.Call, b.Call) })
	path := filepath.Join(dir, fmt.Sprintf("history-%s-%s.jsonl", p.tenant.id, p.product))
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	enc := json.NewEncoder(f)
	for _, e := range events {
		if err := enc.Encode(e); err != nil {
			return "", err
		}
	}
	return path, nil
}

// clock measures the run in nanoseconds since it began, monotonic.
type clock struct{ start time.Time }

func (c clock) now() int64 { return int64(time.Since(c.start)) }

// at is a moment of the run as a wall clock shows it.
func (c clock) at(nanos int64) time.Time { return c.start.Add(time.Duration(nanos)) }
