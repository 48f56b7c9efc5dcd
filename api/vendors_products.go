package api

import (
	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// vendorProductRoutes are the rows of routeTable for a vendor's catalog.
func vendorProductRoutes() []route {
	return []route{
		{method: "GET", path: "/api/v1/products", name: "products", on: onVendors, action: cloudlicenses.ActViewLicenses, handle: (*call).serveProducts},
		{method: "POST", path: "/api/v1/products", name: "product_create", on: onVendors, action: cloudlicenses.ActManageSettings, handle: (*call).serveCreateProduct},
		{method: "GET", path: "/api/v1/products/{id}", name: "product", on: onVendors, action: cloudlicenses.ActViewLicenses, handle: (*call).serveProduct},
		{method: "PATCH", path: "/api/v1/products/{id}", name: "product_update", on: onVendors, action: cloudlicenses.ActManageSettings, handle: (*call).serveUpdateProduct},
	}
}

// catalogueProduct is a product as replies have it.
type catalogueProduct struct {
	ID            cloudlicenses.ProductID `json:"product_id"`
	Name          string                  `json:"name"`
	Version       string                  `json:"version"`
	MinLibVersion string                  `json:"min_lib_version"`
	Archived      bool                    `json:"archived"`
	CreatedAt     *string                 `json:"created_at"`
	UpdatedAt     *string                 `json:"updated_at"`
}

func showProduct(p *license.Product) catalogueProduct {
	return catalogueProduct{p.ID, p.Name, p.Constraint, p.MinLibVersion, p.Archived, timeText(p.CreatedMillis), timeText(p.UpdatedMillis)}
}

// productChange are the members of a product that can be changed.
type productChange struct {
	Name          *string `json:"name"`
	Version       *string `json:"version"`
	MinLibVersion *string `json:"min_lib_version"`
	Archived      *bool   `json:"archived"`
}

func (in *productChange) command(w *wrong) *license.PutProduct {
	put := &license.PutProduct{}
	take := func(member license.Changed, from *string, into *string) {
		if from != nil {
			put.Set |= member
			*into = *from
		}
	}
	take(license.ChangedName, in.Name, &put.Product.Name)
	take(license.ChangedConstraint, in.Version, &put.Product.Constraint)
	take(license.ChangedMinLibVersion, in.MinLibVersion, &put.Product.MinLibVersion)
	if in.Archived != nil {
		put.Set |= license.ChangedArchived
		put.Product.Archived = *in.Archived
	}
	w.check(!printable([]byte(put.Product.Name)), "name", "must be text without control characters")
	return put
}

// doProduct has a command about a product committed. False means that the
// refusal is sent.
func (c *call) doProduct(put *license.PutProduct) (license.Product, bool) {
	put.By = c.by()
	var result license.ProductResult
	w, err := c.server.shard.Do(c.context(), c.tenant, shard.Command{Op: license.OpPutProduct, Payload: put, Result: &result})
	ok := c.decidedUser(&license.UserResult{Code: result.Code, Detail: result.Detail}, w, err)
	return result.Product, ok
}

// serveCreateProduct is POST /api/v1/products.
func (c *call) serveCreateProduct() {
	var in struct {
		ID *string `json:"product_id"`
		productChange
	}
	if !c.decode(&in) {
		return
	}
	var w wrong
	put := in.command(&w)
	w.check(in.ID == nil, "product_id", "is missing")
	w.check(in.Name == nil, "name", "is missing")
	if !c.valid(w) {
		return
	}
	put.Create, put.Product.ID = true, cloudlicenses.ProductID(*in.ID)
	if product, ok := c.doProduct(put); ok {
		c.send(fasthttp.StatusCreated, showProduct(&product))
	}
}

// serveUpdateProduct is PATCH /api/v1/products/{id}.
func (c *call) serveUpdateProduct() {
	var in productChange
	if !c.decode(&in) {
		return
	}
	var w wrong
	put := in.command(&w)
	if !c.valid(w) {
		return
	}
	put.Product.ID = cloudlicenses.ProductID(c.pathID)
	product, ok := c.doProduct(put)
	if ok && in.MinLibVersion != nil {
		if err := c.server.shard.SetFloors(c.context(), c.vendor, &product); err != nil {
			c.fail(err)
			return
		}
	}
	if ok {
		c.send(fasthttp.StatusOK, showProduct(&product))
	}
}

// products reads a page of the catalog. False means that the refusal is sent.
func (c *call) products(list *license.ListProducts) (page license.ProductPage, ok bool) {
	o, ok := c.options()
	if !ok {
		return page, false
	}
	list.Cursor, list.Limit = o.cursor, o.limit
	if !c.read(license.QueryProducts, list, &page, o) {
		return page, false
	}
	if page.Code != cloudlicenses.OK {
		p := decided(page.Code, cloudlicenses.LayerNone, "", inQuery)
		if page.Code == cloudlicenses.ProductNotFound {
			p.detail = "the vendor has no such product"
		}
		c.refuse(p)
		return page, false
	}
	return page, true
}

// serveProducts is GET /api/v1/products.
func (c *call) serveProducts() {
	if page, ok := c.products(&license.ListProducts{}); ok {
		c.send(fasthttp.StatusOK, newPage(page.Items, page.Next, showProduct))
	}
}

// serveProduct is GET /api/v1/products/{id}.
func (c *call) serveProduct() {
	if page, ok := c.products(&license.ListProducts{ID: cloudlicenses.ProductID(c.pathID)}); ok {
		c.send(fasthttp.StatusOK, showProduct(&page.Items[0]))
	}
}
