package main

import (
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

// TestDecideAgreesWithPool compares the two seat tables, written apart, for
// every small pool.
func TestDecideAgreesWithPool(t *testing.T) {
	for c := int64(0); c <= 3; c++ {
		for m := int64(0); m <= 3; m++ {
			for commitLive := int64(0); commitLive <= c; commitLive++ {
				for overageLive := int64(0); overageLive <= m; overageLive++ {
					for n := int64(1); n <= 5; n++ {
						for _, allow := range []bool{false, true} {
							gotC, gotO, gotCode := entitlement{c, m}.decide(commitLive, overageLive, n, allow)
							e := cloudlicenses.Entitlement{Total: c + m, CommitQty: c, MaxOverage: m}
							wantC, wantO, wantCode := cloudlicenses.Pool{Commit: commitLive, Overage: overageLive}.Grant(e, n, allow)
							require.Equal(t, []any{wantC, wantO, string(wantCode)}, []any{gotC, gotO, gotCode},
								"C=%d M=%d live=%d+%d n=%d allow=%t", c, m, commitLive, overageLive, n, allow)
						}
					}
				}
			}
		}
	}
}

// op builds one operation of a history.
func op(call, ret int64, in request, out outcome) porcupine.Operation {
	return porcupine.Operation{Input: in, Call: call, Output: out, Return: ret}
}

func checkout(n int64) request { return request{Kind: opCheckout, Count: n, AllowOverage: true} }

// TestHistories shows what the judge accepts and what it refuses.
func TestHistories(t *testing.T) {
	one := entitlement{Commit: 1, Overage: 1}
	full := outcome{Code: "overage_max_exceeded"}
	cases := []struct {
		name string
		ops  []porcupine.Operation
		want porcupine.CheckResult
	}{
		{"grant, overage, refusal", []porcupine.Operation{
			op(0, 1, checkout(1), outcome{Lease: "lease-1", Commit: 1}),
			op(2, 3, checkout(1), outcome{Lease: "lease-2", Overage: 1}),
			op(4, 5, checkout(1), full),
		}, porcupine.Ok},
		{"one seat too many", []porcupine.Operation{
			op(0, 1, checkout(2), outcome{Lease: "lease-1", Commit: 1, Overage: 1}),
			op(2, 3, checkout(1), outcome{Lease: "lease-2", Overage: 1}),
		}, porcupine.Illegal},
		{"refused while a seat was free", []porcupine.Operation{
			op(0, 1, checkout(1), outcome{Lease: "lease-1", Commit: 1}),
			op(2, 3, checkout(1), full),
		}, porcupine.Illegal},
		{"commit seat charged as overage", []porcupine.Operation{
			op(0, 1, checkout(1), outcome{Lease: "lease-1", Overage: 1}),
		}, porcupine.Illegal},
		{"concurrent grants in either order", []porcupine.Operation{
			op(0, 9, checkout(1), outcome{Lease: "lease-2", Overage: 1}),
			op(1, 8, checkout(1), outcome{Lease: "lease-1", Commit: 1}),
		}, porcupine.Ok},
		{"stale read", []porcupine.Operation{
			op(0, 1, checkout(1), outcome{Lease: "lease-1", Commit: 1}),
			op(2, 3, request{Kind: opRead}, outcome{}),
		}, porcupine.Illegal},
		{"read beside a checkout may miss it", []porcupine.Operation{
			op(0, 5, checkout(1), outcome{Lease: "lease-1", Commit: 1}),
			op(2, 3, request{Kind: opRead}, outcome{}),
		}, porcupine.Ok},
		{"lost lease", []porcupine.Operation{
			op(0, 1, checkout(1), outcome{Lease: "lease-1", Commit: 1}),
			op(2, 3, request{Kind: opReturn, Lease: "lease-1"}, outcome{Code: "lease_not_found"}),
		}, porcupine.Illegal},
		{"heartbeat after return", []porcupine.Operation{
			op(0, 1, checkout(1), outcome{Lease: "lease-1", Commit: 1}),
			op(2, 3, request{Kind: opReturn, Lease: "lease-1"}, outcome{}),
			op(4, 5, request{Kind: opReturn, Lease: "lease-1"}, outcome{}),
			op(6, 7, request{Kind: opHeartbeat, Lease: "lease-1"}, outcome{Code: "lease_released"}),
		}, porcupine.Ok},
		{"heartbeat revives a returned lease", []porcupine.Operation{
			op(0, 1, checkout(1), outcome{Lease: "lease-1", Commit: 1}),
			op(2, 3, request{Kind: opReturn, Lease: "lease-1"}, outcome{}),
			op(4, 5, request{Kind: opHeartbeat, Lease: "lease-1"}, outcome{}),
		}, porcupine.Illegal},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, one.linearizable(c.ops)) })
	}
}

// TestDoubtsAreResolvedByTheAuditLog shows a seat that somebody took without
// being told: without the audit record the refusal after it is inexplicable.
func TestDoubtsAreResolvedByTheAuditLog(t *testing.T) {
	p := &pool{entitlement: entitlement{Commit: 1}}
	p.suspect(doubt{request: request{Kind: opCheckout, User: "u1", Count: 1}, call: 1})
	p.record(event{Request: request{Kind: opCheckout, User: "u2", Count: 1}, Call: 5, Outcome: outcome{Code: "license_unavailable"}, Return: 6})
	require.Equal(t, porcupine.Illegal, p.entitlement.linearizable(p.history(nil)))
	late := map[string]auditRecord{"u1": {LeaseID: "lease-1", Count: 1}}
	require.Equal(t, porcupine.Ok, p.entitlement.linearizable(p.history(late)))
}
