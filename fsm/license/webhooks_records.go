package license

import "fmt"

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=webhooks_records.go -o=webhooks_records_gen.go -io=false -tests=false -unexported
//msgp:limit arrays:65536 maps:0

// prefixEndpoint begins the key of an endpointRecord: 'H' tenant(4) endpoint(4).
const prefixEndpoint = 'H'

// endpointRecord is a webhook endpoint with all that it has.
//
//msgp:tuple endpointRecord
type endpointRecord struct {
	Endpoint   Endpoint
	Secrets    []endpointSecret // the newest first
	Deliveries uint64           // last number given
	Pending    int64
	Settled    []uint64 // sequences of those kept in the log, ascending
}

// endpointSecret signs what goes to an endpoint.
//
//msgp:tuple endpointSecret
type endpointSecret struct {
	Text        string // "whsec_…"
	UntilMillis int64  // 0: the newest
}

func (l *loader) endpoint(key, value []byte) error {
	t, number, err := l.keyNumbers(key, 9)
	if err != nil {
		return err
	}
	e := &endpoint{number: number}
	if err := decode(&e.endpointRecord, value); err != nil {
		return err
	}
	if number < t.nextEndpoint() || t.endpoint(e.Endpoint.ID) != nil {
		return fmt.Errorf("endpoint %d makes no sense", number)
	}
	t.hooks = append(t.hooks, e)
	return nil
}

// endpoints adds a tenant's webhook endpoints.
func (h *stateHasher) endpoints(list []*endpoint) {
	for _, e := range list {
		h.number(uint64(e.number))
		h.add(&e.endpointRecord)
	}
}
