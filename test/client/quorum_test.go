package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	licenseclient "github.com/cloudlicenses/cloudlicenses/clients/go"
)

// TestQuorumLost leaves one node of three: nothing is granted then, what is
// known can be read, and a checkout that began without a quorum succeeds, once,
// when it is back.
func TestQuorumLost(t *testing.T) {
	s := startServers(t, func(int) []string { return []string{"--insecure"} })
	key := s.tenant("acme", 5, 5)
	c := connect(t, licenseclient.Options{
		ServerURL: "http://" + strings.Replace(s.address(0, 0), "127.0.0.1", "acme.localhost", 1), APIKey: key,
	})
	first := checkout(t, c, seat("cad"))
	// The client's first list asks the leader; the second waits until node 0's
	// own replica is as far.
	for range 2 {
		if inUse, _ := seatsInUse(t, c); inUse != 1 {
			t.Fatalf("%d seats in use", inUse)
		}
	}
	s.processes[1].kill()
	s.processes[2].kill()

	for license, err := range connect(t, licenseclient.Options{ServerURL: c.ServerURL(), APIKey: key}).Licenses(t.Context()) {
		if err != nil || license.InUse != 1 {
			t.Errorf("read without a quorum: %+v, %v", license, err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	began := time.Now()
	request := seat("cad")
	request.IdempotencyKey = licenseclient.NewIdempotencyKey()
	lease, err := c.Checkout(short, request)
	if !errors.Is(err, licenseclient.ErrNoLeader) && !errors.Is(err, licenseclient.ErrOutcomeUnknown) {
		t.Fatalf("checkout without a quorum: %+v, %v", lease, err)
	}
	t.Logf("after %v: %v", time.Since(began).Round(time.Millisecond), err)

	type outcome struct {
		lease *licenseclient.Lease
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		lease, err := c.Checkout(t.Context(), request) // the same intent
		done <- outcome{lease, err}
	}()
	s.start(1)
	s.processes[1].await()
	var o outcome
	select {
	case o = <-done:
	case <-time.After(startWithin):
		t.Fatal("the checkout has not ended")
	}
	if o.err != nil {
		t.Fatalf("after the quorum was back: %v", o.err)
	}
	if inUse, _ := seatsInUse(t, c); inUse != 2 {
		t.Errorf("%d seats in use, want 2", inUse)
	}
	for _, lease := range []*licenseclient.Lease{first, o.lease} {
		if err := lease.Return(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
