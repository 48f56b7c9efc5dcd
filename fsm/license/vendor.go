package license

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpVendorSettings, operation{name: "vendor settings", needs: needsTenant, apply: (*Machine).applyVendorSettings})
	_ = register(OpTouchKey, operation{name: "touch key", needs: needsTenant, apply: (*Machine).applyTouchKey})
	_ = register(OpPutProduct, operation{name: "put product", needs: needsTenant, apply: (*Machine).applyPutProduct})
)

// The records of vendors' accounts on disk, as in records.go:
//
//	'B' tenant(4)               InvoiceHook
//	'D' tenant(4) product(4)    Product
//
// A product's number is its place in the order of creation, from 1.
const (
	prefixInvoiceHook = 'B'
	prefixProduct     = 'D'
)

// Actions of audit records about a vendor's account.
const (
	actionSettings      = "settings.update"
	actionProductCreate = "product.create"
	actionProductUpdate = "product.update"
)

const notOfVendor = "only a vendor's account has these"

// catalog is what an account has besides a tenant's own. Its maps are nil
// while there is nothing.
type catalog struct {
	invoice  InvoiceHook
	book     book
	products map[cloudlicenses.ProductID]*product
	byNumber []*product
	byID     []*product // by id
	told     uint64     // sequence of the last event of the directory's
}

type product struct {
	Product
	number uint32
}

// admit brings a product into the tables; its number is the largest.
func (c *catalog) admit(p *product) {
	if c.products == nil {
		c.products = make(map[cloudlicenses.ProductID]*product)
	}
	c.products[p.ID] = p
	c.byNumber = append(c.byNumber, p)
	at, _ := c.find(string(p.ID))
	c.byID = slices.Insert(c.byID, at, p)
}

func (c *catalog) find(id string) (int, bool) {
	return slices.BinarySearchFunc(c.byID, id, func(p *product, id string) int { return strings.Compare(string(p.ID), id) })
}

// vendorKey is the account's key of this hash, where it may be used now. A key
// acts for its vendor in everything but people.
func (m *Machine) vendorKey(t *tenant, hash [32]byte, action cloudlicenses.Action) (*key, cloudlicenses.Code) {
	_, isVendor := t.name.Vendor()
	k := t.keyByHash[hash]
	if !isVendor || k == nil {
		return nil, cloudlicenses.Unauthenticated
	}
	a := asking{key: k, caller: &Caller{KeyHash: hash}, now: m.state.clock}
	for _, refuse := range []func(*asking) cloudlicenses.Code{refuseExpiredKey, refuseRevokedKey} {
		if code := refuse(&a); code != cloudlicenses.OK {
			return nil, code
		}
	}
	if !cloudlicenses.VendorKeyMay(action) {
		return nil, cloudlicenses.ForbiddenRole
	}
	return k, cloudlicenses.OK
}

// applyTouchKey records that a key was used.
func (m *Machine) applyTouchKey(t *tenant, payload []byte) (reply, error) {
	var p TouchKey
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	k := t.keyByHash[p.Hash]
	if k == nil {
		return m.acked(cloudlicenses.NotFound, noSuchKey), nil
	}
	m.use(k)
	return m.acked(cloudlicenses.OK, ""), nil
}

// applyVendorSettings lets in who may change settings, leaves that in the audit
// log, and keeps where invoices go.
func (m *Machine) applyVendorSettings(t *tenant, payload []byte) (reply, error) {
	var p VendorSettings
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	_, isVendor := t.name.Vendor()
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageSettings)
	now := t.vendor.invoice
	switch {
	case code != cloudlicenses.OK:
		return m.acked(code, ""), nil
	case !isVendor:
		return m.acked(cloudlicenses.InvalidField, notOfVendor), nil
	case len(p.Invoice.URL) > cloudlicenses.MaxURLLength, len(p.Invoice.Token) > cloudlicenses.MaxBearerToken:
		return m.acked(cloudlicenses.InvalidField, "invoice_webhook: is too long"), nil
	}
	if p.Set&ChangedURL != 0 && p.Invoice.URL != now.URL {
		now = InvoiceHook{URL: p.Invoice.URL}
	}
	if p.Set&ChangedToken != 0 {
		now.Token = p.Invoice.Token
	}
	if now.URL == "" && now.Token != "" {
		return m.acked(cloudlicenses.InvalidField, "invoice_webhook/bearer_token: there is no URL that it would be sent to"), nil
	}
	m.entry = Audit{Action: actionSettings, Result: resultSuccess, Actor: actor, Address: p.By.Address}
	m.recordAudit(t)
	if now != t.vendor.invoice {
		t.vendor.invoice = now
		if e := t.vendor.book.endpoint; e != nil { // whoever it was that wanted no more
			e.Endpoint.Disabled, e.Endpoint.Failures = "", 0
			m.storeBook(t)
		}
		m.put(key4(prefixInvoiceHook, t.number), &now)
	}
	return m.acked(cloudlicenses.OK, ""), nil
}

func refusedProduct(code cloudlicenses.Code, detail string) reply {
	return &ProductResult{Code: code, Detail: detail}
}

