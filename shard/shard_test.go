package shard

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

func revoke(result *license.Ack) Command {
	return Command{Op: license.OpRevokeKey, Payload: &license.RevokeKey{ID: "key-1"}, Result: result}
}

func TestDoSendsToTheTenantsGroup(t *testing.T) {
	engine, s := newScript(t)
	engine.active("mercedes", 2, 5)
	engine.propose = func(_ int, group cluster.GroupID, h fsm.Header, tenant string) (cluster.Reply, error) {
		require.Equal(t, cluster.GroupID(2), group)
		require.Equal(t, fsm.Header{Op: license.OpRevokeKey, Version: license.Version, Epoch: 5}, h)
		require.Equal(t, "mercedes", tenant)
		r := ackReply(t, 1042, cloudlicenses.NotFound)
		r.LeaderURL = "http://n2"
		return r, nil
	}
	var ack license.Ack
	w, err := s.Do(t.Context(), "mercedes", revoke(&ack))
	require.NoError(t, err)
	require.Equal(t, Written{Applied: "g2:1042", LeaderURL: "http://n2"}, w)
	require.Equal(t, cloudlicenses.NotFound, ack.Code)
	_, err = s.Do(t.Context(), "mercedes", revoke(&ack))
	require.NoError(t, err)
	require.Equal(t, 1, engine.asked, "the placement is cached")
}

// TestUnknownTenantIsConfirmed: what the local replica lacks is asked of the
// leader before anyone is told that it is not there.
func TestUnknownTenantIsConfirmed(t *testing.T) {
	engine, s := newScript(t)
	engine.propose = func(int, cluster.GroupID, fsm.Header, string) (cluster.Reply, error) {
		return ackReply(t, 1, cloudlicenses.OK), nil
	}
	var ack license.Ack
	_, err := s.Do(t.Context(), "mercedes", revoke(&ack))
	require.ErrorIs(t, err, ErrTenantNotFound)
	require.Equal(t, 1, engine.barriers)

	engine.active("mercedes", 1, 1)
	delete(engine.lagging, "mercedes")
	_, err = s.Do(t.Context(), "mercedes", revoke(&ack))
	require.NoError(t, err)
	require.Equal(t, 2, engine.barriers)

	_, err = s.Do(t.Context(), "No Such Name", revoke(&ack))
	require.ErrorIs(t, err, ErrTenantNotFound)
	require.Equal(t, 2, engine.barriers, "what can't be a tenant is not asked for")
}

func TestInactiveTenantIsNotFound(t *testing.T) {
	engine, s := newScript(t)
	pending := engine.active("mercedes", 1, 1)
	pending.Status = cloudlicenses.TenantPending
	engine.tenants["mercedes"], engine.lagging["mercedes"] = pending, pending
	_, err := s.Do(t.Context(), "mercedes", revoke(&license.Ack{}))
	require.ErrorIs(t, err, ErrTenantNotFound)
}

// TestSuspendedTenantIsServed: what one may not do is its group's to say.
func TestSuspendedTenantIsServed(t *testing.T) {
	for _, status := range []cloudlicenses.TenantStatus{cloudlicenses.TenantSuspended, cloudlicenses.TenantDeleting} {
		engine, s := newScript(t)
		engine.propose = func(int, cluster.GroupID, fsm.Header, string) (cluster.Reply, error) {
			return ackReply(t, 1, cloudlicenses.OK), nil
		}
		tenant := engine.active("mercedes", 1, 1)
		tenant.Status = status
		engine.tenants["mercedes"], engine.lagging["mercedes"] = tenant, tenant
		_, err := s.Do(t.Context(), "mercedes", revoke(&license.Ack{}))
		require.NoError(t, err)
	}
}

// TestRemovalIsSeen: a cached placement does not outlive placementLife.
func TestRemovalIsSeen(t *testing.T) {
	engine, s := newScript(t)
	now := time.Unix(1000, 0)
	s.places.now = func() time.Time { return now }
	engine.propose = func(int, cluster.GroupID, fsm.Header, string) (cluster.Reply, error) {
		return ackReply(t, 1, cloudlicenses.OK), nil
	}
	engine.active("mercedes", 1, 1)
	_, err := s.Do(t.Context(), "mercedes", revoke(&license.Ack{}))
	require.NoError(t, err)
	delete(engine.tenants, "mercedes")
	delete(engine.lagging, "mercedes")
	now = now.Add(placementLife)
	_, err = s.Do(t.Context(), "mercedes", revoke(&license.Ack{}))
	require.ErrorIs(t, err, ErrTenantNotFound)
}

