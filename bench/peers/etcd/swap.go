package etcd

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

const (
	// A caller whose counter was changed by another pauses for a random time
	// below a bound that doubles from the first to the last.
	firstPause = time.Millisecond
	lastPause  = 512 * time.Millisecond
)

// counter is the value of a pool's key: <in use>/<seats>.
type counter struct{ InUse, Seats int }

func (n counter) String() string { return strconv.Itoa(n.InUse) + "/" + strconv.Itoa(n.Seats) }

func parseCounter(b []byte) (n counter, err error) {
	if _, err := fmt.Sscanf(string(b), "%d/%d", &n.InUse, &n.Seats); err != nil {
		return n, fmt.Errorf("counter %q: %w", b, err)
	}
	return n, nil
}

// swapCaller keeps a counter per pool by compare-and-swap.
type swapCaller struct {
	caller
	// last is the pool's counter as this caller left it, with its revision: a
	// return tries it before it asks again.
	last    counter
	lastRev int64
}

// Checkout makes a lease.
func (c *swapCaller) Checkout(pool int) error {
	key := poolKey(pool)
	resp, err := c.client.Get(c.ctx, key)
	if err != nil {
		return err
	}
	if err := c.read(key, resp.Kvs); err != nil {
		return err
	}
	id, value, err := newLease(pool, c.user)
	if err != nil {
		return err
	}
	leaseKey := leasePrefix + strconv.Itoa(pool) + "/" + id
	for pause := firstPause; ; pause = c.rest(pause) {
		if c.last.InUse >= c.last.Seats {
			return load.ErrRefused
		}
		next := counter{c.last.InUse + 1, c.last.Seats}
		done, err := c.swap(key, next, nil, clientv3.OpPut(leaseKey, value))
		if err != nil {
			return err
		}
		if done {
			c.took(pool, leaseKey)
			return nil
		}
	}
}

// Return ends the lease.
func (c *swapCaller) Return() error {
	key := poolKey(c.pool)
	live := []clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(c.held), ">", 0)}
	for pause := firstPause; ; pause = c.rest(pause) {
		tried := c.lastRev
		next := counter{c.last.InUse - 1, c.last.Seats}
		done, err := c.swap(key, next, live, clientv3.OpDelete(c.held))
		if err != nil {
			return err
		}
		if done {
			c.gave()
			return nil
		}
		if c.lastRev == tried {
			return fmt.Errorf("%s was not there", c.held)
		}
	}
}

// swap puts next and does op if the counter is the one last read and all of
// conditions hold; else it reads the counter.
func (c *swapCaller) swap(key string, next counter, conditions []clientv3.Cmp, op clientv3.Op) (done bool, err error) {
	conditions = append(conditions[:len(conditions):len(conditions)], clientv3.Compare(clientv3.ModRevision(key), "=", c.lastRev))
	resp, err := c.commit(c.client.Txn(c.ctx).If(conditions...).
		Then(clientv3.OpPut(key, next.String()), op).
		Else(clientv3.OpGet(key)))
	if err != nil {
		return false, err
	}
	if resp.Succeeded {
		c.last, c.lastRev = next, resp.Header.Revision
		return true, nil
	}
	return false, c.read(key, resp.Responses[0].GetResponseRange().Kvs)
}

// read notes the counter in a reply.
func (c *swapCaller) read(key string, kvs []*mvccpb.KeyValue) (err error) {
	if len(kvs) == 0 {
		return fmt.Errorf("no counter at %s", key)
	}
	c.lastRev = kvs[0].ModRevision
	c.last, err = parseCounter(kvs[0].Value)
	return err
}

// rest pauses, and returns the next bound.
func (c *swapCaller) rest(bound time.Duration) time.Duration {
	timer := time.NewTimer(rand.N(bound))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done(): // the next call says so
	}
	return min(2*bound, lastPause)
}

// Close returns what is held.
func (c *swapCaller) Close() error {
	if c.held == "" {
		return nil
	}
	return c.Return()
}
