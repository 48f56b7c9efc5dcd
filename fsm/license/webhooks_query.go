package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=webhooks_query.go -o=webhooks_query_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.EndpointID as:string using:string/cloudlicenses.EndpointID mode:cast
//msgp:shim cloudlicenses.DeliveryState as:string using:string/cloudlicenses.DeliveryState mode:cast
//msgp:shim cloudlicenses.EventKind as:string using:string/cloudlicenses.EventKind mode:cast
//msgp:shim cloudlicenses.DisabledReason as:string using:string/cloudlicenses.DisabledReason mode:cast

// The queries about what leaves; 70–79 are theirs.
const (
	QueryEndpoints   fsm.Op = 70 // ListEndpoints → EndpointPage
	QueryDeliveries  fsm.Op = 71 // ListDeliveries → DeliveryPage
	QueryDue         fsm.Op = 72 // no tenant; ListDue → DuePage
	QueryDelivery    fsm.Op = 73 // no tenant; GetDelivery → Delivery
	QueryOutboxState fsm.Op = 74 // no tenant, no payload → OutboxState
	QueryDeadMails   fsm.Op = 75 // no tenant; ListDeadMails → DeliveryPage
)

// ListEndpoints asks for the account's endpoints, in order of creation.
//
//msgp:tuple ListEndpoints
type ListEndpoints struct {
	ID cloudlicenses.EndpointID // not empty: this one alone (not_found where missing)
}

// EndpointPage is all of them.
//
//msgp:tuple EndpointPage
type EndpointPage struct {
	Code  cloudlicenses.Code
	Items []Endpoint
}

// ListDeliveries asks for the account's webhook deliveries, newest first.
//
//msgp:tuple ListDeliveries
type ListDeliveries struct {
	EndpointID cloudlicenses.EndpointID // empty: all
	Number     uint64                   // not 0: this one of the endpoint alone
	Cursor     string
	Limit      int64
	State      cloudlicenses.DeliveryState // empty: all
	Kind       cloudlicenses.EventKind     // empty: all
}

// DeliveryPage is a page of deliveries.
//
//msgp:tuple DeliveryPage
type DeliveryPage struct {
	Code  cloudlicenses.Code
	Items []Outgoing
	Next  string
}

// Lanes of the schedule of what is pending. Endpoints that did not answer well
// the last time have a lane of their own, so that they hold up nobody else.
const (
	LaneMail    uint8 = 1
	LaneWebhook uint8 = 2
	LaneFailing uint8 = 3
)

// ListDue asks for what is due in a lane, in order of time, after Cursor.
//
//msgp:tuple ListDue
type ListDue struct {
	Lane      uint8
	NowMillis int64
	Cursor    []byte
	Limit     int64
}

// DueItem is a delivery that is due.
//
//msgp:tuple DueItem
type DueItem struct {
	Sequence uint64
	Receiver uint64 // equal for those of one endpoint; 0: a mail
}

// DuePage is a page of what is due. Cursor is empty on the last one; NextMillis
// then says when the next is due (0: none is pending).
//
//msgp:tuple DuePage
type DuePage struct {
	Code       cloudlicenses.Code
	Items      []DueItem
	Cursor     []byte
	NextMillis int64
}

// GetDelivery asks for all that is needed to make a pending delivery.
//
//msgp:tuple GetDelivery
type GetDelivery struct {
	Sequence uint64
}

// Delivery never leaves the cluster. It is not_found where nothing is pending
// (any more) under the number.
//
//msgp:tuple Delivery
type Delivery struct {
	Code     cloudlicenses.Code
	Outgoing Outgoing
	Gone     bool // the account or the endpoint is not there any more
	URL      string
	Secrets  []string // in force, the newest first
	Bearer   string   // of invoices alone
	Disabled cloudlicenses.DisabledReason
	Failures int64
}

// OutboxState counts what the group has to deliver, and what it could not.
//
//msgp:tuple OutboxState
type OutboxState struct {
	Code         cloudlicenses.Code
	Mails        int64 // pending
	Webhooks     int64 // pending
	DeadMails    int64
	DeadWebhooks int64
	OldestMillis int64 // when the oldest that is pending was queued; 0: none is
}

// ListDeadMails asks for mails that failed for good, oldest first. Their
// payloads name the user, and hold no token any more.
//
//msgp:tuple ListDeadMails
type ListDeadMails struct {
	Cursor string
	Limit  int64
}
