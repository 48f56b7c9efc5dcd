package api

import (
	"strconv"
	"unicode/utf8"

	"github.com/cloudlicenses/cloudlicenses"
)

// opKind is what a body, or a batch's operation, asks for.
type opKind uint8

const (
	opNone opKind = iota
	opCheckout
	opHeartbeat
	opReturn
)

// field is a set of an operation's members.
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

// fieldsOf are the members an operation may have, requiredOf those it must.
var (
	fieldsOf = [...]field{
		opNone:      ^field(0),
		opCheckout:  fieldProduct | fieldUser | fieldVendor | fieldCount | fieldVersion | fieldTTL | fieldOverage | fieldToken | fieldMetadata,
		opHeartbeat: fieldLease | fieldToken,
		opReturn:    fieldLease,
	}
	requiredOf = [...]field{
		opNone:      fieldOp,
		opCheckout:  fieldProduct | fieldUser,
		opHeartbeat: fieldLease,
		opReturn:    fieldLease,
	}
)

// operation is a decoded body, or one operation of a batch. Its byte slices
// alias the request's body.
type operation struct {
	kind         opKind
	seen         field
	allowOverage bool
	token        bool
	count        int64
	ttlSeconds   int64
	product      []byte
	vendor       []byte
	user         []byte
	version      []byte
	key          []byte // idempotency_key of a batch's operation
	metadata     []byte // the object as sent
	lease        cloudlicenses.LeaseID
	// invalid are the errors of an operation of a batch.
	invalid []fieldError
}

// fieldError says what is wrong with one value of a request.
type fieldError struct {
	pointer   string // JSON pointer into the body (RFC 6901), or
	parameter string // the query parameter's name, or
	header    string // the header's name
	detail    string
}

// decoder decodes hot-path bodies. Syntax errors, unknown and duplicate
// members end it (400); everything else is collected in invalid (422).
type decoder struct {
	jsonReader
	invalid []fieldError
	prefix  string // JSON pointer of the object being decoded
}

func (d *decoder) reset(body []byte) {
	d.jsonReader.reset(body)
	d.invalid, d.prefix = nil, ""
}

func (d *decoder) complain(name, detail string) {
	d.invalid = append(d.invalid, fieldError{pointer: d.prefix + name, detail: detail})
}

// decodeOperation decodes a body of the given kind.
func (d *decoder) decodeOperation(body []byte, kind opKind, o *operation) {
	d.reset(body)
	d.operation(kind, o)
	d.end()
}

