package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=webhooks_command.go -o=webhooks_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.EndpointID as:string using:string/cloudlicenses.EndpointID mode:cast
//msgp:shim cloudlicenses.EventKind as:string using:string/cloudlicenses.EventKind mode:cast
//msgp:shim cloudlicenses.DisabledReason as:string using:string/cloudlicenses.DisabledReason mode:cast

// The commands about what leaves; 70–79 are theirs. Append only. An account is
// a tenant of this machine.
const (
	OpPutEndpoint    fsm.Op = 70 // PutEndpoint
	OpUpdateEndpoint fsm.Op = 71 // UpdateEndpoint
	OpRemoveEndpoint fsm.Op = 72 // RemoveEndpoint
	OpRotateEndpoint fsm.Op = 73 // RotateEndpoint
	OpReplay         fsm.Op = 74 // Replay
	OpOutboxTried    fsm.Op = 75 // OutboxTried
)

// Endpoint is a webhook endpoint as the outside sees it. Times are Unix
// milliseconds.
//
//msgp:tuple Endpoint
type Endpoint struct {
	ID            cloudlicenses.EndpointID
	URL           string
	Kinds         []cloudlicenses.EventKind // empty: every kind
	Disabled      cloudlicenses.DisabledReason
	Failures      int64 // attempts in a row that did not arrive
	CreatedMillis int64
	SecretMillis  int64 // since when the newest secret signs
}

// PutEndpoint creates an endpoint; idempotent by id. The sender has checked URL
// and kinds, and shows the secret once.
//
//msgp:tuple PutEndpoint
type PutEndpoint struct {
	By     By
	ID     cloudlicenses.EndpointID
	URL    string
	Kinds  []cloudlicenses.EventKind
	Secret string // "whsec_…"
}

// UpdateEndpoint changes what is set.
//
//msgp:tuple UpdateEndpoint
type UpdateEndpoint struct {
	By       By
	ID       cloudlicenses.EndpointID
	URL      string // empty: as it is
	SetKinds bool
	Kinds    []cloudlicenses.EventKind // with SetKinds; empty: every kind
	Enable   bool
	Disable  bool
}

// RemoveEndpoint removes an endpoint with its deliveries.
//
//msgp:tuple RemoveEndpoint
type RemoveEndpoint struct {
	By By
	ID cloudlicenses.EndpointID
}

// RotateEndpoint gives an endpoint a new secret. The old ones sign for
// OverlapMillis more.
//
//msgp:tuple RotateEndpoint
type RotateEndpoint struct {
	By            By
	ID            cloudlicenses.EndpointID
	Secret        string
	OverlapMillis int64
}

// EndpointResult is the result of the commands about endpoints.
//
//msgp:tuple EndpointResult
type EndpointResult struct {
	Code     cloudlicenses.Code
	Detail   string
	Endpoint Endpoint
}

// Replay makes a delivery anew that has arrived or failed, or what is pending
// at once. The receiver knows it again by its id.
//
//msgp:tuple Replay
type Replay struct {
	By         By
	EndpointID cloudlicenses.EndpointID
	Sequence   uint64 // its latest
}

// Results of an attempt.
const (
	TriedDelivered uint8 = 1 // it has arrived
	TriedRetry     uint8 = 2 // not yet: again at NextMillis
	TriedFailed    uint8 = 3 // for good
	TriedDisabled  uint8 = 4 // for good, and the endpoint wants no more
)

// OutboxTried records what came of an attempt (the header names no tenant). One
// that was recorded already changes nothing.
//
//msgp:tuple OutboxTried
type OutboxTried struct {
	Sequence   uint64
	Attempt    int64 // this one's number, from 1; 0, with TriedFailed: none was made
	Result     uint8
	Status     int64 // HTTP status, SMTP reply; 0: no answer
	NextMillis int64 // with TriedRetry
	Error      string
}
