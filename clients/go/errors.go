package licenseclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Code is the stable name of a refusal, as the server gives it in "code". A
// Code is itself an error, so that errors.Is asks a reply for it:
//
//	if errors.Is(err, licenseclient.ErrLicenseUnavailable) { … }
type Code string

// Error returns the code as text.
func (c Code) Error() string { return string(c) }

// The codes of the public contract, by HTTP status. A server newer than this
// package may give others; compare Error.Code with a Code of your own then.
const (
	// 400 and 401.
	ErrMalformedRequest Code = "malformed_request"
	ErrUnauthenticated  Code = "unauthenticated"
	ErrKeyExpired       Code = "key_expired"
	ErrKeyRevoked       Code = "key_revoked"
	// 402.
	ErrPlanLimitExceeded Code = "plan_limit_exceeded"
	// 403.
	ErrWrongTenant               Code = "wrong_tenant"
	ErrMissingScope              Code = "missing_scope"
	ErrHostnameNotAllowed        Code = "hostname_not_allowed"
	ErrIPNotAllowed              Code = "ip_not_allowed"
	ErrClientCertificateRequired Code = "client_certificate_required"
	ErrClientCertificateMismatch Code = "client_certificate_mismatch"
	ErrFingerprintBlocked        Code = "fingerprint_blocked"
	ErrForbiddenRole             Code = "forbidden_role"
	ErrVendorMismatch            Code = "vendor_mismatch"
	ErrVerificationFailed        Code = "verification_failed"
	// 404.
	ErrNotFound        Code = "not_found"
	ErrProductNotFound Code = "product_not_found"
	ErrLeaseNotFound   Code = "lease_not_found"
	ErrTenantNotFound  Code = "tenant_not_found"
	// 405, 415 and 421.
	ErrMethodNotAllowed     Code = "method_not_allowed"
	ErrUnsupportedMediaType Code = "unsupported_media_type"
	ErrMisdirectedRequest   Code = "misdirected_request"
	// 409.
	ErrOpportunityConflict Code = "opportunity_conflict"
	ErrLicenseUnavailable  Code = "license_unavailable"
	ErrOverageMaxExceeded  Code = "overage_max_exceeded"
	ErrOverageDeclined     Code = "overage_declined"
	ErrOverageCapReached   Code = "overage_cap_reached"
	ErrAlreadyExists       Code = "already_exists"
	ErrVerificationPending Code = "verification_pending"
	ErrLicenseNotActive    Code = "license_not_active"
	ErrRegionUnavailable   Code = "region_unavailable"
	// 410.
	ErrLeaseExpired  Code = "lease_expired"
	ErrLeaseReleased Code = "lease_released"
	// 413 and 422.
	ErrBodyTooLarge         Code = "body_too_large"
	ErrInvalidField         Code = "invalid_field"
	ErrInvalidEntitlement   Code = "invalid_entitlement"
	ErrVersionNotAllowed    Code = "version_not_allowed"
	ErrIdempotencyKeyReused Code = "idempotency_key_reused"
	// 429.
	ErrRateLimited Code = "rate_limited"
	ErrLoginLocked Code = "login_locked"
	// 500 and 503.
	ErrInternal     Code = "internal"
	ErrNoLeader     Code = "no_leader"
	ErrOverloaded   Code = "overloaded"
	ErrTenantMoving Code = "tenant_moving"
	ErrStorageFull  Code = "storage_full"
	ErrNotCaughtUp  Code = "not_caught_up"
	// ErrOutcomeUnknown is also what an UnfinishedError answers to, where a
	// write was sent and never answered.
	ErrOutcomeUnknown Code = "outcome_unknown"
)

// Errors of the client itself.
var (
	// ErrConfig: an option or environment variable is missing or unusable.
	ErrConfig = errors.New("license client configuration")
	// ErrLeaseLapsed is Lease.Err where no heartbeat came through before the
	// lease's time was up.
	ErrLeaseLapsed = errors.New("no heartbeat came through before the lease expired")
	// ErrReply: a success that is no JSON of the contract, as from a proxy or
	// a portal in between.
	ErrReply = errors.New("reply is not one of a license server")
)

// Error is a refusal by the server: an RFC 9457 problem.
type Error struct {
	Status     int           // of HTTP
	Code       Code          // empty where something in between answered, such as a proxy
	Title      string        // of the code, always the same
	Detail     string        // of this case, for a person
	RequestID  string        // the server's, for its logs
	Retryable  bool          // the same request may succeed later
	Layer      string        // the link of the access chain that refused, else empty
	LicenseID  string        // the license in the way of ErrAlreadyExists
	Fields     []FieldError  // what is wrong with which part of the request
	RetryAfter time.Duration // of the header; 0 where the server gave none
}

