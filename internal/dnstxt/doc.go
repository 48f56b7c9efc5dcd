// Package dnstxt asks a DNS resolver for TXT records, and is a small DNS server
// whose TXT records are set at run time, for dev and for tests.
//
// It owns the wire: ids, ports, retries, truncation, aliases. It must never know
// what a record is for.
//
// What it does not do: it validates no DNSSEC, caches nothing and does not walk
// from the root. It believes its resolver, which is therefore to be a near one
// that validates.
package dnstxt