// applyPutProduct creates a product, or changes one.
func (m *Machine) applyPutProduct(t *tenant, payload []byte) (reply, error) {
	var p PutProduct
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	_, isVendor := t.name.Vendor()
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageSettings)
	switch {
	case code != cloudlicenses.OK:
		return refusedProduct(code, ""), nil
	case !isVendor:
		return refusedProduct(cloudlicenses.InvalidField, notOfVendor), nil
	}
	known := t.vendor.products[p.Product.ID]
	if p.Create {
		return m.createProduct(t, &p, known, actor), nil
	}
	if known == nil {
		return refusedProduct(cloudlicenses.ProductNotFound, "the vendor has no such product"), nil
	}
	next := known.Product
	for _, member := range []struct {
		of   Changed
		take func()
	}{
		{ChangedName, func() { next.Name = p.Product.Name }},
		{ChangedConstraint, func() { next.Constraint = p.Product.Constraint }},
		{ChangedMinLibVersion, func() { next.MinLibVersion = p.Product.MinLibVersion }},
		{ChangedArchived, func() { next.Archived = p.Product.Archived }},
	} {
		if p.Set&member.of != 0 {
			member.take()
		}
	}
	if detail := next.invalid(); detail != "" {
		return refusedProduct(cloudlicenses.InvalidField, detail), nil
	}
	if next != known.Product {
		next.UpdatedMillis = m.state.clock
		known.Product = next
		m.changedProduct(t, known, actionProductUpdate, actor, &p.By)
	}
	return &ProductResult{Product: known.Product}, nil
}

func (m *Machine) createProduct(t *tenant, p *PutProduct, known *product, actor string) reply {
	made := &product{number: uint32(len(t.vendor.byNumber)) + 1, Product: p.Product}
	made.CreatedMillis, made.UpdatedMillis = m.state.clock, m.state.clock
	if known != nil {
		made.CreatedMillis, made.UpdatedMillis = known.CreatedMillis, known.UpdatedMillis
	}
	detail := made.invalid()
	switch {
	case detail != "":
		return refusedProduct(cloudlicenses.InvalidField, detail)
	case known != nil && known.Product == made.Product:
		return &ProductResult{Product: known.Product}
	case known != nil:
		return refusedProduct(cloudlicenses.AlreadyExists, "the vendor has a product of this id: change that one")
	case len(t.vendor.byNumber) >= cloudlicenses.MaxProducts:
		return refusedProduct(cloudlicenses.PlanLimitExceeded, "there are as many products as there may be")
	}
	t.vendor.admit(made)
	m.changedProduct(t, made, actionProductCreate, actor, &p.By)
	return &ProductResult{Product: made.Product}
}

func (m *Machine) changedProduct(t *tenant, p *product, action, actor string, by *By) {
	m.entry = Audit{Action: action, Result: resultSuccess, ProductID: p.ID, Actor: actor, Address: by.Address}
	m.recordAudit(t)
	m.put(key44(nil, prefixProduct, t.number, p.number), &p.Product)
}

// invalid says what is wrong with a product, beginning with the member, or
// nothing.
func (p *Product) invalid() string {
	if cloudlicenses.ValidateID(string(p.ID)) != nil {
		return "product_id: " + cloudlicenses.ErrID.Error()
	}
	if p.Name == "" || utf8.RuneCountInString(p.Name) > cloudlicenses.MaxUserLength {
		return "name: must be 1–256 characters"
	}
	if len(p.Constraint) > cloudlicenses.MaxVersionLength || len(p.MinLibVersion) > cloudlicenses.MaxVersionLength {
		return "version: is too long"
	}
	if p.Constraint != "" {
		if _, err := semver.NewConstraint(p.Constraint); err != nil {
			return "version: must be a range of semantic versions, such as >=8.0.0"
		}
	}
	if p.MinLibVersion != "" {
		if _, err := semver.NewVersion(p.MinLibVersion); err != nil {
			return "min_lib_version: must be a semantic version, such as 1.2.3"
		}
	}
	return ""
}

// invoiceHook answers QueryInvoiceHook.
func (q *question) invoiceHook() (reply, error) {
	var ask GetInvoiceHook
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	result := &InvoiceHookResult{}
	code, err := q.read(func(v view) error {
		result.Invoice = v.tenant.vendor.invoice
		return nil
	})
	result.Code = code
	return result, err
}

// products answers QueryProducts.
func (q *question) products() (reply, error) {
	var ask ListProducts
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	page := &ProductPage{}
	code, err := q.read(func(v view) error {
		c := &v.tenant.vendor
		if ask.ID != "" {
			p := c.products[ask.ID]
			if p == nil {
				page.Code = cloudlicenses.ProductNotFound
				return nil
			}
			page.Items = []Product{p.Product}
			return nil
		}
		at, found := c.find(ask.Cursor)
		if found {
			at++
		}
		rest := c.byID[at:]
		for _, p := range rest[:min(len(rest), pageSize(ask.Limit))] {
			page.Items = append(page.Items, p.Product)
		}
		if len(page.Items) < len(rest) {
			page.Next = string(page.Items[len(page.Items)-1].ID)
		}
		return nil
	})
	if code != cloudlicenses.OK {
		page.Code = code
	}
	return page, err
}

func (l *loader) invoiceHook(key, value []byte) error {
	t, _, err := l.keyNumbers(key, 5)
	if err != nil {
		return err
	}
	return decode(&t.vendor.invoice, value)
}

func (l *loader) product(key, value []byte) error {
	t, number, err := l.keyNumbers(key, 9)
	if err != nil {
		return err
	}
	p := &product{number: number}
	if err := decode(&p.Product, value); err != nil {
		return err
	}
	if int(number) != len(t.vendor.byNumber)+1 || t.vendor.products[p.ID] != nil {
		return fmt.Errorf("want product %d of the account", len(t.vendor.byNumber)+1)
	}
	t.vendor.admit(p)
	return nil
}

// vendor adds what a vendor's account has.
func (h *stateHasher) vendor(c *catalog) {
	h.add(&c.invoice)
	h.number(uint64(c.book.month))
	h.number(c.told)
	if e := c.book.endpoint; e != nil {
		h.add(&e.endpointRecord)
	}
	for _, p := range c.byNumber {
		h.add(&p.Product)
	}
}
