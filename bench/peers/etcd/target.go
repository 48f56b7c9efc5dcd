package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
	"github.com/cloudlicenses/cloudlicenses/bench/peers/peer"
)

const (
	schemeSwap  = "compare-and-swap"
	schemeSeats = "key-per-seat"

	leaseLasts = time.Hour
	// txnOps is how many operations etcd allows in a transaction.
	txnOps = 128
)

// Keys are /pool/<n> (the counter of compare-and-swap), /lease/<n>/<id>, and
// /seat/<n>/<seat>.
const (
	poolPrefix  = "/pool/"
	leasePrefix = "/lease/"
	seatPrefix  = "/seat/"
)

// Schemes of the peer.
func (Etcd) Schemes() []peer.Scheme {
	return []peer.Scheme{
		{Name: schemeSwap, Kind: peer.Naive, Text: "reads the pool's counter; a transaction puts counter and lease if the counter is still the one that was read, else again after a pause"},
		{Name: schemeSeats, Kind: peer.Expert, Text: "a transaction puts the lease at a random seat's key if there is none; the counter is the number of keys"},
	}
}

// lease is the value of a lease's key.
type lease struct {
	ID        string    `json:"id"`
	Pool      int       `json:"pool"`
	User      string    `json:"user"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// newLease makes a lease and its value.
func newLease(pool int, user string) (id, value string, err error) {
	made, err := uuid.NewV7()
	if err != nil {
		return "", "", err
	}
	now := time.Now().UTC()
	b, err := json.Marshal(lease{ID: made.String(), Pool: pool, User: user, IssuedAt: now, ExpiresAt: now.Add(leaseLasts)})
	return made.String(), string(b), err
}

// target is a cluster with its pools.
type target struct {
	job peer.Job
	// client is shared by all callers: calls on one connection travel in common
	// packets, and more connections make for more packets.
	client   *clientv3.Client
	holdings peer.Holdings
}

// Prepare empties the cluster and makes the pools.
func (c *cluster) Prepare(ctx context.Context, job peer.Job) (load.Target, error) {
	if _, err := peer.SchemeOf(Etcd{}, job.Scheme); err != nil {
		return nil, err
	}
	client, err := connect(ctx, c.leader)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = client.Close() })
	t := &target{job: job, client: client}
	deleted, err := client.Delete(ctx, "/", clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	if _, err := client.Compact(ctx, deleted.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		return nil, err
	}
	if job.Scheme == schemeSwap {
		return t, t.makeCounters(ctx)
	}
	return t, nil
}

// makeCounters puts a counter for each pool.
func (t *target) makeCounters(ctx context.Context) error {
	var puts []clientv3.Op
	for pool := range t.job.Pools {
		puts = append(puts, clientv3.OpPut(poolKey(pool), counter{Seats: t.job.Seats}.String()))
		if len(puts) == txnOps || pool == t.job.Pools-1 {
			if _, err := t.client.Txn(ctx).Then(puts...).Commit(); err != nil {
				return err
			}
			puts = puts[:0]
		}
	}
	return nil
}

func poolKey(pool int) string { return poolPrefix + strconv.Itoa(pool) }

// Caller shares its connection with others.
func (t *target) Caller(ctx context.Context, i int) (load.Caller, error) {
	base := caller{t: t, ctx: ctx, client: t.client, user: "user-" + strconv.Itoa(i)}
	if t.job.Scheme == schemeSwap {
		return &swapCaller{caller: base}, nil
	}
	return &seatCaller{caller: base}, nil
}

// caller is what callers of both schemes have.
type caller struct {
	t      *target
	ctx    context.Context // of every call
	client *clientv3.Client
	user   string
	pool   int
	held   string // key of the lease that is held; empty: none
}

// commit runs a transaction; an error leaves open what it did.
func (c *caller) commit(txn clientv3.Txn) (*clientv3.TxnResponse, error) {
	resp, err := txn.Commit()
	if err != nil {
		c.t.holdings.Lost()
	}
	return resp, err
}

// took notes the lease at key.
func (c *caller) took(pool int, key string) {
	c.pool, c.held = pool, key
	c.t.holdings.Took()
}

// gave notes that the lease has ended.
func (c *caller) gave() {
	c.held = ""
	c.t.holdings.Gave()
}

// Verify reads every pool and every lease.
func (t *target) Verify(ctx context.Context) (load.Account, error) {
	books := peer.NewBooks(t.job.Pools)
	prefix := leasePrefix
	if t.job.Scheme == schemeSeats {
		prefix = seatPrefix
	}
	for pool := range t.job.Pools {
		counted, err := t.inUse(ctx, pool)
		if err != nil {
			return load.Account{}, err
		}
		books.Counted[pool] = counted
	}
	all, err := t.client.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return load.Account{}, err
	}
	seen := make(map[string]struct{})
	for _, kv := range all.Kvs {
		var l lease
		if err := json.Unmarshal(kv.Value, &l); err != nil {
			return load.Account{}, fmt.Errorf("lease at %s: %w", kv.Key, err)
		}
		_, twice := seen[l.ID]
		if twice || l.Pool >= t.job.Pools || !strings.HasPrefix(string(kv.Key), prefix+strconv.Itoa(l.Pool)+"/") {
			return load.Account{}, fmt.Errorf("lease at %s does not belong there: %s", kv.Key, kv.Value)
		}
		seen[l.ID] = struct{}{}
		books.Leases[l.Pool]++
	}
	return t.holdings.Check(books)
}

// inUse is what the pool counts.
func (t *target) inUse(ctx context.Context, pool int) (int64, error) {
	if t.job.Scheme == schemeSeats {
		keys, err := t.client.Get(ctx, poolSeats(pool), clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			return 0, err
		}
		return keys.Count, nil
	}
	resp, err := t.client.Get(ctx, poolKey(pool))
	if err != nil {
		return 0, err
	}
	if len(resp.Kvs) == 0 {
		return 0, errors.New("no counter at " + poolKey(pool))
	}
	n, err := parseCounter(resp.Kvs[0].Value)
	return int64(n.InUse), err
}
