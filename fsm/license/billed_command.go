package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=billed_command.go -o=billed_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast

// What an account remembers of what it has billed.
const (
	OpIssueInvoice  fsm.Op = 117 // IssueInvoice → InvoiceResult
	OpResendInvoice fsm.Op = 118 // ResendInvoice → InvoiceResult

	QueryBilled fsm.Op = 125 // ListBilled → BilledPage
)

// Share is what an invoice bills of a license: the commit fees of whole months, or
// the overage of its own month.
//
//msgp:tuple Share
type Share struct {
	LicenseID cloudlicenses.LicenseID
	Overage   bool
	First     uint32 // year × 12 + month, January = 0
	Last      uint32 // included
}

// IssueInvoice keeps an invoice, remembers what it bills and sends it; idempotent
// by its id. One that bills what another has billed, and is not void, is refused
// with already_exists. Where the lines come to 0 there is no invoice, and what it
// bills is remembered. A revision after the first needs the one before it void.
//
//msgp:tuple IssueInvoice
type IssueInvoice struct {
	By      By
	Invoice Invoice
	Body    []byte // JSON, as the vendor's billing system takes it
	Shares  []Share
}

// ResendInvoice sends again an invoice or a credit note that could not be sent.
// Otherwise, and for one that is void, it changes nothing.
//
//msgp:tuple ResendInvoice
type ResendInvoice struct {
	By   By
	ID   string
	Body []byte // of the invoice as it is kept
}

// Span is a Share as its license's record has it.
//
//msgp:tuple Span
type Span struct {
	Overage bool
	First   uint32
	Last    uint32
	Invoice string // which has billed it; empty: one over 0, which is not kept
	Void    bool   // so it is to be billed again, with the month of Invoice
}

// Billed is what an account has billed of a license.
//
//msgp:tuple Billed
type Billed struct {
	LicenseID cloudlicenses.LicenseID
	Spans     []Span
}

// ListBilled asks for what is billed of an account's licenses, by license, after
// Cursor.
//
//msgp:tuple ListBilled
type ListBilled struct {
	Cursor string
	Limit  int64
}

// BilledPage is a page of it.
//
//msgp:tuple BilledPage
type BilledPage struct {
	Code  cloudlicenses.Code
	Items []Billed
	Next  string // empty on the last one
}
