package shard

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

var platform = license.By{Platform: true}

// attempt is one checkout of a storm.
type attempt struct {
	code   cloudlicenses.Code
	begun  time.Time
	after  bool // begun after the change was acknowledged
	before bool // ended before the change was asked for
}

// storm has every node check seats out by a key, and return them, while change
// runs. Each attempt knows on which side of the acknowledgment it began.
func (c *trio) storm(tenant CreatedTenant, key string, change func(ctx context.Context)) (attempts []attempt) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Minute)
	defer cancel()
	var asked, acknowledged atomic.Bool
	var granted, refusedAfter atomic.Int64
	var serial atomic.Uint64
	var mu sync.Mutex
	var askers sync.WaitGroup
	const perNode, enough = 4, 60
	for i := range perNode * len(c.nodes) {
		askers.Add(1)
		go func() {
			defer askers.Done()
			door := c.shards[i%len(c.shards)]
			caller := license.Caller{KeyHash: HashAPIKey(door.Secrets().KeyHMAC, key), Hostname: "ws-1", Address: "10.0.0.1"}
			for ctx.Err() == nil && refusedAfter.Load() < enough {
				a := attempt{after: acknowledged.Load(), begun: time.Now()}
				var r license.LeaseResult
				n := serial.Add(1)
				_, err := door.Do(ctx, tenant.TenantID, Command{Op: license.OpCheckout, Result: &r, Payload: &license.Checkout{
					Caller: caller, Intent: [16]byte{2, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)},
					ProductID: "cad", User: "alice", Count: 1, TTLMillis: 300_000,
				}})
				if err != nil {
					continue // no leader for a moment: nothing was answered
				}
				a.code, a.before = r.Code, !asked.Load()
				mu.Lock()
				attempts = append(attempts, a)
				mu.Unlock()
				switch {
				case r.Code == cloudlicenses.OK && a.after:
					cancel() // it does not hold: there is no more to see
				case r.Code == cloudlicenses.OK:
					granted.Add(1)
					_, _ = door.Do(ctx, tenant.TenantID, Command{
						Op: license.OpReturn, Payload: &license.Return{Caller: caller, LeaseID: r.Lease.ID}, Result: &license.LeaseResult{},
					})
				case a.after:
					refusedAfter.Add(1)
				}
			}
		}()
	}
	require.Eventually(c.t, func() bool { return granted.Load() >= enough }, time.Minute, time.Millisecond)
	asked.Store(true)
	change(ctx)
	acknowledged.Store(true)
	// Where the change does not hold, nothing would ever be refused after it.
	watch := time.AfterFunc(time.Minute, cancel)
	defer watch.Stop()
	askers.Wait()
	return attempts
}

// TestRevocationHoldsEverywhere: once a revocation, a restriction or a rotation
// without overlap is acknowledged, by whichever node, no checkout that begins
// after it succeeds by the key as it was, at any node; nor when the leader has
// gone since.
func TestRevocationHoldsEverywhere(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	tenant, err := c.shards[0].CreateTenant(t.Context(), CreateTenantRequest{ID: "mercedes", Licenses: []LicenseSpec{{ProductID: "cad", CommitQty: 100}}})
	require.NoError(t, err)
	do := func(ctx context.Context, node int, op fsm.Op, payload msgp.Marshaler) {
		result, _, err := c.shards[node].DoKey(ctx, tenant.TenantID, op, payload)
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.OK, result.Code, result.Detail)
	}
	for i, change := range []struct {
		name string
		code cloudlicenses.Code
		make func(ctx context.Context, node int, id cloudlicenses.KeyID)
	}{
		{"revoked", cloudlicenses.KeyRevoked, func(ctx context.Context, node int, id cloudlicenses.KeyID) {
			do(ctx, node, license.OpRevokeKey, &license.RevokeKey{By: platform, ID: id})
		}},
		{"restricted", cloudlicenses.HostnameNotAllowed, func(ctx context.Context, node int, id cloudlicenses.KeyID) {
			do(ctx, node, license.OpRestrictKey, &license.RestrictKey{
				By: platform, ID: id, Set: license.RestrictHostnames, Restrictions: license.Restrictions{Hostnames: []string{"ws-2"}},
			})
		}},
		{"rotated", cloudlicenses.KeyExpired, func(ctx context.Context, node int, id cloudlicenses.KeyID) {
			result, _, err := c.shards[node].RotateKey(ctx, tenant.TenantID, platform, id, NewAPIKey(tenant.TenantID), 0)
			require.NoError(t, err)
			require.Equal(t, cloudlicenses.OK, result.Code)
		}},
		{"revoked and the leader gone", cloudlicenses.KeyRevoked, func(ctx context.Context, node int, id cloudlicenses.KeyID) {
			leader := c.leader(cluster.GroupID(c.tenantOf(tenant.TenantID).Group))
			do(ctx, leader, license.OpRevokeKey, &license.RevokeKey{By: platform, ID: id})
			c.stop(leader)
		}},
	} {
		text := NewAPIKey(tenant.TenantID)
		made, _, err := c.shards[i%3].GenerateKey(t.Context(), tenant.TenantID, platform, text, license.Key{
			AppName: "app", Scopes: cloudlicenses.ScopeCheckout | cloudlicenses.ScopeReturn,
		})
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.OK, made.Code, made.Detail)
		granted, refused := 0, 0
		for _, a := range c.storm(tenant, text, func(ctx context.Context) { change.make(ctx, (i+1)%3, made.Key.Key.ID) }) {
			switch {
			case a.code == cloudlicenses.OK && a.after:
				t.Fatalf("%s: a checkout that began %s after it was acknowledged was granted", change.name, a.begun)
			case a.code == cloudlicenses.OK:
				granted++
			default:
				require.Equal(t, change.code, a.code, change.name)
				require.False(t, a.before, "%s: refused before it was asked for", change.name)
				refused++
			}
		}
		require.GreaterOrEqual(t, granted, 60, change.name)
		require.GreaterOrEqual(t, refused, 60, change.name)
	}
}

