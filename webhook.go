package cloudlicenses

import (
	"slices"
	"strconv"
	"strings"
)

// EndpointID identifies a webhook endpoint, everywhere: "wh-" and a UUID.
type EndpointID string

// EventKind is what an event is about; webhooks carry it as their type.
type EventKind string

// The events that an account's endpoints may ask for.
const (
	EventLicenseProvisioned EventKind = "license.provisioned"
	EventLicenseAmended     EventKind = "license.amended"
	EventLicenseSuspended   EventKind = "license.suspended"
	EventLicenseResumed     EventKind = "license.resumed"
	EventLicenseRevoked     EventKind = "license.revoked"
	EventUserCreated        EventKind = "user.created"
	EventUserRemoved        EventKind = "user.removed"
	EventOverageWarning     EventKind = "overage.warning"
	EventInvoiceIssued      EventKind = "invoice.issued" // of a vendor's account
	EventInvoiceVoided      EventKind = "invoice.voided"
	EventLicenseExpired     EventKind = "license.expired" // of a vendor's account, as those below
	EventLicenseRenewed     EventKind = "license.renewed"
	EventCustomerLinked     EventKind = "customer.linked"
	EventCustomerBlocked    EventKind = "customer.blocked" // the tenant has blocked the vendor
)

// EventKinds lists every kind.
var EventKinds = []EventKind{
	EventLicenseProvisioned, EventLicenseAmended, EventLicenseSuspended, EventLicenseResumed, EventLicenseRevoked,
	EventUserCreated, EventUserRemoved, EventOverageWarning, EventInvoiceIssued, EventInvoiceVoided,
	EventLicenseExpired, EventLicenseRenewed, EventCustomerLinked, EventCustomerBlocked,
}

// Valid reports whether k is one of the kinds.
func (k EventKind) Valid() bool { return slices.Contains(EventKinds, k) }

// DisabledReason says why an endpoint gets nothing; empty: it does.
type DisabledReason string

// Why an endpoint is disabled.
const (
	DisabledByUser   DisabledReason = "by_user"
	DisabledGone     DisabledReason = "gone"     // the receiver answered 410
	DisabledOverflow DisabledReason = "overflow" // MaxPendingDeliveries wait
)

// DeliveryState is what has become of a delivery so far.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryFailed    DeliveryState = "failed" // for good, unless somebody replays it
)

// Valid reports whether s is one of the states.
func (s DeliveryState) Valid() bool {
	return s == DeliveryPending || s == DeliveryDelivered || s == DeliveryFailed
}

// FormatDeliveryID names a delivery, in its webhook-id and in lists: the endpoint
// and the number of the delivery there, which tells nothing of anybody else's.
func FormatDeliveryID(endpoint EndpointID, number uint64) string {
	return string(endpoint) + "-" + strconv.FormatUint(number, 10)
}

// ParseDeliveryID is the reverse of FormatDeliveryID.
func ParseDeliveryID(id string) (endpoint EndpointID, number uint64, ok bool) {
	cut := strings.LastIndexByte(id, '-')
	if cut < 1 {
		return "", 0, false
	}
	number, err := strconv.ParseUint(id[cut+1:], 10, 64)
	endpoint = EndpointID(id[:cut])
	return endpoint, number, err == nil && number > 0 && FormatDeliveryID(endpoint, number) == id
}
