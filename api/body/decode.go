package body

import (
	"strconv"
	"unicode/utf8"

	"github.com/cloudlicenses/cloudlicenses"
)

// Kind is what a body, or a batch's operation, asks for.
type Kind uint8

// The kinds; None is one that is not known yet, or none of the others.
const (
	None Kind = iota
	Checkout
	Heartbeat
	Return
)

// field is a set of an Operation's members.
type field uint16

const (
	fieldOp field = 1 << iota
	fieldKey
	fieldProduct
	fieldUser
	fieldVendor
	fieldCount
	fieldVersion
	fieldTTL
	fieldOverage
	fieldToken
	fieldMetadata
	fieldLease
)

var fieldNames = [...]string{"op", "idempotency_key", "product_id", "user", "vendor_id", "count",
	"version", "ttl_seconds", "allow_overage", "token", "metadata", "lease_id"}

// fieldsOf are the members an Operation may have, requiredOf those it must.
var (
	fieldsOf = [...]field{
		None:      ^field(0),
		Checkout:  fieldProduct | fieldUser | fieldVendor | fieldCount | fieldVersion | fieldTTL | fieldOverage | fieldToken | fieldMetadata,
		Heartbeat: fieldLease | fieldToken,
		Return:    fieldLease,
	}
	requiredOf = [...]field{
		None:      fieldOp,
		Checkout:  fieldProduct | fieldUser,
		Heartbeat: fieldLease,
		Return:    fieldLease,
	}
)

// Operation is a decoded body, or one operation of a batch. Its byte slices
// alias the request's body.
type Operation struct {
	Kind         Kind
	AllowOverage bool
	Token        bool
	Count        int64
	TTLSeconds   int64
	Product      []byte
	Vendor       []byte
	User         []byte
	Version      []byte
	Key          []byte // idempotency_key of a batch's operation
	Metadata     []byte // the object as sent
	// Lease is 0 for a text that is no lease id.
	Lease cloudlicenses.LeaseID
	// Invalid are the errors of an operation of a batch.
	Invalid []FieldError

	seen field
}

// FieldError says what is wrong with one value of a request.
type FieldError struct {
	Pointer   string // JSON pointer into the body (RFC 6901), or
	Parameter string // the query parameter's name, or
	Header    string // the header's name
	Detail    string
}

// Decoder decodes hot-path bodies. Syntax errors, unknown and duplicate
// members end it (400); everything else is collected in Invalid (422).
type Decoder struct {
	Reader
	Invalid []FieldError
}

// Reset begins a new body.
func (d *Decoder) Reset(body []byte) {
	d.Reader.Reset(body)
	d.Invalid = nil
}

func (d *Decoder) complain(name, detail string) {
	d.Invalid = append(d.Invalid, FieldError{Pointer: name, Detail: detail})
}

// DecodeOperation decodes a body of the given kind.
func (d *Decoder) DecodeOperation(body []byte, kind Kind, o *Operation) {
	d.Reset(body)
	d.operation(kind, o)
	d.End()
}

// operation decodes one object. With None, "op" in it tells the kind.
func (d *Decoder) operation(kind Kind, o *Operation) {
	*o = Operation{Kind: kind, Count: 1, AllowOverage: true, TTLSeconds: int64(cloudlicenses.DefaultTTL.Seconds())}
	if !d.open('{') {
		d.Skip()
		if !d.Failed() {
			d.complain("", "must be an object")
		}
		return
	}
	allowed := fieldsOf[kind]
	for first := true; d.more(&first, '}'); {
		name := d.key()
		f := fieldOf(name)
		switch {
		case d.Failed():
			return
		case f&allowed == 0:
			d.fail("unknown member " + quoteName(name))
			return
		case o.seen&f != 0:
			d.duplicate(name)
			return
		}
		o.seen |= f
		d.member(f, o)
	}
	if d.Failed() {
		return
	}
	if kind == None && o.Kind != None {
		if stray := o.seen &^ (fieldsOf[o.Kind] | fieldOp | fieldKey); stray != 0 {
			d.fail("unknown member " + strconv.Quote(stray.first()) + " of this op")
			return
		}
	}
	if kind == None && o.seen&fieldOp != 0 && o.Kind == None {
		return // the op is wrong; what it would need is unknown
	}
	for missing := requiredOf[o.Kind] &^ o.seen; missing != 0; missing &= missing - 1 {
		d.complain("/"+missing.first(), "is required")
	}
}

// first names the lowest member of the set.
func (f field) first() string {
	for i, name := range fieldNames {
		if f&(1<<i) != 0 {
			return name
		}
	}
	return ""
}

func fieldOf(name []byte) field {
	for i, n := range fieldNames {
		if n == string(name) {
			return 1 << i
		}
	}
	return 0
}