// TestKeysAreMadeOnce: a command that is repeated makes no second key, and a
// rotation no second secret.
func TestKeysAreMadeOnce(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	tenant, err := c.shards[0].CreateTenant(t.Context(), CreateTenantRequest{ID: "mercedes"})
	require.NoError(t, err)
	id := RepeatableKeyID(tenant.TenantID, "user-1", []byte("k"))
	require.NotEqual(t, id, RepeatableKeyID(tenant.TenantID, "user-2", []byte("k")))
	require.NotEqual(t, id, RepeatableKeyID("bmw", "user-1", []byte("k")))
	text, next := NewAPIKey(tenant.TenantID), NewAPIKey(tenant.TenantID)
	key := license.Key{ID: id, AppName: "app", Scopes: cloudlicenses.ScopeCheckout}
	var first license.KeyResult
	for i := range 6 {
		made, _, err := c.shards[i%3].GenerateKey(t.Context(), tenant.TenantID, platform, text, key)
		require.NoError(t, err)
		if i == 0 {
			first = made
		}
		require.Equal(t, first, made)
	}
	other, _, err := c.shards[1].GenerateKey(t.Context(), tenant.TenantID, platform, next, key)
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.AlreadyExists, other.Code)
	for i := range 6 {
		rotated, _, err := c.shards[i%3].RotateKey(t.Context(), tenant.TenantID, platform, id, next, time.Hour)
		require.NoError(t, err)
		require.Len(t, rotated.Key.Key.Earlier, 1)
	}
	var page license.KeyPage
	_, err = c.shards[2].Read(t.Context(), tenant.TenantID, Command{Op: license.QueryKeys, Payload: &license.ListKeys{}, Result: &page}, ReadOptions{Linearizable: true})
	require.NoError(t, err)
	require.Len(t, page.Items, 2, fmt.Sprint(page.Items))
}

// TestRatesAreExactForTheCluster: however many nodes are asked at once, so many
// checkouts are granted in a minute, also when the leader dies between them.
func TestRatesAreExactForTheCluster(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	tenant, err := c.shards[0].CreateTenant(t.Context(), CreateTenantRequest{ID: "mercedes", Licenses: []LicenseSpec{{ProductID: "cad", CommitQty: 1000}}})
	require.NoError(t, err)
	text := NewAPIKey(tenant.TenantID)
	_, _, err = c.shards[0].GenerateKey(t.Context(), tenant.TenantID, platform, text, license.Key{
		Scopes: cloudlicenses.ScopeCheckout, Restrictions: license.Restrictions{CheckoutsPerMinute: 100},
	})
	require.NoError(t, err)
	tenant.APIKey = text
	gone := c.leader(cluster.GroupID(c.tenantOf(tenant.TenantID).Group))
	began := time.Now()
	granted := 0
	ask := func(round byte, nodes ...int) {
		var mu sync.Mutex
		var askers sync.WaitGroup
		for n := range byte(60) {
			askers.Add(1)
			go func() {
				defer askers.Done()
				var r license.LeaseResult
				door := c.shards[nodes[int(n)%len(nodes)]]
				_, err := door.Do(t.Context(), tenant.TenantID, Command{Op: license.OpCheckout, Result: &r, Payload: &license.Checkout{
					Caller: license.Caller{KeyHash: HashAPIKey(door.Secrets().KeyHMAC, text)},
					Intent: [16]byte{3, round, n}, ProductID: "cad", User: "u", Count: 1, TTLMillis: 300_000,
				}})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				} else if r.Code == cloudlicenses.OK {
					granted++
				}
			}()
		}
		askers.Wait()
	}
	ask(0, 0, 1, 2)
	require.Equal(t, 60, granted)
	c.stop(gone)
	ask(1, (gone+1)%3, (gone+2)%3)
	ask(2, (gone+1)%3, (gone+2)%3)
	if time.Since(began) < time.Minute { // else the window has slid meanwhile
		require.Equal(t, 100, granted)
	}
}
