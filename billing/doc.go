// Package billing makes what a month costs out of records: commit fees pro
// rata, overage exports as CSV, JSON and PDF, invoices with their credit
// notes, the platform's revenue share and plan fees, and a tenant's costs.
//
// It owns days, months and billing cycles, every rounding of money (exact
// integers, each line once, half away from zero), the wording of a line, and
// the formats that leave. Its functions are pure: the same records make the
// same bytes, on every replica and on every day.
//
// It must never know the clock, randomness, where records are stored, how they
// are replicated, HTTP, or who may read a statement. It reads nothing but its
// arguments and writes to an io.Writer alone. What is charged for a use is
// decided when the seat is granted; here it is only added up.
//
// An amount of an input or a result is int64 minor units of the currency
// beside it. A sum past int64 is ErrOverflow, never a wrapped number.
package billing
