package cloudlicenses

import "time"

// Every limit that somebody outside can meet stands in this file, with the reply
// that a client gets. The engine's own stand in cluster/limits.go; what bounds the
// inside of one file stands there.
const (
	// MaxBodyBytes bounds a request body; past it 413 body_too_large.
	MaxBodyBytes = 1 << 20
	// MaxHeaderBytes bounds request line and headers together; past it 431.
	MaxHeaderBytes = 16 << 10
	// MaxCommandBytes bounds one command of a machine: what is made of a body is
	// within it, and what is more fails (500).
	MaxCommandBytes = 2 << 20
	// MaxJSONDepth bounds nesting of a JSON body; past it 400.
	MaxJSONDepth = 32
	// HeaderTimeout is how long a client may take to send its headers.
	HeaderTimeout = 10 * time.Second
	// BodyTimeout is how long a client may take to send a body.
	BodyTimeout = 30 * time.Second
	// IdleTimeout closes a kept-alive connection on which nothing came.
	IdleTimeout = 120 * time.Second
	// RequestTimeout is a request's deadline inside the cluster: the time
	// for finding a leader and settling an unknown outcome.
	RequestTimeout = 5 * time.Second
	// MinIndexWait is how long a read with X-Min-Index waits for its replica
	// before 503 not_caught_up.
	MinIndexWait = 2 * time.Second

	// MinFreeDisk is how many bytes stay free on a node's disk where --min-free-disk
	// does not say otherwise; with less, writes are 503 storage_full.
	MinFreeDisk = 256 << 20

	// MaxIDLength bounds every id in a request, in bytes (422).
	MaxIDLength = 100
	// MaxNameLength bounds the names of companies, vendors and products, and the
	// range of versions of a license, in bytes (422).
	MaxNameLength = 300
	// MaxTaxIDLength bounds a company's tax id, in bytes (422).
	MaxTaxIDLength = 50
	// MaxLicensePrefix bounds a vendor's license prefix (422), so that a license
	// id stays within MaxIDLength.
	MaxLicensePrefix = 30
	// MaxProducts bounds a vendor's catalog (402 plan_limit_exceeded).
	MaxProducts = 10_000
	// MaxWaitingLicenses bounds the licenses of a vendor that wait for their tenants
	// or for being provisioned (402 plan_limit_exceeded).
	MaxWaitingLicenses = 10_000
	// MaxVersionLength bounds a version and a range of versions, in bytes (422).
	MaxVersionLength = 100
	// MaxURLLength bounds a URL in settings and of a webhook, in bytes (422).
	MaxURLLength = 2048
	// MaxBearerToken bounds the bearer token of a webhook, in bytes (422).
	MaxBearerToken = 4096
	// MaxUserLength bounds a lease's user, in characters (422).
	MaxUserLength = 256
	// MaxMetadataBytes bounds a checkout's metadata as sent (422).
	MaxMetadataBytes = 4 << 10
	// MaxIdempotencyKeyLength bounds the Idempotency-Key header, in bytes (422).
	MaxIdempotencyKeyLength = 255
	// MaxHeaderFactLength bounds X-Hostname, X-App-Fingerprint and
	// X-Lib-Version, in bytes (422).
	MaxHeaderFactLength = 256
	// MaxBatchOperations bounds POST /api/v1/licenses/batch (422).
	MaxBatchOperations = 1000
	// MaxSeatsPerCheckout bounds a checkout's count (422).
	MaxSeatsPerCheckout = 1_000_000
	// MaxSeats bounds T, C and M of a license (422 invalid_entitlement).
	MaxSeats = 100_000_000

	// MaxPrices bounds how often a license's price may change (503 overloaded).
	MaxPrices = 1000
	// MaxProvisionedLicenses bounds the licenses that an operator makes of one kind
	// for a tenant at once (422).
	MaxProvisionedLicenses = 1_000_000
	// RefusedRevisionMemory is how long a tenant's group goes on refusing a revision
	// of a license that it has refused: longer than anybody may be at it.
	// MaxRefusedRevisions bounds how many it remembers; one more forgets the oldest.
	RefusedRevisionMemory = 24 * time.Hour
	MaxRefusedRevisions   = 10_000

	// HourSeriesKept is for how long what a license was used for is known by
	// hour, at the least; by day and by month it is known for good.
	HourSeriesKept = 400 * 24 * time.Hour
	// MaxAnalyticsHours, MaxAnalyticsDays and MaxAnalyticsMonths bound what one
	// reply of analytics covers, by hour, day and month (422).
	MaxAnalyticsHours  = 31 * 24
	MaxAnalyticsDays   = 366
	MaxAnalyticsMonths = 60
	// MaxEventStreams bounds the streams of events that a node has open (503
	// overloaded), MaxTenantStreams those of a tenant on it (429 rate_limited).
	MaxEventStreams  = 5000
	MaxTenantStreams = 1000
	// EventLook is how often a node looks for what streams are to be told, and
	// EventHeartbeat how often a stream that has nothing to tell says so.
	EventLook      = 400 * time.Millisecond
	EventHeartbeat = 10 * time.Second
	// MaxEventsAtOnce bounds the events about leases of one look: of more, the
	// newest are told. Past MaxEventsLooked a stream is told to read anew. Where a
	// tenant has more than ManyStreams on a node, a look comes after half as long
	// again, and tells fewer.
	MaxEventsAtOnce = 25
	MaxEventsLooked = 500
	ManyStreams     = 100
	// MaxHeatmapDays bounds the days of a heat map (422).
	MaxHeatmapDays = 92

	// MinTTL, MaxTTL and DefaultTTL bound a lease's life without heartbeat.
	MinTTL     = 60 * time.Second
	MaxTTL     = 86400 * time.Second
	DefaultTTL = 300 * time.Second

	// DefaultListLimit and MaxListLimit bound the page of a list.
	DefaultListLimit = 50
	MaxListLimit     = 100

	// EndedLeaseMemory is how long an ended lease answers 410 (or, returned,
	// repeats its reply) before it is 404.
	EndedLeaseMemory = 24 * time.Hour
	// IdempotencyAfterEnd is how long an Idempotency-Key outlives its lease.
	IdempotencyAfterEnd = 15 * time.Minute
	// RequestIDMemory is how long a granted checkout answers to the server's
	// own request id: longer than any request's deadline.
	RequestIDMemory = 60 * time.Second
	// ContinueUseWithin is how long after an expiry the same key, user and
	// hostname continue an overage use without a new charge.
	ContinueUseWithin = 10 * time.Minute

	// MaxClockOffset is how far a node's clock may be off most of its peers'
	// before it neither stamps entries nor leads.
	MaxClockOffset = 500 * time.Millisecond

	// MaxExportDays bounds the days of an overage export (422).
	MaxExportDays = 3 * 366
	// MaxPDFRows bounds a PDF, which is held in memory as a whole: some 340 pages
	// (422). CSV and JSON have no bound.
	MaxPDFRows = 10_000

	// MaxInvoiceLines bounds the lines of one invoice, and MaxInvoiceBytes what they
	// take as it is sent: what is past either is on others of the same customer and
	// month. A machine decodes no text of a command past 64 KiB.
	MaxInvoiceLines = 200
	MaxInvoiceBytes = 48 << 10

	// MinShareRate and MaxShareRate bound the platform's share of a vendor's
	// overage revenue, in hundredths of a percent (422).
	MinShareRate = 200
	MaxShareRate = 500
	// DefaultShareRate is that of a vendor that has none of its own.
	DefaultShareRate = 250

	// MaxCaps bounds a tenant's monthly caps on overage (422).
	MaxCaps = 1000

	// MaxUsers bounds the users of a tenant (402 plan_limit_exceeded).
	MaxUsers = 1000
	// MaxEmailLength bounds an e-mail address, in bytes (RFC 5321, 4.5.3.1.3,
	// without its brackets; 422).
	MaxEmailLength = 254
	// MaxPersonNameLength bounds a user's name, in characters (422).
	MaxPersonNameLength = 100
	// MinPasswordLength in characters and MaxPasswordBytes bound a password (422).
	MinPasswordLength = 12
	MaxPasswordBytes  = 256
	// MaxPasswordsWaiting bounds the passwords that a node hashes, or has wait for
	// that, at once (503 overloaded).
	MaxPasswordsWaiting = 64
	// MaxSSODomains bounds the e-mail domains of a tenant's single sign-on (422).
	MaxSSODomains = 100
	// MaxClientIDLength and MaxClientSecretLength bound what an OpenID provider
	// knows a tenant by, in bytes (422).
	MaxClientIDLength     = 512
	MaxClientSecretLength = 1024
	// MaxSubjectLength bounds `sub` of an ID token, in bytes (OpenID Connect Core
	// 1.0, 2; 401).
	MaxSubjectLength = 255
	// SSOLoginLife is how long a single sign-on may take (401).
	SSOLoginLife = 10 * time.Minute
	// MaxSSOLogins bounds a user's single sign-ons within SSOLoginLife (429
	// rate_limited): as long as that, none may be repeated.
	MaxSSOLogins = 20
	// SSOTimeout bounds each request to an OpenID provider, and MaxSSOReply its
	// answer (503).
	SSOTimeout  = 4 * time.Second
	MaxSSOReply = 1 << 20
	// SSOProviderLife is how long what a provider says of itself is not asked
	// again, and SSOProviderRetry how long that it could not be read.
	SSOProviderLife  = 10 * time.Minute
	SSOProviderRetry = 5 * time.Second
	// MaxSSOProviders bounds the providers that a node remembers, and
	// MaxSSORequests the log-ins that ask one of them at once (503 overloaded).
	MaxSSOProviders = 1000
	MaxSSORequests  = 8
	// MaxSessions bounds the sessions of a user: one more ends the oldest.
	MaxSessions = 20
	// SessionLife is how long a session lives, whatever happens.
	SessionLife = 24 * time.Hour
	// MaxSessionStaleness bounds how far a replica may be behind by which reads of a
	// session are answered while no leader can be reached (503 no_leader).
	MaxSessionStaleness = 15 * time.Minute
	// SessionIdle ends a session that nobody used (401).
	SessionIdle = 2 * time.Hour
	// SessionTouch is how old the last use on record may grow before a use is
	// recorded: reading must not write each time.
	SessionTouch = 5 * time.Minute
	// LoginFailures within LoginWindow lock an e-mail address out of logging
	// in for LoginLock (429 login_locked). As many tries to prove oneself beside a
	// session may be made at a node (429 rate_limited).
	LoginFailures = 5
	LoginWindow   = 15 * time.Minute
	LoginLock     = 15 * time.Minute
	// MaxPasswordsOfOne bounds the passwords from one address (IPv6: /64), and those of
	// one account, that wait at a node for their check (503 overloaded).
	MaxPasswordsOfOne = 16
	// MaxLoginGuards bounds the addresses without a user whose failures a
	// tenant remembers.
	MaxLoginGuards = 4096
	// MaxAdjustments bounds the adjustments of one overage record (422), and
	// MaxAdjustmentReason what is said about one, in characters (422).
	MaxAdjustments      = 16
	MaxAdjustmentReason = 200
	// MaxVoidReason bounds what is said about a voided invoice, in characters (422).
	MaxVoidReason = 200
	// MaxNotices bounds the notices to contacts that wait for their licenses,
	// of a tenant or vendor, MaxVendorNotices those of one vendor at a tenant (503
	// overloaded).
	MaxNotices       = 10_000
	MaxVendorNotices = 1000
	// MaxVendorEvents bounds the events that wait for a vendor's account; past it
	// the oldest are lost.
	MaxVendorEvents = 10_000
	// BlockedEventPause is the least time between two events that tell a vendor that
	// the same tenant has blocked it.
	BlockedEventPause = time.Hour
	// MaxContactMails bounds the licenses that a vendor generates or provisions with a
	// contact to be mailed, at a node in ContactMailWindow (429 rate_limited).
	MaxContactMails   = 3000
	ContactMailWindow = time.Hour
	// NoticeLife is how long such a notice waits: it names a person.
	NoticeLife = 365 * 24 * time.Hour
	// MaxNoticeMessage bounds a notification's message, in characters (422).
	MaxNoticeMessage = 2000

	// InviteLife and ResetLife are how long a mailed one-time token works.
	InviteLife = 7 * 24 * time.Hour
	ResetLife  = time.Hour
	// InviteAgain is how soon after a mailed invitation the same address may be invited
	// again, removed or not (429 rate_limited): nobody's mailbox is to be filled. As
	// many as MaxUsers are invited within it.
	InviteAgain = 10 * time.Minute

	// MaxKeys bounds the API keys of an account that are neither revoked nor
	// expired (402 plan_limit_exceeded).
	MaxKeys = 10_000
	// MaxAppNameLength bounds an API key's app_name, in characters (422).
	MaxAppNameLength = 100
	// MaxKeyDays bounds an API key's expires_in_days (422).
	MaxKeyDays = 3650
	// MaxKeyHostnames and MaxKeyNetworks bound an API key's allowed hostnames
	// and networks (422).
	MaxKeyHostnames = 100
	MaxKeyNetworks  = 100
	// DefaultKeyOverlap and MaxKeyOverlap bound how long a rotated key's
	// earlier secret goes on working (422).
	DefaultKeyOverlap = 24 * time.Hour
	MaxKeyOverlap     = 30 * 24 * time.Hour
	// MaxEarlierSecrets bounds how many earlier secrets of a key are known: one
	// more ends the oldest.
	MaxEarlierSecrets = 4
	// KeyUseTouch is the precision of an API key's last use on record.
	KeyUseTouch = time.Minute

	// DefaultCheckoutsPerMinute and DefaultRequestsPerHour limit an API key
	// that is made without a limit of its own (429 rate_limited).
	DefaultCheckoutsPerMinute = 100
	DefaultRequestsPerHour    = 1000
	// MaxRateLimit bounds either (422).
	MaxRateLimit = 1_000_000
	// TenantCheckoutsPerMinute limits all keys together of a tenant that signed
	// up (429 rate_limited). Tenants that an operator makes have no limit.
	TenantCheckoutsPerMinute = 6000

	// MaxAuditExport bounds the records of one audit log as CSV; a Link header
	// names the rest.
	MaxAuditExport = 50_000
	// MaxIntended bounds what an account's people and keys have under way elsewhere
	// at once (503 overloaded).
	MaxIntended = 1000
	// RefusalMinutes is how long refusals are counted by minute, layer and
	// address, and RefusalRows bounds the addresses of a minute; what is past it
	// is counted together.
	RefusalMinutes = 15
	RefusalRows    = 1024
	// MaxWebhookEndpoints bounds the webhook endpoints of an account (402
	// plan_limit_exceeded).
	MaxWebhookEndpoints = 10
	// MaxPendingDeliveries disables an endpoint for which so many wait.
	MaxPendingDeliveries = 10_000
	// DeliveryLog is how many settled deliveries of an endpoint are kept.
	DeliveryLog = 100
	// MaxDeadMails is how many mails that failed for good a group remembers.
	MaxDeadMails = 1000
	// MaxNotified bounds whom one event is mailed to.
	MaxNotified = 20
	// WebhookSecretOverlap is how long a webhook's old secret signs besides
	// its new one; MaxWebhookSecrets sign at once.
	WebhookSecretOverlap = 24 * time.Hour
	MaxWebhookSecrets    = 5
	// MaxRegistrations bounds sign-ups of one address (IPv6: /64) at a node in
	// RegistrationWindow, of tenants and vendors together (429 rate_limited).
	MaxRegistrations   = 30
	RegistrationWindow = time.Hour
	// MaxPendingRegistrations bounds the sign-ups that wait for their verification, of
	// tenants and of vendors each (503 overloaded).
	MaxPendingRegistrations = 10_000
	// MaxWrongTries and MaxRightTries bound the tries of a sign-up's token in an hour
	// (429 rate_limited). Those of the right one are counted apart: a stranger who
	// guesses must not lock out whom the token belongs to.
	MaxWrongTries = 20
	MaxRightTries = 120
	// DeletionGrace is how long a deletion of a tenant can be taken back where
	// nothing else is configured, MaxDeletionGrace the longest such time.
	DeletionGrace    = 30 * 24 * time.Hour
	MaxDeletionGrace = 365 * 24 * time.Hour
)
