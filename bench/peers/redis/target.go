package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/google/uuid"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
	"github.com/cloudlicenses/cloudlicenses/bench/peers/peer"
)

//go:embed seats.lua
var library string

const (
	schemeCounter = "counter"
	schemeSet     = "set-per-pool"

	poolPrefix  = "pool:"
	leasePrefix = "lease:"

	// waitReplicas have to have a write before it is acknowledged.
	waitReplicas = 1
	waitTimeout  = 5 * time.Second
	leaseLasts   = time.Hour
)

// Schemes of the peer.
func (Redis) Schemes() []peer.Scheme {
	return []peer.Scheme{
		{Name: schemeCounter, Kind: peer.Naive, Text: "a function counts the pool up unless it is full, and makes the lease"},
		{Name: schemeSet, Kind: peer.Expert, Text: "a function pops a seat from the pool's set of free seats, and makes the lease"},
	}
}

// target is a cluster with its pools.
type target struct {
	address  string
	job      peer.Job
	checkout string // name of the function
	giveBack string // name of the function
	holdings peer.Holdings
}

// Prepare empties the cluster and makes the pools.
func (c *cluster) Prepare(ctx context.Context, job peer.Job) (load.Target, error) {
	if _, err := peer.SchemeOf(Redis{}, job.Scheme); err != nil {
		return nil, err
	}
	t := &target{address: c.address, job: job, checkout: "counter_checkout", giveBack: "counter_return"}
	if job.Scheme == schemeSet {
		t.checkout, t.giveBack = "set_checkout", "set_return"
	}
	conn, err := connect(ctx, c.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Do("FLUSHALL"); err != nil {
		return nil, err
	}
	if _, err := conn.Do("FUNCTION", "LOAD", "REPLACE", library); err != nil {
		return nil, fmt.Errorf("load the functions: %w", err)
	}
	for pool := range job.Pools {
		args := redis.Args{poolKey(pool)}
		if job.Scheme == schemeSet {
			for seat := range job.Seats {
				args = args.Add(seat)
			}
			_, err = conn.Do("SADD", args...)
		} else {
			_, err = conn.Do("HSET", args.Add("seats", job.Seats, "in_use", 0)...)
		}
		if err != nil {
			return nil, fmt.Errorf("make pool %d: %w", pool, err)
		}
	}
	// Both replicas start level with the master.
	if n, err := redis.Int(conn.Do("WAIT", nodes-1, waitTimeout.Milliseconds())); err != nil || n < nodes-1 {
		return nil, fmt.Errorf("%d replicas have the pools: %w", n, err)
	}
	return t, nil
}

func poolKey(pool int) string { return poolPrefix + strconv.Itoa(pool) }

// dial connects; the connection fails once ctx is done.
func dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return conn, nil
}

// connect is dial for what is not timed.
func connect(ctx context.Context, address string) (redis.Conn, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return redis.NewConn(conn, 0, 0), nil
}

// Caller has a connection of its own.
func (t *target) Caller(ctx context.Context, i int) (load.Caller, error) {
	conn, err := dial(ctx, t.address)
	if err != nil {
		return nil, err
	}
	return &caller{t: t, wire: newWire(conn), user: "user-" + strconv.Itoa(i)}, nil
}

// caller holds a lease or none.
type caller struct {
	t     *target
	wire  *wire
	user  string
	pool  string // key of the lease's pool
	lease string // key of the lease that is held; empty: none
}

// Checkout makes a lease.
func (c *caller) Checkout(pool int) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	key, lease := poolKey(pool), leasePrefix+id.String()
	now := time.Now()
	if err := c.call(c.t.checkout, "2", key, lease, c.user, millis(now), millis(now.Add(leaseLasts))); err != nil {
		return err
	}
	c.pool, c.lease = key, lease
	c.t.holdings.Took()
	return nil
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// Return ends the lease.
func (c *caller) Return() error {
	err := c.call(c.t.giveBack, "2", c.pool, c.lease)
	if errors.Is(err, load.ErrRefused) {
		return fmt.Errorf("%s was not there", c.lease)
	}
	if err != nil {
		return err
	}
	c.lease = ""
	c.t.holdings.Gave()
	return nil
}

// call calls a function and waits for a replica.
func (c *caller) call(args ...string) error {
	done, replicas, err := c.wire.callAndWait(args...)
	if err != nil {
		c.t.holdings.Lost()
		return err
	}
	if done == 0 {
		return load.ErrRefused
	}
	if replicas < waitReplicas {
		c.t.holdings.Lost()
		return fmt.Errorf("%d replicas acknowledged within %v", replicas, waitTimeout)
	}
	return nil
}

// Close returns what is held.
func (c *caller) Close() error {
	var err error
	if c.lease != "" {
		err = c.Return()
	}
	return errors.Join(err, c.wire.conn.Close())
}

// Verify reads every pool and every lease from the master.
func (t *target) Verify(ctx context.Context) (load.Account, error) {
	conn, err := connect(ctx, t.address)
	if err != nil {
		return load.Account{}, err
	}
	defer conn.Close()
	books := peer.NewBooks(t.job.Pools)
	for pool := range t.job.Pools {
		if books.Counted[pool], err = t.inUse(conn, pool); err != nil {
			return load.Account{}, err
		}
	}
	keys, err := leaseKeys(conn)
	if err != nil {
		return load.Account{}, err
	}
	for key := range keys {
		pool, err := redis.String(conn.Do("HGET", key, "pool"))
		if err != nil {
			return load.Account{}, fmt.Errorf("read %s: %w", key, err)
		}
		n, err := strconv.Atoi(strings.TrimPrefix(pool, poolPrefix))
		if err != nil || n >= t.job.Pools {
			return load.Account{}, fmt.Errorf("%s is of pool %q", key, pool)
		}
		books.Leases[n]++
	}
	return t.holdings.Check(books)
}

// inUse is what the pool counts.
func (t *target) inUse(conn redis.Conn, pool int) (int64, error) {
	if t.job.Scheme == schemeSet {
		free, err := redis.Int64(conn.Do("SCARD", poolKey(pool)))
		return int64(t.job.Seats) - free, err
	}
	return redis.Int64(conn.Do("HGET", poolKey(pool), "in_use"))
}

// leaseKeys finds all leases. SCAN may show a key twice.
func leaseKeys(conn redis.Conn) (map[string]struct{}, error) {
	found := make(map[string]struct{})
	for cursor := "0"; ; {
		page, err := redis.Values(conn.Do("SCAN", cursor, "MATCH", leasePrefix+"*", "COUNT", 1000))
		if err != nil {
			return nil, err
		}
		var keys []string
		if _, err := redis.Scan(page, &cursor, &keys); err != nil {
			return nil, err
		}
		for _, key := range keys {
			found[key] = struct{}{}
		}
		if cursor == "0" {
			return found, nil
		}
	}
}
