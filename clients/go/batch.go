package licenseclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// MaxBatch is how many operations one Batch may hold.
const MaxBatch = 1000

// Operation is one part of a batch: made by CheckoutOp, HeartbeatOp or
// ReturnOp.
type Operation struct {
	kind     string
	checkout CheckoutRequest
	leaseID  string
	token    bool
}

// CheckoutOp is a checkout in a batch.
func CheckoutOp(request CheckoutRequest) Operation {
	return Operation{kind: "checkout", checkout: request, token: request.Token}
}

// HeartbeatOp is a heartbeat in a batch.
func HeartbeatOp(leaseID string, withToken bool) Operation {
	return Operation{kind: "heartbeat", leaseID: leaseID, token: withToken}
}

// ReturnOp is a return in a batch.
func ReturnOp(leaseID string) Operation { return Operation{kind: "return", leaseID: leaseID} }

// Result is the outcome of one operation: Err, or the one of Lease, Beat and
// Receipt that its kind has.
type Result struct {
	Status  int
	Lease   *Lease
	Beat    *Beat
	Receipt *Receipt
	Err     error // an *Error
}

// The wire forms of an Operation: a single call's fields beside "op".
type (
	checkoutOperation struct {
		Op string `json:"op"`
		checkoutBody
		Key string `json:"idempotency_key"`
	}
	leaseOperation struct {
		Op string `json:"op"`
		leaseBody
	}
)

type batchBody struct {
	Operations []json.RawMessage `json:"operations"`
}

// batchReply is the wire form of the results, which must be as many as asked.
type batchReply struct {
	Results []json.RawMessage `json:"results"`
	want    int
}

func (r *batchReply) complete() bool { return len(r.Results) == r.want }

// Batch does up to MaxBatch operations in one request. The results come in
// their order, each with its own outcome; an error of Batch itself means that
// there are none, and that every operation's outcome is as unknown as the
// error says. Each checkout is an intent of its own, so that a batch is sent
// again as safely as a single call, and so are those of its operations that
// the cluster could not decide at first.
func (c *Client) Batch(ctx context.Context, operations []Operation) ([]Result, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.options.Timeout)
		defer cancel()
	}
	bodies := make([]json.RawMessage, len(operations))
	open := make([]int, len(operations)) // indices without a definite outcome
	for i, op := range operations {
		body, err := op.body()
		if err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
		bodies[i], open[i] = body, i
	}
	results := make([]Result, len(operations))
	asked := time.Now()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		raw, err := c.batch(ctx, bodies, open)
		if err != nil && len(open) == len(operations) {
			return nil, err
		} else if err != nil {
			return results, nil // the open ones keep the refusal they had
		}
		undecided := open[:0]
		for n, i := range open {
			results[i] = c.result(operations[i], raw[n], asked)
			if results[i].Status == http.StatusServiceUnavailable {
				undecided = append(undecided, i)
			}
		}
		open = undecided
		if len(open) == 0 || timeLeft(ctx) <= pause || !sleep(ctx, jitter(pause)) {
			return results, nil
		}
	}
}

// batch sends the operations at indices as one request.
func (c *Client) batch(ctx context.Context, bodies []json.RawMessage, indices []int) ([]json.RawMessage, error) {
	send := batchBody{Operations: make([]json.RawMessage, len(indices))}
	for n, i := range indices {
		send.Operations[n] = bodies[i]
	}
	body, err := json.Marshal(send)
	if err != nil {
		return nil, err
	}
	reply := batchReply{want: len(indices)}
	_, err = c.do(ctx, call{
		method: http.MethodPost, path: "/api/v1/licenses/batch", body: body, write: true,
	}, &reply)
	return reply.Results, err
}

func (op *Operation) body() (json.RawMessage, error) {
	switch op.kind {
	case "checkout":
		key := op.checkout.IdempotencyKey
		if key == "" {
			key = NewIdempotencyKey()
		}
		return json.Marshal(checkoutOperation{Op: op.kind, checkoutBody: op.checkout.body(), Key: key})
	case "heartbeat", "return":
		return json.Marshal(leaseOperation{Op: op.kind, leaseBody: leaseBody{LeaseID: op.leaseID, Token: op.token}})
	default:
		return nil, fmt.Errorf("%w: make an Operation by CheckoutOp, HeartbeatOp or ReturnOp", ErrConfig)
	}
}

// result reads the outcome of one operation.
func (c *Client) result(op Operation, raw json.RawMessage, asked time.Time) Result {
	var head struct {
		Status   int  `json:"status"`
		Replayed bool `json:"replayed"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return Result{Err: fmt.Errorf("%w: %w", ErrReply, err)}
	}
	r := Result{Status: head.Status}
	if head.Status < 200 || head.Status > 299 {
		r.Err = parseError(head.Status, http.Header{}, raw)
		return r
	}
	var g grant
	var beat Beat
	var receipt Receipt
	var reply checked
	switch op.kind {
	case "checkout":
		reply = &g
	case "heartbeat":
		reply = &beat
	default:
		reply = &receipt
	}
	if err := json.Unmarshal(raw, reply); err != nil {
		r.Err = fmt.Errorf("%w: %w", ErrReply, err)
		return r
	} else if !reply.complete() {
		r.Err = fmt.Errorf("%w: fields are missing", ErrReply)
		return r
	}
	switch op.kind {
	case "checkout":
		r.Lease = c.newLease(&g, op.token, head.Replayed, asked)
	case "heartbeat":
		r.Beat = &beat
	default:
		r.Receipt = &receipt
	}
	return r
}