// TestDirectoryOutOfReach: tenants that are known go on without it.
func TestDirectoryOutOfReach(t *testing.T) {
	engine, s := newScript(t)
	now := time.Unix(1000, 0)
	s.places.now = func() time.Time { return now }
	engine.active("mercedes", 1, 1)
	engine.propose = func(int, cluster.GroupID, fsm.Header, string) (cluster.Reply, error) {
		return ackReply(t, 1, cloudlicenses.OK), nil
	}
	_, err := s.Do(t.Context(), "mercedes", revoke(&license.Ack{}))
	require.NoError(t, err)
	engine.away = true
	now = now.Add(placementLife)
	_, err = s.Do(t.Context(), "mercedes", revoke(&license.Ack{}))
	require.NoError(t, err)
	_, err = s.Do(t.Context(), "bmw", revoke(&license.Ack{}))
	require.ErrorIs(t, err, cluster.ErrClosed)
}

// TestConfirmationsDoNotPileUp: a crowd that asks for unknown tenants costs
// the leader two reads, not one each.
func TestConfirmationsDoNotPileUp(t *testing.T) {
	engine, s := newScript(t)
	engine.mu.Lock() // the first read waits until all have come
	var crowd sync.WaitGroup
	const callers = 50
	for range callers {
		crowd.Add(1)
		go func() {
			defer crowd.Done()
			_, err := s.places.barrier(t.Context())
			require.NoError(t, err)
		}()
	}
	require.Eventually(t, func() bool {
		s.places.barrierMu.Lock()
		defer s.places.barrierMu.Unlock()
		return s.places.waiting != nil && s.places.waiting.waiters+s.places.running.waiters == callers
	}, 5*time.Second, time.Millisecond)
	engine.mu.Unlock()
	crowd.Wait()
	require.Equal(t, 2, engine.barriers)
}

// TestStalePlacementIsRefreshedOnce covers a tenant that moved, and one whose
// new group does not know it either.
func TestStalePlacementIsRefreshedOnce(t *testing.T) {
	engine, s := newScript(t)
	engine.active("mercedes", 1, 1)
	engine.propose = func(n int, group cluster.GroupID, h fsm.Header, _ string) (cluster.Reply, error) {
		if h.Epoch == 1 {
			moved := engine.tenants["mercedes"]
			moved.Group, moved.Epoch = 2, 2
			engine.tenants["mercedes"] = moved
			return ackReply(t, 1, cloudlicenses.StalePlacement), nil
		}
		require.Equal(t, cluster.GroupID(2), group)
		if n > 1 {
			return ackReply(t, 1, cloudlicenses.StalePlacement), nil
		}
		return ackReply(t, 9, cloudlicenses.OK), nil
	}
	w, err := s.Do(t.Context(), "mercedes", revoke(&license.Ack{}))
	require.NoError(t, err)
	require.Equal(t, "g2:9", w.Applied)
	_, err = s.Do(t.Context(), "mercedes", revoke(&license.Ack{}))
	require.ErrorIs(t, err, ErrTenantMoving)
	require.Equal(t, 4, engine.proposed)
}

// TestLaggingReplicaDoesNotUndoARefresh: after a refresh the local replica may
// still show the old placement, which is then not taken for the new one.
func TestLaggingReplicaDoesNotUndoARefresh(t *testing.T) {
	engine, s := newScript(t)
	now := time.Unix(1000, 0)
	s.places.now = func() time.Time { return now }
	engine.active("mercedes", 1, 1)
	moved := engine.tenants["mercedes"]
	moved.Group, moved.Epoch = 2, 2
	engine.tenants["mercedes"] = moved
	at, err := s.places.refresh(t.Context(), "mercedes")
	require.NoError(t, err)
	require.Equal(t, uint32(2), at.epoch)
	now = now.Add(placementLife)
	at, err = s.places.find(t.Context(), "mercedes")
	require.NoError(t, err)
	require.Equal(t, uint32(2), at.epoch)
}

func TestDoAllRepeatsOnlyWhatWasStale(t *testing.T) {
	engine, s := newScript(t)
	engine.active("mercedes", 1, 1)
	engine.propose = func(n int, _ cluster.GroupID, _ fsm.Header, _ string) (cluster.Reply, error) {
		switch n {
		case 0:
			return ackReply(t, 3, cloudlicenses.OK), nil
		case 1:
			return ackReply(t, 4, cloudlicenses.StalePlacement), nil
		default:
			return ackReply(t, 5, cloudlicenses.NotFound), nil
		}
	}
	var first, second license.Ack
	w, err := s.DoAll(t.Context(), "mercedes", []Command{revoke(&first), revoke(&second)})
	require.NoError(t, err)
	require.Equal(t, "g1:5", w.Applied)
	require.Equal(t, cloudlicenses.OK, first.Code)
	require.Equal(t, cloudlicenses.NotFound, second.Code)
	require.Equal(t, 3, engine.proposed)
}

