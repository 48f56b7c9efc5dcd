// Package outbox delivers what the machines of the license groups leave: mails
// and webhooks.
//
//	machine: record, due at once ─▶ the group's leader: pass, run ─▶ notify
//	    ▲                                                              │
//	    └────────────── attempt, outcome, next time (a command) ◀──────┘
//
// A group's leader delivers, nobody else. It is woken by the pulse in which a
// leader asks its machine what is due: by a record that is new, or the time at
// which the next one may be tried. Nothing runs while nothing is due.
//
// What came of an attempt is a command of the group, so that a new leader goes on
// where the old one stopped. One that died between the two delivers again, under
// the same id: at least once.
//
// It owns who may be tried at the same time, and makes letters and bodies of
// records. It must never know how they travel: that is package notify.
package outbox
