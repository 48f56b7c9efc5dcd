package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=invoice_command.go -o=invoice_command_gen.go -io=false -tests=false -unexported
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast
//msgp:shim cloudlicenses.Currency as:string using:string/cloudlicenses.Currency mode:cast
//msgp:shim cloudlicenses.DeliveryState as:string using:string/cloudlicenses.DeliveryState mode:cast

// The commands about invoices, which vendors' accounts keep; 81–89 are theirs
// (80 put invoices of license/6). Append only.
const (
	OpVoidInvoice fsm.Op = 81 // VoidInvoice → InvoiceResult
	OpInvoiced    fsm.Op = 82 // Invoiced → Ack: a month's run is through
	OpTick        fsm.Op = 83 // no tenant; Tick → Ack: moves nothing but the clock
)

// The queries about invoices.
const (
	QueryInvoices fsm.Op = 82 // ListInvoices → InvoicePage
	QueryInvoiced fsm.Op = 83 // GetInvoiced → InvoicedResult
)

// InvoiceLine is a line of an invoice. Amounts are minor units.
//
//msgp:tuple InvoiceLine
type InvoiceLine struct {
	LicenseID   cloudlicenses.LicenseID
	Description string
	Amount      int64
	Quantity    int64
	UnitPrice   int64
	PerUnit     bool
}

// Invoice is an invoice or a credit note as kept, computed outside. ID follows
// from customer, month, currency and revision, and Month from it.
//
//msgp:tuple Invoice
type Invoice struct {
	ID            string
	CreditNote    bool
	Void          bool
	Revision      int64
	Voids         string // of a mirror: the invoice that it cancels
	CRMAccount    string
	TenantID      cloudlicenses.TenantID // where there is no CRM account
	CustomerName  string
	Month         uint32
	Currency      cloudlicenses.Currency
	Lines         []InvoiceLine
	Total         int64
	CreatedMillis int64 // set by the machine
	VoidedMillis  int64 // set by the machine; 0: not
	Sent          InvoiceDelivery
	VoidReason    string // why it is void, or empty; a mirror has that of its invoice
}

// InvoiceDelivery is how far an invoice has come on its way to the vendor's
// billing system. State is empty where none was set up.
//
//msgp:tuple InvoiceDelivery
type InvoiceDelivery struct {
	State       cloudlicenses.DeliveryState
	Attempts    int64
	Status      int64 // of the last answer
	Error       string
	TriedMillis int64
	NextMillis  int64 // of what is pending
}

// VoidInvoice voids an invoice by its mirror, which is kept and sent beside it, for
// the mirror's VoidReason. Said again, it changes nothing.
//
//msgp:tuple VoidInvoice
type VoidInvoice struct {
	By     By
	ID     string
	Mirror Invoice
	Body   []byte // of the mirror
}

// Invoiced says that all invoices of a month are put.
//
//msgp:tuple Invoiced
type Invoiced struct {
	Month uint32
}

// Tick is an entry that carries nothing but its time.
//
//msgp:tuple Tick
type Tick struct{ Reserved bool }

// InvoiceResult is an invoice, or why not.
//
//msgp:tuple InvoiceResult
type InvoiceResult struct {
	Code    cloudlicenses.Code
	Detail  string
	Invoice Invoice
	Fresh   bool // it was not there before
}

// ListInvoices asks for an account's invoices, the newest month first and by id,
// after Cursor (an id).
//
//msgp:tuple ListInvoices
type ListInvoices struct {
	ID     string // not empty: this one alone (not_found where missing)
	Month  uint32 // 0: of every month
	Cursor string
	Limit  int64
}

// InvoicePage is a page of invoices.
//
//msgp:tuple InvoicePage
type InvoicePage struct {
	Code  cloudlicenses.Code
	Items []Invoice
	Next  string
}

// GetInvoiced asks which month's run was through last.
//
//msgp:tuple GetInvoiced
type GetInvoiced struct{ Reserved bool }

// InvoicedResult is that month; 0: none yet.
//
//msgp:tuple InvoicedResult
type InvoicedResult struct {
	Code  cloudlicenses.Code
	Month uint32
}

// bookRecord is an account's state of invoicing.
//
//msgp:tuple bookRecord
type bookRecord struct {
	Month    uint32 // whose run was through last
	Endpoint endpointRecord
}