// TestOutcomesAreSettled: while there is time, an unknown outcome or a missing
// leader is asked again; in the end the caller learns whether anything may
// have happened.
func TestOutcomesAreSettled(t *testing.T) {
	for name, c := range map[string]struct {
		errs []error // of one try after the other; the last one repeats
		want error
	}{
		"granted after a failover":   {[]error{cluster.ErrNoLeader, cluster.ErrOutcomeUnknown, cluster.ErrNoGroup, nil}, nil},
		"never a leader":             {[]error{cluster.ErrNoLeader}, cluster.ErrNoLeader},
		"no such group":              {[]error{cluster.ErrNoGroup}, cluster.ErrNoLeader},
		"unknown stays unknown":      {[]error{cluster.ErrOutcomeUnknown, cluster.ErrNoLeader}, cluster.ErrOutcomeUnknown},
		"overloaded at once":         {[]error{cluster.ErrOverloaded}, cluster.ErrOverloaded},
		"overloaded after a doubt":   {[]error{cluster.ErrOutcomeUnknown, cluster.ErrOverloaded}, cluster.ErrOutcomeUnknown},
		"closed at once":             {[]error{cluster.ErrClosed}, cluster.ErrClosed},
		"deadline inside the engine": {[]error{context.DeadlineExceeded}, cluster.ErrOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			engine, s := newScript(t)
			engine.active("mercedes", 1, 1)
			engine.propose = func(n int, _ cluster.GroupID, _ fsm.Header, _ string) (cluster.Reply, error) {
				if err := c.errs[min(n, len(c.errs)-1)]; err != nil {
					return cluster.Reply{}, err
				}
				return ackReply(t, 1, cloudlicenses.OK), nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := s.Do(ctx, "mercedes", revoke(&license.Ack{}))
			require.ErrorIs(t, err, c.want)
			if c.want == nil {
				require.NoError(t, err)
			}
		})
	}
}

// TestLaterTriesSaySo: a checkout that is asked again tells its machine how
// often it was sent before, and stays the request that it is.
func TestLaterTriesSaySo(t *testing.T) {
	var tries []license.Checkout
	engine, s := newScript(t)
	engine.active("mercedes", 1, 1)
	engine.commands = func(_ int, _ fsm.Header, payload []byte) {
		var c license.Checkout
		require.NoError(t, decode(payload, &c))
		tries = append(tries, c)
	}
	engine.propose = func(n int, _ cluster.GroupID, _ fsm.Header, _ string) (cluster.Reply, error) {
		if n%3 < 2 {
			return cluster.Reply{}, []error{cluster.ErrOutcomeUnknown, cluster.ErrNoLeader}[n%3]
		}
		b, err := (&license.LeaseResult{}).MarshalMsg(nil)
		return cluster.Reply{Value: b, Index: 1}, err
	}
	asked := &license.Checkout{User: "alice", Request: [16]byte{7}}
	command := Command{Op: license.OpCheckout, Payload: asked, Result: &license.LeaseResult{}}
	_, err := s.Do(t.Context(), "mercedes", command)
	require.NoError(t, err)
	_, err = s.DoAll(t.Context(), "mercedes", []Command{command})
	require.NoError(t, err)
	require.Len(t, tries, 6)
	for i, c := range tries {
		require.Equal(t, license.Checkout{User: "alice", Request: [16]byte{7}, Metadata: []byte{}, Try: uint8(i % 3)}, c)
	}
	require.Zero(t, asked.Try, "the caller's own is left alone")
}

// TestSilentLeader: a leader that does not answer, as a paused process does,
// is given up for the next one long before the request's deadline.
func TestSilentLeader(t *testing.T) {
	engine, s := newScript(t)
	engine.active("mercedes", 1, 1)
	silent := &silence{script: engine}
	s.engine = silent
	engine.propose = func(int, cluster.GroupID, fsm.Header, string) (cluster.Reply, error) {
		return ackReply(t, 1, cloudlicenses.OK), nil
	}
	begun := time.Now()
	_, err := s.Do(t.Context(), "mercedes", revoke(&license.Ack{}))
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(begun), attemptTimeout)
	require.Equal(t, 1, engine.proposed)
}

// silence answers no first command.
type silence struct {
	*script
	broken bool
}

func (s *silence) Propose(ctx context.Context, group cluster.GroupID, command []byte) (cluster.Reply, error) {
	if !s.broken {
		s.broken = true
		<-ctx.Done()
		return cluster.Reply{}, cluster.ErrOutcomeUnknown
	}
	return s.script.Propose(ctx, group, command)
}