// operation decodes one object. With opNone, "op" in it tells the kind.
func (d *decoder) operation(kind opKind, o *operation) {
	*o = operation{kind: kind, count: 1, allowOverage: true, ttlSeconds: int64(cloudlicenses.DefaultTTL.Seconds())}
	if !d.open('{') {
		d.skip()
		if !d.failed() {
			d.complain("", "must be an object")
		}
		return
	}
	allowed := fieldsOf[kind]
	for first := true; d.more(&first, '}'); {
		name := d.key()
		f := fieldOf(name)
		switch {
		case d.failed():
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
	if d.failed() {
		return
	}
	if kind == opNone && o.kind != opNone {
		if stray := o.seen &^ (fieldsOf[o.kind] | fieldOp | fieldKey); stray != 0 {
			d.fail("unknown member " + strconv.Quote(stray.first()) + " of this op")
			return
		}
	}
	if kind == opNone && o.seen&fieldOp != 0 && o.kind == opNone {
		return // the op is wrong; what it would need is unknown
	}
	for missing := requiredOf[o.kind] &^ o.seen; missing != 0; missing &= missing - 1 {
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
func (d *decoder) member(f field, o *operation) {
	switch f {
	case fieldOp:
		d.op(o)
	case fieldKey:
		o.key = d.text("/idempotency_key", cloudlicenses.MaxIdempotencyKeyLength, byteCount)
	case fieldProduct:
		o.product = d.id("/product_id")
	case fieldVendor:
		o.vendor = d.id("/vendor_id")
	case fieldUser:
		o.user = d.text("/user", cloudlicenses.MaxUserLength, utf8.RuneCount)
	case fieldVersion:
		o.version = d.text("/version", cloudlicenses.MaxIDLength, byteCount)
	case fieldCount:
		o.count = d.number64("/count", 1, cloudlicenses.MaxSeatsPerCheckout)
	case fieldTTL:
		o.ttlSeconds = d.number64("/ttl_seconds", int64(cloudlicenses.MinTTL.Seconds()), int64(cloudlicenses.MaxTTL.Seconds()))
	case fieldOverage:
		o.allowOverage = d.boolean("/allow_overage")
	case fieldToken:
		o.token = d.boolean("/token")
	case fieldMetadata:
		o.metadata = d.object("/metadata", cloudlicenses.MaxMetadataBytes)
	case fieldLease:
		// A text that is no lease id is sent on as lease 0, which never is:
		// the key is asked first, and then it is a lease nobody has.
		o.lease, _ = cloudlicenses.ParseLeaseID(string(d.text("/lease_id", cloudlicenses.MaxIDLength, byteCount)))
	}
}

func (d *decoder) op(o *operation) {
	switch string(d.text("/op", cloudlicenses.MaxIDLength, byteCount)) {
	case "checkout":
		o.kind = opCheckout
	case "heartbeat":
		o.kind = opHeartbeat
	case "return":
		o.kind = opReturn
	case "": // said already
	default:
		d.complain("/op", `must be "checkout", "heartbeat" or "return"`)
	}
}

func byteCount(b []byte) int { return len(b) }

// text decodes a string of 1 to most units.
func (d *decoder) text(name string, most int, length func([]byte) int) []byte {
	if d.peek() != '"' {
		d.wrongType(name, "must be a string")
		return nil
	}
	s := d.str()
	if d.failed() {
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
func (d *decoder) id(name string) []byte {
	s := d.text(name, cloudlicenses.MaxIDLength, byteCount)
	if s != nil && cloudlicenses.ValidateID(string(s)) != nil {
		d.complain(name, cloudlicenses.ErrID.Error())
		return nil
	}
	return s
}

// number64 decodes an integer of least to most.
func (d *decoder) number64(name string, least, most int64) int64 {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		d.wrongType(name, "must be an integer")
		return 0
	}
	text := d.number()
	if d.failed() {
		return 0
	}
	n, ok := integer(text)
	if !ok || n < least || n > most {
		d.complain(name, "must be an integer from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10))
	}
	return n
}

func (d *decoder) boolean(name string) bool {
	switch d.peek() {
	case 't':
		d.literal("true")
		return !d.failed()
	case 'f':
		d.literal("false")
	default:
		d.wrongType(name, "must be true or false")
	}
	return false
}

// object decodes an object as its own text.
func (d *decoder) object(name string, most int) []byte {
	if d.peek() != '{' {
		d.wrongType(name, "must be an object")
		return nil
	}
	start := d.at
	d.skip()
	if d.failed() {
		return nil
	}
	if d.at-start > most {
		d.complain(name, "must be at most "+strconv.Itoa(most)+" bytes")
		return nil
	}
	return d.jsonReader.text[start:d.at]
}

func (d *decoder) wrongType(name, detail string) {
	d.skip()
	if !d.failed() {
		d.complain(name, detail)
	}
}

// decodeBatch decodes {"operations":[…]} into ops, of which each carries its
// own errors.
func (d *decoder) decodeBatch(body []byte, ops []operation) []operation {
	d.reset(body)
	ops = ops[:0]
	if !d.open('{') {
		d.wrongType("", "must be an object")
		d.end()
		return ops
	}
	seen := false
	for first := true; d.more(&first, '}'); {
		name := d.key()
		switch {
		case d.failed():
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
	d.end()
	switch {
	case d.failed():
	case !seen:
		d.complain("/operations", "is required")
	case len(d.invalid) == 0 && (len(ops) < 1 || len(ops) > cloudlicenses.MaxBatchOperations):
		d.complain("/operations", "must be 1 to "+strconv.Itoa(cloudlicenses.MaxBatchOperations)+" operations")
	}
	return ops
}

func (d *decoder) operations(ops []operation) []operation {
	if !d.open('[') {
		d.wrongType("/operations", "must be an array")
		return ops
	}
	for first := true; d.more(&first, ']'); {
		if len(ops) > cloudlicenses.MaxBatchOperations {
			d.skip() // one too many is refused; the rest need only be JSON
			continue
		}
		ops = append(ops, operation{})
		o := &ops[len(ops)-1]
		d.operation(opNone, o)
		if len(d.invalid) > 0 {
			at := "/operations/" + strconv.Itoa(len(ops)-1)
			for i := range d.invalid {
				d.invalid[i].pointer = at + d.invalid[i].pointer
			}
			o.invalid, d.invalid = d.invalid, nil
		}
	}
	return ops
}
