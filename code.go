package cloudlicenses

// Code is the stable, public name of an outcome that is not a success
// (docs: contract "Requests and replies"). The empty Code is success. A
// refusal is a Code in a result; a Go error means that the machinery failed.
type Code string

// The codes of the public contract, by HTTP status.
const (
	OK Code = ""

	MalformedRequest Code = "malformed_request" // 400

	Unauthenticated Code = "unauthenticated" // 401
	KeyExpired      Code = "key_expired"     // 401
	KeyRevoked      Code = "key_revoked"     // 401

	PlanLimitExceeded Code = "plan_limit_exceeded" // 402

	WrongTenant               Code = "wrong_tenant"                // 403
	MissingScope              Code = "missing_scope"               // 403
	HostnameNotAllowed        Code = "hostname_not_allowed"        // 403
	IPNotAllowed              Code = "ip_not_allowed"              // 403
	ClientCertificateRequired Code = "client_certificate_required" // 403
	ClientCertificateMismatch Code = "client_certificate_mismatch" // 403
	FingerprintBlocked        Code = "fingerprint_blocked"         // 403
	ForbiddenRole             Code = "forbidden_role"              // 403
	VendorMismatch            Code = "vendor_mismatch"             // 403
	VerificationFailed        Code = "verification_failed"         // 403

	NotFound        Code = "not_found"         // 404
	ProductNotFound Code = "product_not_found" // 404
	LeaseNotFound   Code = "lease_not_found"   // 404
	TenantNotFound  Code = "tenant_not_found"  // 404

	MethodNotAllowed     Code = "method_not_allowed"     // 405
	UnsupportedMediaType Code = "unsupported_media_type" // 415
	MisdirectedRequest   Code = "misdirected_request"    // 421

	OpportunityConflict Code = "opportunity_conflict" // 409
	LicenseUnavailable  Code = "license_unavailable"  // 409
	OverageMaxExceeded  Code = "overage_max_exceeded" // 409
	OverageDeclined     Code = "overage_declined"     // 409
	OverageCapReached   Code = "overage_cap_reached"  // 409
	AlreadyExists       Code = "already_exists"       // 409
	VerificationPending Code = "verification_pending" // 409
	LicenseNotActive    Code = "license_not_active"   // 409
	RegionUnavailable   Code = "region_unavailable"   // 409

	LeaseExpired  Code = "lease_expired"  // 410
	LeaseReleased Code = "lease_released" // 410

	BodyTooLarge Code = "body_too_large" // 413

	InvalidField         Code = "invalid_field"          // 422
	InvalidEntitlement   Code = "invalid_entitlement"    // 422
	VersionNotAllowed    Code = "version_not_allowed"    // 422
	IdempotencyKeyReused Code = "idempotency_key_reused" // 422

	RateLimited Code = "rate_limited" // 429
	LoginLocked Code = "login_locked" // 429

	Internal Code = "internal" // 500

	NoLeader       Code = "no_leader"       // 503
	Overloaded     Code = "overloaded"      // 503
	TenantMoving   Code = "tenant_moving"   // 503
	StorageFull    Code = "storage_full"    // 503
	NotCaughtUp    Code = "not_caught_up"   // 503
	OutcomeUnknown Code = "outcome_unknown" // 503
)

// StalePlacement is internal: the command carried a placement epoch that is
// not the tenant's. The caller refreshes its placement and asks once more; it
// never reaches a client.
const StalePlacement Code = "stale_placement"

// Layer names the link of the access chain that refused a caller, in the
// order in which the links are asked.
type Layer string

// The access chain, cheapest and most decisive first.
const (
	LayerNone        Layer = ""
	LayerHost        Layer = "host"
	LayerKey         Layer = "key"
	LayerScope       Layer = "scope"
	LayerHostname    Layer = "hostname"
	LayerAddress     Layer = "address"
	LayerCertificate Layer = "certificate"
	LayerFingerprint Layer = "fingerprint"
	LayerRate        Layer = "rate"
)
