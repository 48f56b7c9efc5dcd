package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
	"github.com/cloudlicenses/cloudlicenses/bench/peers/peer"
)

// Names of the prepared statements.
const (
	checkout = "checkout"
	giveBack = "return"
)

// target is a cluster with its pools.
type target struct {
	port     int // of the primary
	job      peer.Job
	sql      statements
	holdings peer.Holdings
}

// Prepare empties the database and makes the pools.
func (c *cluster) Prepare(ctx context.Context, job peer.Job) (load.Target, error) {
	if _, err := peer.SchemeOf(Postgres{}, job.Scheme); err != nil {
		return nil, err
	}
	t := &target{port: c.port, job: job, sql: schemes[job.Scheme]}
	conn, err := connect(ctx, c.port)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;"+t.sql.tables); err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, t.sql.fill, job.Pools, job.Seats); err != nil {
		return nil, err
	}
	for _, statement := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return nil, err
		}
	}
	return t, c.processes[0].Await(ctx, c.followed)
}

// Caller has a connection of its own.
func (t *target) Caller(ctx context.Context, i int) (load.Caller, error) {
	conn, err := connect(ctx, t.port)
	if err != nil {
		return nil, err
	}
	c := &caller{t: t, conn: conn, user: "user-" + strconv.Itoa(i)}
	for name, sql := range map[string]string{checkout: t.sql.checkout, giveBack: t.sql.giveBack} {
		if _, err := conn.Prepare(ctx, name, sql); err != nil {
			return nil, errors.Join(fmt.Errorf("prepare %s: %w", name, err), conn.Close(ctx))
		}
	}
	// Once for the connection: watching a context in each call would cost.
	context.AfterFunc(ctx, func() { _ = conn.PgConn().Conn().SetDeadline(time.Unix(1, 0)) })
	return c, nil
}

// caller holds a lease or none.
type caller struct {
	t     *target
	conn  *pgx.Conn
	user  string
	pool  int
	seat  int
	lease int64 // that is held; 0: none
}

// Checkout makes a lease.
func (c *caller) Checkout(pool int) error {
	from := 0
	if c.t.sql.searches {
		from = rand.IntN(c.t.job.Seats)
	}
	err := c.take(pool, from)
	if errors.Is(err, pgx.ErrNoRows) && from > 0 {
		err = c.take(pool, 0)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return load.ErrRefused
	}
	if err != nil {
		c.t.holdings.Lost()
		return err
	}
	c.pool = pool
	c.t.holdings.Took()
	return nil
}

// take looks for a free seat from seat from on.
func (c *caller) take(pool, from int) error {
	return c.conn.QueryRow(context.Background(), checkout, pool, c.user, from).Scan(&c.seat, &c.lease)
}

// Return ends the lease.
func (c *caller) Return() error {
	var done int
	err := c.conn.QueryRow(context.Background(), giveBack, c.pool, c.seat, c.lease).Scan(&done)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("lease %d of pool %d was not there", c.lease, c.pool)
	}
	if err != nil {
		c.t.holdings.Lost()
		return err
	}
	c.lease = 0
	c.t.holdings.Gave()
	return nil
}

// Close returns what is held.
func (c *caller) Close() error {
	var err error
	if c.lease != 0 {
		err = c.Return()
	}
	return errors.Join(err, c.conn.Close(context.Background()))
}

// Verify reads every pool and every lease from the primary.
func (t *target) Verify(ctx context.Context) (load.Account, error) {
	conn, err := connect(ctx, t.port)
	if err != nil {
		return load.Account{}, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, t.sql.books)
	if err != nil {
		return load.Account{}, err
	}
	books := peer.NewBooks(t.job.Pools)
	var pool int
	var counted, leases int64
	if _, err := pgx.ForEachRow(rows, []any{&pool, &counted, &leases}, func() error {
		books.Counted[pool], books.Leases[pool] = counted, leases
		return nil
	}); err != nil {
		return load.Account{}, err
	}
	return t.holdings.Check(books)
}