// FieldError names one unusable part of a request: one of the first three.
type FieldError struct {
	Pointer   string `json:"pointer"`   // JSON pointer (RFC 6901) into the body, such as "/ttl_seconds"
	Parameter string `json:"parameter"` // of the query
	Header    string `json:"header"`    // of the request
	Detail    string `json:"detail"`    // for a person
}

func (f *FieldError) part() string { return f.Pointer + f.Parameter + f.Header }

// Error returns one line: what was refused, why, and where to look it up.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("license server: ")
	switch {
	case e.Detail != "":
		b.WriteString(e.Detail)
	case e.Title != "":
		b.WriteString(e.Title)
	default:
		b.WriteString(http.StatusText(e.Status))
	}
	for i := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", e.Fields[i].part(), e.Fields[i].Detail)
	}
	b.WriteString(" (")
	if e.Code != "" {
		b.WriteString(string(e.Code) + ", ")
	}
	b.WriteString("HTTP " + strconv.Itoa(e.Status))
	if e.RequestID != "" {
		b.WriteString(", request " + e.RequestID)
	}
	b.WriteString(")")
	return b.String()
}

// Is reports whether target is this refusal's Code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code != "" && code == e.Code
}

// UnfinishedError is returned when a call ended without a definite answer:
// its context or deadline ran out, or no node could be reached.
type UnfinishedError struct {
	Attempts int
	// Unknown tells that the write was sent, or may have been, and that the
	// server may have done it: errors.Is(err, ErrOutcomeUnknown). Call again
	// with the same IdempotencyKey to learn the outcome; without that, a
	// lease nobody knows of ends by itself after its TTL.
	Unknown bool
	// IdempotencyKey is the checkout's, else empty.
	IdempotencyKey string
	// Err is what the last attempt met.
	Err error
}

// Error says whether the write may have happened, and what was met last.
func (e *UnfinishedError) Error() string {
	outcome := "not done"
	if e.Unknown {
		outcome = "outcome unknown"
	}
	attempts := "attempt"
	if e.Attempts != 1 {
		attempts = "attempts"
	}
	return fmt.Sprintf("license server: %s after %d %s: %v", outcome, e.Attempts, attempts, e.Err)
}

// Unwrap returns what the last attempt met, so that errors.Is finds
// context.DeadlineExceeded and the like.
func (e *UnfinishedError) Unwrap() error { return e.Err }

// Is reports whether target is ErrOutcomeUnknown and the outcome is.
func (e *UnfinishedError) Is(target error) bool {
	return e.Unknown && target == ErrOutcomeUnknown
}

// problem is the wire form of a refusal.
type problem struct {
	Title     string       `json:"title"`
	Detail    string       `json:"detail"`
	Code      Code         `json:"code"`
	RequestID string       `json:"request_id"`
	Retryable bool         `json:"retryable"`
	Layer     string       `json:"layer"`
	LicenseID string       `json:"license_id"`
	Errors    []FieldError `json:"errors"`
}

// parseError makes an Error of a reply that is no success. A reply that is no
// problem of ours came from something in between: a gateway's 502, 503 or 504
// is worth another try.
func parseError(status int, header http.Header, body []byte) *Error {
	e := &Error{Status: status, RetryAfter: retryAfter(header.Get("Retry-After"), time.Now())}
	var p problem
	if err := json.Unmarshal(body, &p); err == nil && p.Code != "" {
		e.Code, e.Title, e.Detail, e.RequestID = p.Code, p.Title, p.Detail, p.RequestID
		e.Retryable, e.Layer, e.LicenseID, e.Fields = p.Retryable, p.Layer, p.LicenseID, p.Errors
		return e
	}
	e.Title = http.StatusText(status)
	e.Detail = excerpt(body)
	e.Retryable = status == http.StatusBadGateway || status == http.StatusServiceUnavailable ||
		status == http.StatusGatewayTimeout
	return e
}

// excerpt is the start of a body that is not ours, fit for one line.
func excerpt(body []byte) string {
	const most = 200
	if len(body) > most {
		body = body[:most]
	}
	if !utf8.Valid(body) {
		body = []byte(strings.ToValidUTF8(string(body), ""))
	}
	line := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, string(body))
	return strings.Join(strings.Fields(line), " ")
}

// retryAfter reads Retry-After: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
