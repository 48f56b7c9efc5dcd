package outbox

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

const (
	// attemptTimeout bounds an attempt, beyond notify's own bounds of each step.
	attemptTimeout = 2 * time.Minute
	// recordTries is how often the outcome of an attempt is proposed, each time
	// for a request's deadline: until then nothing else goes to its receiver.
	recordTries = 12
	// maxErrorText bounds the text of an error that is kept or logged, in bytes.
	maxErrorText = 300
)

// errGone ends what was for an account or an endpoint that is not there any
// more, errDisabled what was for one that gets nothing.
var (
	errGone     = errors.New("its receiver was removed")
	errDisabled = errors.New("the endpoint is disabled")
)

// deliver makes one attempt and has its outcome recorded. It reports whether the
// receiver's next one may follow at once.
func (g *drain) deliver(sequence uint64) bool {
	var it license.Delivery
	query := shard.Command{Op: license.QueryDelivery, Payload: &license.GetDelivery{Sequence: sequence}, Result: &it}
	if _, err := g.door.ReadGroup(g.d.ctx, g.group, query, shard.ReadOptions{}); err != nil {
		g.d.logger.Warn("a record of the outbox can't be read", "group", uint32(g.group), "sequence", sequence, "error", err)
		g.pause()
		return false
	}
	if it.Code != cloudlicenses.OK {
		return true // somebody else has delivered it
	}
	o := &it.Outgoing
	tried := &license.OutboxTried{Sequence: sequence, Attempt: o.Attempts + 1}
	record, err := g.record(&it)
	var outcome notify.Outcome
	switch {
	case errors.Is(err, errUnknown):
		outcome = notify.Outcome{Result: notify.Failed, Err: err}
		if next, more := notify.NextAttempt(int(tried.Attempt), g.d.now(), 0); more {
			outcome.Result, outcome.RetryAt = notify.Retry, next
		}
	case err != nil:
		tried.Attempt = 0
		outcome = notify.Outcome{Result: notify.Failed, Err: err}
	default:
		record.Attempt = int(tried.Attempt)
		ctx, cancel := context.WithTimeout(g.d.ctx, attemptTimeout)
		outcome = g.d.cfg.Sender.Deliver(ctx, record)
		cancel()
		if g.d.ctx.Err() != nil && outcome.Result == notify.Retry {
			return false // broken off: nobody knows, so the next leader tries
		}
	}
	g.tell(o, tried.Attempt, outcome)
	describe(tried, outcome)
	return g.keep(tried) && (outcome.Result == notify.Delivered || tried.Attempt == 0)
}

// describe puts an outcome into the command that records it.
func describe(tried *license.OutboxTried, outcome notify.Outcome) {
	tried.Status = int64(outcome.Status)
	switch outcome.Result {
	case notify.Delivered:
		tried.Result = license.TriedDelivered
	case notify.Retry:
		tried.Result, tried.NextMillis = license.TriedRetry, outcome.RetryAt.UnixMilli()
	case notify.Disabled:
		tried.Result = license.TriedDisabled
	default:
		tried.Result = license.TriedFailed
	}
	if outcome.Err != nil {
		tried.Error = shorten(textOf(outcome.Err))
	}
}

func shorten(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	return strings.ToValidUTF8(text[:min(len(text), maxErrorText)], "")
}

// textOf is an error as an account may see it: nothing of the network that this
// node is in.
func textOf(err error) string {
	var name *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, notify.ErrAddress):
		return "the URL's host has no public address"
	case errors.As(err, &name):
		return "the URL's host: " + name.Err
	case errors.As(err, &op): // it prints both ends
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

// keep has the outcome recorded. While it is not, nothing is sent to the
// receiver again by this node: it would get the same once more.
func (g *drain) keep(tried *license.OutboxTried) bool {
	var err error
	for range recordTries {
		var ack license.Ack
		if err = g.door.DoGroup(g.d.ctx, g.group, shard.Command{Op: license.OpOutboxTried, Payload: tried, Result: &ack}); err == nil {
			return true
		}
		if g.pause(); g.d.ctx.Err() != nil {
			return false
		}
	}
	g.d.logger.Warn("an attempt could not be recorded: it will be made again", "group", uint32(g.group), "sequence", tried.Sequence, "error", err)
	return false
}

// pause lets a moment pass, unless the drainer ends.
func (g *drain) pause() {
	timer := time.NewTimer(cluster.TickInterval)
	defer timer.Stop()
	select {
	case <-g.d.ctx.Done():
	case <-timer.C:
	}
}

// logged is an error as a log may hold it: of a mail, no address.
func logged(err error) string {
	var failed *notify.MailError
	if errors.As(err, &failed) {
		return failed.Class()
	}
	return shorten(err.Error())
}

// tell counts an attempt, and logs what somebody may have to mend.
func (g *drain) tell(o *license.Outgoing, attempt int64, outcome notify.Outcome) {
	g.d.metrics.count(o, outcome.Result)
	if outcome.Result == notify.Delivered {
		return
	}
	level := g.d.logger.Debug
	if outcome.Result != notify.Retry {
		level = g.d.logger.Warn
	}
	level("a delivery has not arrived", "group", uint32(g.group), "sequence", o.Sequence, "tenant", string(o.TenantID), "kind", o.Kind,
		"endpoint", string(o.EndpointID), "attempt", attempt, "result", outcome.Result.String(), "status", outcome.Status, "error", logged(outcome.Err))
}