func TestResultsAreDecodedStrictly(t *testing.T) {
	engine, s := newScript(t)
	engine.active("mercedes", 1, 1)
	for name, value := range map[string][]byte{
		"nothing":  nil,
		"no tuple": {0xc0},
		"trailing": append(ackReply(t, 1, cloudlicenses.OK).Value, 0),
		"short":    {0x91, 0xa0},
	} {
		engine.propose = func(int, cluster.GroupID, fsm.Header, string) (cluster.Reply, error) {
			return cluster.Reply{Value: value, Index: 1}, nil
		}
		_, err := s.Do(t.Context(), "mercedes", revoke(&license.Ack{}))
		require.Error(t, err, name)
	}
}

func listKeys(page *license.KeyPage) Command {
	return Command{Op: license.QueryKeys, Payload: &license.ListKeys{Limit: 10}, Result: page}
}

// TestReadConfirmsRefusals: a local replica may grant, but only the leader
// refuses.
func TestReadConfirmsRefusals(t *testing.T) {
	engine, s := newScript(t)
	engine.active("mercedes", 1, 1)
	var linearizable []bool
	engine.query = func(n int, opt cluster.ReadOptions) (cluster.Reply, error) {
		linearizable = append(linearizable, opt.Linearizable)
		if n == 0 {
			return reply(t, 3, &license.KeyPage{Code: cloudlicenses.NotFound}), nil
		}
		return reply(t, 4, &license.KeyPage{Next: "x"}), nil
	}
	var page license.KeyPage
	f, err := s.Read(t.Context(), "mercedes", listKeys(&page), ReadOptions{MinIndex: "d:5,g1:3"})
	require.NoError(t, err)
	require.Equal(t, "g1:4", f.Applied)
	require.Equal(t, "x", page.Next)
	require.Equal(t, []bool{false, true}, linearizable)
}

func TestReadRefreshesAStalePlacement(t *testing.T) {
	engine, s := newScript(t)
	engine.active("mercedes", 1, 1)
	engine.query = func(n int, _ cluster.ReadOptions) (cluster.Reply, error) {
		if n < 2 {
			return reply(t, 3, &license.KeyPage{Code: cloudlicenses.StalePlacement}), nil
		}
		return reply(t, 4, &license.KeyPage{}), nil
	}
	_, err := s.Read(t.Context(), "mercedes", listKeys(&license.KeyPage{}), ReadOptions{})
	require.NoError(t, err)
	require.Equal(t, 1, engine.barriers)
}

func TestReadErrors(t *testing.T) {
	engine, s := newScript(t)
	engine.active("mercedes", 1, 1)
	_, err := s.Read(t.Context(), "mercedes", listKeys(&license.KeyPage{}), ReadOptions{MinIndex: "g1"})
	require.ErrorIs(t, err, ErrAppliedIndex)
	for _, c := range []struct{ err, want error }{
		{cluster.ErrNotCaughtUp, cluster.ErrNotCaughtUp},
		{cluster.ErrOutcomeUnknown, cluster.ErrNoLeader},
		{cluster.ErrNoLeader, cluster.ErrNoLeader},
	} {
		engine.query = func(int, cluster.ReadOptions) (cluster.Reply, error) { return cluster.Reply{}, c.err }
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err = s.Read(ctx, "mercedes", listKeys(&license.KeyPage{}), ReadOptions{})
		cancel()
		require.ErrorIs(t, err, c.want)
		require.False(t, errors.Is(err, cluster.ErrOutcomeUnknown))
	}
}

func BenchmarkDo(b *testing.B) {
	engine := &constant{}
	s := newShard(engine, Config{Domain: "example.test"})
	s.places.known["mercedes"] = placement{group: 1, epoch: 1, until: time.Now().Add(time.Hour)}
	engine.reply = ackReply(b, 1, cloudlicenses.OK)
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	checkout := &license.Checkout{ProductID: "davinci-configurator-se", User: "alice@example.test", Count: 1, TTLMillis: 300_000}
	var ack license.Ack
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Do(ctx, "mercedes", Command{Op: license.OpCheckout, Payload: checkout, Result: &ack}); err != nil {
			b.Fatal(err)
		}
	}
}

// constant answers everything alike.
type constant struct{ reply cluster.Reply }

func (c *constant) Propose(context.Context, cluster.GroupID, []byte) (cluster.Reply, error) {
	return c.reply, nil
}

func (c *constant) ProposeAll(context.Context, cluster.GroupID, [][]byte) ([]cluster.Reply, error) {
	return []cluster.Reply{c.reply}, nil
}

func (c *constant) Query(context.Context, cluster.GroupID, []byte, cluster.ReadOptions) (cluster.Reply, error) {
	return c.reply, nil
}
