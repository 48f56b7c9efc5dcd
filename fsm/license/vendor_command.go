package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=vendor_command.go -o=vendor_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.ProductID as:string using:string/cloudlicenses.ProductID mode:cast
//msgp:shim Changed as:uint8 using:uint8/Changed mode:cast

// The commands of vendors' accounts; 50–59 are theirs. Append only.
const (
	OpVendorSettings fsm.Op = 50 // VendorSettings → Ack
	OpPutProduct     fsm.Op = 51 // PutProduct → ProductResult
)

// The queries of vendors' accounts, besides QueryKey (50).
const (
	QueryInvoiceHook fsm.Op = 51 // GetInvoiceHook → InvoiceHookResult
	QueryProducts    fsm.Op = 52 // ListProducts → ProductPage
)

// Changed is a set of members that a command is to change.
type Changed uint8

// The members of an InvoiceHook.
const (
	ChangedURL   Changed = 1 << 0
	ChangedToken Changed = 1 << 1
)

// The members of a Product.
const (
	ChangedName          Changed = 1 << 0
	ChangedConstraint    Changed = 1 << 1
	ChangedMinLibVersion Changed = 1 << 2
	ChangedArchived      Changed = 1 << 3
)

// InvoiceHook is where a vendor's invoices are sent: POST to URL with the
// bearer token.
//
//msgp:tuple InvoiceHook
type InvoiceHook struct {
	URL   string // empty: nowhere
	Token string
}

// VendorSettings says who changes a vendor's settings, and changes what of them
// is kept in the account; the directory has the others. A new URL without a
// token forgets the token: it was meant for the old one.
//
//msgp:tuple VendorSettings
type VendorSettings struct {
	By      By
	Set     Changed
	Invoice InvoiceHook
}

// Product is one of a vendor's catalogue. Times are Unix milliseconds.
//
//msgp:tuple Product
type Product struct {
	ID            cloudlicenses.ProductID
	Name          string
	Constraint    string // semver range for licenses that name none; empty: any version
	MinLibVersion string // of client libraries; empty: any
	Archived      bool   // no new licenses of it
	CreatedMillis int64
	UpdatedMillis int64
}

// PutProduct creates a product or changes what is set of one that is there.
// Creating is idempotent: the same product again changes nothing.
//
//msgp:tuple PutProduct
type PutProduct struct {
	By      By
	Create  bool
	Set     Changed
	Product Product // its times are the machine's
}

// ProductResult is the product as it is now, or why not.
//
//msgp:tuple ProductResult
type ProductResult struct {
	Code    cloudlicenses.Code
	Detail  string
	Product Product
}

// GetInvoiceHook asks where a vendor's invoices go.
//
//msgp:tuple GetInvoiceHook
type GetInvoiceHook struct{ Reserved bool }

// InvoiceHookResult never leaves the cluster: it holds the token.
//
//msgp:tuple InvoiceHookResult
type InvoiceHookResult struct {
	Code    cloudlicenses.Code
	Invoice InvoiceHook
}

// ListProducts asks for a vendor's products in order of id, after Cursor.
//
//msgp:tuple ListProducts
type ListProducts struct {
	ID     cloudlicenses.ProductID // not empty: this one alone (not_found where missing)
	Cursor string
	Limit  int64
}

// ProductPage is a page of products.
//
//msgp:tuple ProductPage
type ProductPage struct {
	Code  cloudlicenses.Code
	Items []Product
	Next  string
}
