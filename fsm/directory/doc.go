// Package directory is the platform machine: tenants and the group that holds
// each, vendors, the intents of sagas, and the cluster's wrapped secrets. Its
// group is small and replicated to every node, so that placement is a local
// look-up everywhere.
package directory
