package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	licenseclient "github.com/cloudlicenses/cloudlicenses/clients/go"
)

// dashboard listens to a tenant's events as a browser does: when its stream ends
// it comes back, to whichever node the balancer finds, with the id of the last
// event that it has had.
type dashboard struct {
	mu      sync.Mutex
	granted map[string]int // events by user
	streams int            // that were opened
	resyncs int
}

func (d *dashboard) listen(ctx context.Context, transport http.RoundTripper, session string) {
	for last := ""; ctx.Err() == nil; {
		last = d.stream(ctx, transport, session, last)
	}
}

// stream reads one stream to its end, and returns the last id.
func (d *dashboard) stream(ctx context.Context, transport http.RoundTripper, session, last string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://acme."+platformDomain+"/api/v1/events", nil)
	if err != nil {
		return last
	}
	request.Header.Set("Authorization", "Bearer "+session)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return last
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return last
	}
	d.mu.Lock()
	d.streams++
	d.mu.Unlock()
	name, lines := "", bufio.NewScanner(response.Body)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			last = value
		case "event":
			name = value
		case "data":
			d.take(name, value)
		}
	}
	return last
}

func (d *dashboard) take(name, data string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch name {
	case "resync":
		d.resyncs++
	case "lease.granted":
		var lease struct{ User string }
		if json.Unmarshal([]byte(data), &lease) == nil {
			d.granted[lease.User]++
		}
	}
}

// TestEventsOutliveTheirNode: a dashboard is told of every seat once, however often
// the node that it is connected to dies.
func TestEventsOutliveTheirNode(t *testing.T) {
	p := startPlatform(t)
	key := p.tenant("acme", 1000, 0, "--ca-file", p.ca, "--owner-email", "ann@acme.com")
	session := p.logIn(t, linkOf(t, p.mailTo(t, "ann@acme.com", "")), "ann@acme.com", "a password of Ann's own")
	app := connect(t, licenseclient.Options{
		ServerURL: "https://acme." + platformDomain, APIKey: key, Timeout: 40 * time.Second, HTTPClient: &http.Client{Transport: p.balancer("10.1.1.1")},
	})
	d := &dashboard{granted: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { d.listen(ctx, p.balancer("10.2.2.2"), session) })
	defer listening.Wait()
	defer cancel()
	waitFor(t, 30*time.Second, "a stream", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.streams > 0
	})
	taken := 0
	take := func(n int) {
		for range n {
			request := seat("cad")
			request.User = fmt.Sprint("user-", taken)
			checkout(t, app, request)
			taken++
		}
		waitFor(t, 60*time.Second, fmt.Sprint("events about ", taken, " seats"), func() bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return len(d.granted) == taken
		})
	}
	take(10)
	for i := range nodes {
		p.processes[i].kill()
		take(10)
		p.start(i)
		p.ready[i] = p.processes[i].await()
		take(10)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for user, n := range d.granted {
		if n != 1 {
			t.Errorf("%d events about the seat of %s", n, user)
		}
	}
	if d.streams < 2 || d.resyncs > 0 {
		t.Errorf("%d streams, %d times told to read anew", d.streams, d.resyncs)
	}
	t.Logf("%d seats, %d streams", taken, d.streams)
}
