package etcd

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// asked are how many random seats a checkout asks for, transaction by
// transaction, before it lists those that are free. The first seat is mostly
// free, and a plain transaction the cheapest; where it is not, a nested one saves
// entries in the log.
var asked = []int{1, 3}

// seatCaller keeps a key per seat that is taken.
type seatCaller struct {
	caller
	revision int64 // at which the held lease was put
}

func poolSeats(pool int) string { return seatPrefix + strconv.Itoa(pool) + "/" }

// Checkout makes a lease.
func (c *seatCaller) Checkout(pool int) error {
	_, value, err := newLease(pool, c.user)
	if err != nil {
		return err
	}
	for _, n := range asked {
		seats := make([]int, n)
		for i := range seats {
			seats[i] = rand.IntN(c.t.job.Seats)
		}
		if done, err := c.claim(pool, seats, value); err != nil || done {
			return err
		}
	}
	for {
		free, err := c.free(pool)
		if err != nil {
			return err
		}
		if len(free) == 0 {
			return load.ErrRefused
		}
		rand.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
		if done, err := c.claim(pool, free[:min(len(free), asked[len(asked)-1])], value); err != nil || done {
			return err
		}
	}
}

// claim puts the lease at the first of seats that is free.
func (c *seatCaller) claim(pool int, seats []int, value string) (done bool, err error) {
	keys := make([]string, len(seats))
	for i, seat := range seats {
		keys[i] = poolSeats(pool) + strconv.Itoa(seat)
	}
	// The last seat is asked for innermost.
	var otherwise []clientv3.Op
	for i := len(keys) - 1; i > 0; i-- {
		otherwise = []clientv3.Op{clientv3.OpTxn(vacant(keys[i]), []clientv3.Op{clientv3.OpPut(keys[i], value)}, otherwise)}
	}
	resp, err := c.commit(c.client.Txn(c.ctx).If(vacant(keys[0])...).Then(clientv3.OpPut(keys[0], value)).Else(otherwise...))
	if err != nil {
		return false, err
	}
	// Whether it succeeded is said level by level.
	succeeded, inner := resp.Succeeded, resp.Responses
	for _, key := range keys {
		if succeeded {
			c.revision = resp.Header.Revision
			c.took(pool, key)
			return true, nil
		}
		if len(inner) > 0 {
			next := inner[0].GetResponseTxn()
			succeeded, inner = next.Succeeded, next.Responses
		}
	}
	return false, nil
}

func vacant(key string) []clientv3.Cmp {
	return []clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(key), "=", 0)}
}

// free lists the seats of pool that nobody has.
func (c *seatCaller) free(pool int) ([]int, error) {
	resp, err := c.client.Get(c.ctx, poolSeats(pool), clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	taken := make(map[string]struct{}, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		taken[strings.TrimPrefix(string(kv.Key), poolSeats(pool))] = struct{}{}
	}
	var free []int
	for seat := range c.t.job.Seats {
		if _, ok := taken[strconv.Itoa(seat)]; !ok {
			free = append(free, seat)
		}
	}
	return free, nil
}

// Return ends the lease.
func (c *seatCaller) Return() error {
	resp, err := c.commit(c.client.Txn(c.ctx).
		If(clientv3.Compare(clientv3.ModRevision(c.held), "=", c.revision)).
		Then(clientv3.OpDelete(c.held)))
	if err != nil {
		return err
	}
	if !resp.Succeeded {
		return fmt.Errorf("the lease at %s was not there", c.held)
	}
	c.gave()
	return nil
}

// Close returns what is held.
func (c *seatCaller) Close() error {
	if c.held == "" {
		return nil
	}
	return c.Return()
}
