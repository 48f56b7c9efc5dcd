// Package etcd runs an etcd cluster of three members, and keeps pools and leases
// in it.
package etcd