// member decodes the value of one member.
func (d *Decoder) member(f field, o *Operation) {
	switch f {
	case fieldOp:
		d.op(o)
	case fieldKey:
		o.Key = d.text("/idempotency_key", cloudlicenses.MaxIdempotencyKeyLength, byteCount)
	case fieldProduct:
		o.Product = d.id("/product_id")
	case fieldVendor:
		o.Vendor = d.id("/vendor_id")
	case fieldUser:
		o.User = d.text("/user", cloudlicenses.MaxUserLength, utf8.RuneCount)
	case fieldVersion:
		o.Version = d.text("/version", cloudlicenses.MaxIDLength, byteCount)
	case fieldCount:
		o.Count = d.number64("/count", 1, cloudlicenses.MaxSeatsPerCheckout)
	case fieldTTL:
		o.TTLSeconds = d.number64("/ttl_seconds", int64(cloudlicenses.MinTTL.Seconds()), int64(cloudlicenses.MaxTTL.Seconds()))
	case fieldOverage:
		o.AllowOverage = d.boolean("/allow_overage")
	case fieldToken:
		o.Token = d.boolean("/token")
	case fieldMetadata:
		o.Metadata = d.object("/metadata", cloudlicenses.MaxMetadataBytes)
	case fieldLease:
		// A text that is no lease id is sent on as lease 0, which never is:
		// the key is asked first, and then it is a lease nobody has.
		o.Lease, _ = cloudlicenses.ParseLeaseID(string(d.text("/lease_id", cloudlicenses.MaxIDLength, byteCount)))
	}
}

func (d *Decoder) op(o *Operation) {
	switch string(d.text("/op", cloudlicenses.MaxIDLength, byteCount)) {
	case "checkout":
		o.Kind = Checkout
	case "heartbeat":
		o.Kind = Heartbeat
	case "return":
		o.Kind = Return
	case "": // said already
	default:
		d.complain("/op", `must be "checkout", "heartbeat" or "return"`)
	}
}

func byteCount(b []byte) int { return len(b) }

// text decodes a string of 1 to most units.
func (d *Decoder) text(name string, most int, length func([]byte) int) []byte {
	if d.peek() != '"' {
		d.wrongType(name, "must be a string")
		return nil
	}
	s := d.str()
	if d.Failed() {
		return nil
	}
	if n := length(s); n < 1 || n > most {
		d.complain(name, "must be 1 to "+strconv.Itoa(most)+" characters")
		return nil
	}
	for _, c := range s {
		if c < ' ' || c == 0x7f { // it would end up in logs, audit and CSV files
			d.complain(name, "must not have control characters")
			return nil
		}
	}
	return s
}

// id decodes a vendor's or product's id.
func (d *Decoder) id(name string) []byte {
	s := d.text(name, cloudlicenses.MaxIDLength, byteCount)
	if s != nil && cloudlicenses.ValidateID(string(s)) != nil {
		d.complain(name, cloudlicenses.ErrID.Error())
		return nil
	}
	return s
}

// number64 decodes an integer of least to most.
func (d *Decoder) number64(name string, least, most int64) int64 {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		d.wrongType(name, "must be an integer")
		return 0
	}
	text := d.number()
	if d.Failed() {
		return 0
	}
	n, ok := integer(text)
	if !ok || n < least || n > most {
		d.complain(name, "must be an integer from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10))
	}
	return n
}

func (d *Decoder) boolean(name string) bool {
	switch d.peek() {
	case 't':
		d.literal("true")
		return !d.Failed()
	case 'f':
		d.literal("false")
	default:
		d.wrongType(name, "must be true or false")
	}
	return false
}

// object decodes an object as its own text.
func (d *Decoder) object(name string, most int) []byte {
	if d.peek() != '{' {
		d.wrongType(name, "must be an object")
		return nil
	}
	start := d.at
	d.Skip()
	if d.Failed() {
		return nil
	}
	if d.at-start > most {
		d.complain(name, "must be at most "+strconv.Itoa(most)+" bytes")
		return nil
	}
	return d.Reader.text[start:d.at]
}

func (d *Decoder) wrongType(name, detail string) {
	d.Skip()
	if !d.Failed() {
		d.complain(name, detail)
	}
}

// DecodeBatch decodes {"operations":[…]} into ops, of which each carries its
// own errors.
func (d *Decoder) DecodeBatch(body []byte, ops []Operation) []Operation {
	d.Reset(body)
	ops = ops[:0]
	if !d.open('{') {
		d.wrongType("", "must be an object")
		d.End()
		return ops
	}
	seen := false
	for first := true; d.more(&first, '}'); {
		name := d.key()
		switch {
		case d.Failed():
			return ops
		case string(name) != "operations":
			d.fail("unknown member " + quoteName(name))
			return ops
		case seen:
			d.duplicate(name)
			return ops
		}
		seen = true
		ops = d.operations(ops)
	}
	d.End()
	switch {
	case d.Failed():
	case !seen:
		d.complain("/operations", "is required")
	case len(d.Invalid) == 0 && (len(ops) < 1 || len(ops) > cloudlicenses.MaxBatchOperations):
		d.complain("/operations", "must be 1 to "+strconv.Itoa(cloudlicenses.MaxBatchOperations)+" operations")
	}
	return ops
}

func (d *Decoder) operations(ops []Operation) []Operation {
	if !d.open('[') {
		d.wrongType("/operations", "must be an array")
		return ops
	}
	for first := true; d.more(&first, ']'); {
		if len(ops) > cloudlicenses.MaxBatchOperations {
			d.Skip() // one too many is refused; the rest need only be JSON
			continue
		}
		ops = append(ops, Operation{})
		o := &ops[len(ops)-1]
		d.operation(None, o)
		if len(d.Invalid) > 0 {
			at := "/operations/" + strconv.Itoa(len(ops)-1)
			for i := range d.Invalid {
				d.Invalid[i].Pointer = at + d.Invalid[i].Pointer
			}
			o.Invalid, d.Invalid = d.Invalid, nil
		}
	}
	return ops
}
