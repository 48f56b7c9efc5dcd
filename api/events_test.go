package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// sse is a stream being read.
type sse struct {
	t      *testing.T
	lines  *bufio.Reader
	last   string // id
	cancel context.CancelFunc
}

// sent is one event.
type sent struct {
	id, name string
	data     map[string]any
}

// listen opens a stream of a tenant.
func (p *pool) listen(t *testing.T, session, last string) *sse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, "GET", "http://"+live.edge+"/api/v1/events", nil)
	require.NoError(t, err)
	request.Host = string(p.tenant) + ".localhost"
	request.Header.Set("Authorization", "Bearer "+session)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := client.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	return &sse{t: t, lines: bufio.NewReader(response.Body), cancel: cancel}
}

// next returns the next event.
func (s *sse) next() sent {
	s.t.Helper()
	for {
		text, err := readEvent(s.lines)
		require.NoError(s.t, err)
		var e sent
		for line := range strings.Lines(string(text)) {
			field, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch field {
			case "id":
				e.id, s.last = value, value
			case "event":
				e.name = value
			case "data":
				require.NoError(s.t, json.Unmarshal([]byte(value), &e.data))
			}
		}
		if e.name != "" {
			return e
		}
	}
}

// TestEvents: a stream tells of seats granted, denied and returned, and of the
// pool; taken up again after its last event, it leaves nothing out and repeats
// nothing; another tenant's events are not in it.
func TestEvents(t *testing.T) {
	p, other := newPool(t, 2, 0), newPool(t, 5, 0)
	session := p.newSession(p.newUser("viewer", cloudlicenses.RoleViewer))
	s := p.listen(t, session, "")
	require.Equal(t, "ready", s.next().name)
	other.checkout("stranger").wants(t, 201, "")
	first := p.checkout("alice").wants(t, 201, "")
	e := s.next()
	require.Equal(t, "lease.granted", e.name)
	require.Equal(t, first.text("lease_id"), e.data["lease_id"])
	require.Equal(t, "alice", e.data["user"])
	require.Equal(t, "commit", e.data["type"])
	e = s.next()
	require.Equal(t, "pool.changed", e.name)
	require.EqualValues(t, 1, e.data["in_use"])
	require.EqualValues(t, 1, e.data["available"])
	last := s.last
	s.cancel()

	p.checkout("bob").wants(t, 201, "")
	p.checkout("carol").wants(t, 409, "license_unavailable")
	p.post("/api/v1/licenses/return", fmt.Sprintf(`{"lease_id":%q}`, first.text("lease_id"))).wants(t, 200, "")
	again := p.listen(t, session, last)
	var names []string
	for len(names) == 0 || names[len(names)-1] != "lease.returned" {
		if e := again.next(); e.name != "ready" && e.name != "pool.changed" {
			names = append(names, e.name)
		}
	}
	require.Equal(t, []string{"lease.granted", "checkout.denied", "lease.returned"}, names)

	send(t, live.edge, string(p.tenant)+".localhost", "GET", "/api/v1/events", "", header{"Authorization", "Bearer " + session}, header{"Last-Event-ID", "7"}).wants(t, 422, "invalid_field")
}

// TestManyEvents: of more than a stream tells at once it tells the newest, and
// past what it looks at it says that the lists are to be read anew.
func TestManyEvents(t *testing.T) {
	p := newPool(t, 1000, 0)
	session := p.newSession(p.newUser("viewer", cloudlicenses.RoleViewer))
	s := p.listen(t, session, "")
	require.Equal(t, "ready", s.next().name)
	checkouts := func(n int) {
		body := strings.Repeat(`{"op":"checkout","product_id":"cad","user":"u"},`, n)
		p.post("/api/v1/licenses/batch", `{"operations":[`+body[:len(body)-1]+`]}`).wants(t, 200, "")
	}
	checkouts(60)
	told := func(inUse int) {
		for range cloudlicenses.MaxEventsAtOnce {
			require.Equal(t, "lease.granted", s.next().name)
		}
		e := s.next()
		require.Equal(t, "pool.changed", e.name)
		require.EqualValues(t, inUse, e.data["in_use"])
	}
	told(60)
	last := s.last
	checkouts(cloudlicenses.MaxEventsLooked + 1)
	e := s.next()
	require.Equal(t, "resync", e.name)
	require.EqualValues(t, cloudlicenses.MaxEventsLooked+1, e.data["skipped"])
	told(60 + cloudlicenses.MaxEventsLooked + 1)
	s.cancel()
	require.Equal(t, "resync", p.listen(t, session, last).next().name)
}

// TestPace: a thousand streams of a tenant are told within a second, and little.
func TestPace(t *testing.T) {
	every, most := pace(1)
	require.Equal(t, cloudlicenses.EventLook, every)
	require.Equal(t, cloudlicenses.MaxEventsAtOnce, most)
	every, most = pace(cloudlicenses.MaxTenantStreams)
	require.Less(t, every+every/2, time.Second)
	require.Equal(t, 5, most)
}

// TestEventsEndWithTheSession: who may not look any more is not told any more.
func TestEventsEndWithTheSession(t *testing.T) {
	p := newPool(t, 5, 0)
	session := p.newSession(p.newUser("viewer", cloudlicenses.RoleViewer))
	s := p.listen(t, session, "")
	require.Equal(t, "ready", s.next().name)
	p.userDo(license.OpLogout, &license.Logout{Session: shard.HashToken(session)})
	e := s.next()
	require.Equal(t, "end", e.name)
	require.Equal(t, "session", e.data["reason"])
}

// TestEventsOverH2: a stream over HTTP/2 tells as things happen, not at its end.
func TestEventsOverH2(t *testing.T) {
	addr, roots, stop := serveH2(t)
	p := newPool(t, 2, 0)
	host := string(p.tenant) + ".localhost"
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{ServerName: host, RootCAs: roots}}
	request, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+addr+"/api/v1/events", nil)
	require.NoError(t, err)
	request.Host = host
	request.Header.Set("Authorization", "Bearer "+p.newSession(p.newUser("viewer", cloudlicenses.RoleViewer)))
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 2, response.ProtoMajor)
	s := &sse{t: t, lines: bufio.NewReader(response.Body)}
	require.Equal(t, "ready", s.next().name)
	p.checkout("alice").wants(t, 201, "")
	require.Equal(t, "lease.granted", s.next().name)

	// A node that stops ends its streams, and does not wait for them.
	stop()
	_, err = io.ReadAll(response.Body)
	require.NoError(t, err)
}

// TestChunkAfter: a stream that has seen more than this replica had is told nothing
// of it twice, also where what is new is no event.
func TestChunkAfter(t *testing.T) {
	records := []license.Audit{{Sequence: 7, AtMillis: 1, Action: "checkout", Result: "success", User: "a"}, {Sequence: 8, AtMillis: 1, Action: "return", Result: "success", User: "b"}, {Sequence: 9, AtMillis: 1, Action: "key.generate", Result: "success"}}
	c := encodeTail(&license.Tail{Head: 9, Items: records, Pools: []license.LicenseState{{License: license.License{ID: "lic-1"}}}}, position{1, 6}, 10)
	for seen, want := range map[uint64][]string{
		6: {"lease.granted", "lease.returned", "pool.changed"}, 7: {"lease.returned", "pool.changed"}, 8: {"pool.changed"}, 9: nil,
	} {
		var names []string
		for line := range strings.Lines(string(c.after(seen))) {
			if name, ok := strings.CutPrefix(line, "event: "); ok {
				names = append(names, strings.TrimSpace(name))
			}
		}
		require.Equal(t, want, names, "after %d", seen)
	}
}
