// Package notify is what leaves the cluster: mail and webhooks.
//
// It is handed a [Record] and hands back an [Outcome]: delivered, to be tried
// again at a time, disabled by its receiver, or failed for good. It owns what
// both look like on the wire, whom a webhook may reach, which failures pass and
// when to try again; and every sentence of every mail, in texts.go.
//
// It must never know where records come from or are kept: no Raft, no machine, no
// shard. It keeps nothing itself, so a record may be delivered twice, by a leader
// that was lost in between; [ID] is what a receiver knows it again by.
package notify
