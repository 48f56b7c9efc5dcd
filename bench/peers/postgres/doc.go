// Package postgres runs a PostgreSQL primary with two synchronous standbys, and
// keeps pools and leases in it.
package postgres
