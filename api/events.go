package api

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
)

// eventRoutes are the rows of routeTable for what happens at a tenant, as it
// happens.
func eventRoutes() []route {
	return []route{{method: "GET", path: "/api/v1/events", name: "events", on: forUsers, action: cloudlicenses.ActViewEvents, handle: (*call).serveEvents}}
}

// eventRetry is after how long a browser comes back when a stream ends, in ms.
const eventRetry = 1000

// stream is what a stream keeps of its request, which is over by then.
type stream struct {
	server  *Server
	tenant  cloudlicenses.TenantID
	session [32]byte
	watcher *watcher
	joined  position // from where on the feed tells
	resumed position // the last record the client has; nothing: it begins now
}

// serveEvents is GET /api/v1/events: Server-Sent Events (WHATWG HTML, 9.2).
func (c *call) serveEvents() {
	resumed, ok := parsePosition(string(c.ctx.Request.Header.Peek("Last-Event-ID")))
	if !ok {
		c.refuse(&problem{code: cloudlicenses.InvalidField, detail: "Last-Event-ID is not the id of an event of this stream: leave it out"})
		return
	}
	w, at, code, err := c.server.events.join(c.context(), c.tenant)
	switch {
	case err != nil:
		c.fail(err)
		return
	case code != cloudlicenses.OK:
		c.refuse(&problem{code: code, detail: "too many streams of events are open: close some, or ask another node"})
		return
	}
	s := &stream{server: c.server, tenant: c.tenant, session: c.session, watcher: w, joined: at, resumed: resumed}
	h := &c.ctx.Response.Header
	h.SetContentType("text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy that gathers replies would hold them back
	h.SetBytesV(headerRequestID, c.id.text[:])
	c.ctx.SetStatusCode(fasthttp.StatusOK)
	if c.ctx.IsHead() {
		c.server.events.leave(s.tenant, w)
		return
	}
	c.ctx.SetBodyStreamWriter(s.run)
}

// parsePosition reads an event's id; an empty one is nothing.
func parsePosition(id string) (p position, ok bool) {
	if id == "" {
		return p, true
	}
	left, right, _ := strings.Cut(id, "-")
	millis, err := strconv.ParseInt(left, 10, 64)
	sequence, err2 := strconv.ParseUint(right, 10, 64)
	p = position{millis, sequence}
	return p, err == nil && err2 == nil && millis >= 0 && sequence > 0 && p.String() == id
}

// run writes the stream until its client, its session or the node ends.
func (s *stream) run(w *bufio.Writer) {
	defer s.server.events.leave(s.tenant, s.watcher)
	heartbeat := time.NewTicker(cloudlicenses.EventHeartbeat)
	defer heartbeat.Stop()
	if s.begin(w) != nil {
		return
	}
	seen := max(s.joined.sequence, s.resumed.sequence)
	for {
		var err error
		select {
		case <-s.watcher.ended:
			return
		case c, more := <-s.watcher.chunks:
			if !more {
				return // too slow: it comes back and goes on where it was
			}
			_, err = w.Write(c.after(seen))
			seen = max(seen, c.to)
		case <-heartbeat.C:
			if !s.allowed() {
				_, _ = w.WriteString("event: end\ndata: {\"reason\":\"session\"}\n\n")
				_ = w.Flush()
				return
			}
			_, err = w.WriteString(": here\n\n")
		}
		if err != nil || w.Flush() != nil {
			return
		}
	}
}

// begin says from where on the stream tells, and what a client that comes back has
// missed.
func (s *stream) begin(w *bufio.Writer) error {
	if _, err := fmt.Fprintf(w, "retry: %d\n", eventRetry); err != nil {
		return err
	}
	at := s.joined
	if s.resumed.sequence > at.sequence {
		at = s.resumed // this replica is behind the one that told it
	}
	if s.resumed.sequence > 0 && s.resumed.sequence < s.joined.sequence {
		ctx, cancel := context.WithTimeout(s.server.ctx, cloudlicenses.RequestTimeout)
		defer cancel()
		tail, err := s.server.tail(ctx, s.tenant, s.resumed, cloudlicenses.MaxEventsLooked)
		if err != nil || tail.Code != cloudlicenses.OK {
			return fmt.Errorf("read what was missed: %s %w", tail.Code, err)
		}
		for i := range tail.Items { // the feed tells the rest
			if tail.Items[i].Sequence > s.joined.sequence {
				tail.Items = tail.Items[:i]
				break
			}
		}
		if tail.Skipped || len(tail.Items) > cloudlicenses.MaxEventsAtOnce {
			tail.Skipped, tail.Head, tail.HeadMillis = true, s.joined.sequence, s.joined.millis
		}
		if _, err := w.Write(encodeTail(&tail, s.resumed, cloudlicenses.MaxEventsAtOnce).bytes); err != nil {
			return err
		}
	}
	if at.sequence > 0 {
		if _, err := fmt.Fprintf(w, "id: %s\n", at); err != nil {
			return err
		}
	}
	if _, err := w.WriteString("event: ready\ndata: {}\n\n"); err != nil {
		return err
	}
	return w.Flush()
}

// allowed asks whether the session still lives, and may still look. Where nobody
// can tell, it may. An open stream is no use of the session: nobody may be there.
func (s *stream) allowed() bool {
	ctx, cancel := context.WithTimeout(s.server.ctx, cloudlicenses.RequestTimeout)
	defer cancel()
	facts, err := s.server.shard.LookSession(ctx, s.tenant, s.session)
	return err != nil || facts.Code == cloudlicenses.OK && facts.User.Role.May(cloudlicenses.ActViewEvents)
}
