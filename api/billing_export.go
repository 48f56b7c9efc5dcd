package api

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/billing"
)

// billingRoutes are the rows of routeTable for what a vendor bills.
func billingRoutes() []route {
	return []route{
		{method: "GET", path: "/api/v1/billing/overage", name: "overage_export", on: onVendors, action: cloudlicenses.ActViewCosts, handle: (*call).serveOverageExport},
	}
}

// exportFormat is one form that an export may have.
type exportFormat struct {
	contentType, extension string
	// idle licenses, which were not used past their commitment, are in it.
	idle  bool
	write func(*billing.Export, io.Writer, iter.Seq2[billing.Charge, error]) error
}

var exportFormats = map[string]exportFormat{
	"json": {typeJSON, "json", true, (*billing.Export).WriteJSON},
	"csv":  {"text/csv; charset=utf-8", "csv", false, (*billing.Export).WriteCSV},
	"pdf":  {"application/pdf", "pdf", false, (*billing.Export).WritePDF},
}

// exportQuery is what an export is asked with.
type exportQuery struct {
	within billing.Range
	crm    string
	format exportFormat
}

// exportQuery reads the parameters. False means that the refusal is sent.
func (c *call) exportQuery() (q exportQuery, ok bool) {
	args := c.ctx.QueryArgs()
	var invalid []body.FieldError
	if q.within, invalid = c.days(); len(invalid) == 0 && q.within.Count() > cloudlicenses.MaxExportDays {
		invalid = append(invalid, body.FieldError{Parameter: "end_date", Detail: fmt.Sprintf("an export covers at most %d days", cloudlicenses.MaxExportDays)})
	}
	if q.crm = string(args.Peek("customer_crm_id")); q.crm != "" && cloudlicenses.ValidateForeignID(q.crm) != nil {
		invalid = append(invalid, body.FieldError{Parameter: "customer_crm_id", Detail: cloudlicenses.ErrForeignID.Error()})
	}
	name := "json"
	if args.Has("format") {
		name = string(args.Peek("format"))
	}
	if q.format, ok = exportFormats[name]; !ok {
		invalid = append(invalid, body.FieldError{Parameter: "format", Detail: "must be csv, json or pdf"})
	}
	if len(invalid) > 0 {
		c.refuseParameters(invalid)
		return q, false
	}
	return q, true
}

// serveOverageExport is GET /api/v1/billing/overage (seed A2). Everything is
// gathered and tried out before the first byte is sent, so that what is sent is
// whole; then it is written again, straight to the client.
func (c *call) serveOverageExport() {
	o, ok := c.options()
	if !ok {
		return
	}
	q, ok := c.exportQuery()
	if !ok {
		return
	}
	found, fresh, err := c.server.shard.VendorCharges(c.context(), c.vendor, q.crm, q.within, o.read)
	if err != nil {
		c.fail(err)
		return
	}
	export := &billing.Export{Vendor: c.vendor, VendorName: found.Name, Period: q.within}
	charges := chargesFor(found.Charges, q.format.idle)
	if q.format.extension == "pdf" { // made as a whole in any case
		var pdf bytes.Buffer
		err = q.format.write(export, &pdf, charges)
		c.ctx.Response.SetBody(pdf.Bytes())
	} else if err = q.format.write(export, io.Discard, charges); err == nil {
		c.ctx.SetBodyStreamWriter(func(w *bufio.Writer) { _ = q.format.write(export, w, charges) }) // fails with the client alone
	}
	switch {
	case errors.Is(err, billing.ErrTooLong):
		c.ctx.Response.ResetBody()
		c.refuseQuery("format", billing.ErrTooLong.Error())
	case err != nil:
		c.ctx.Response.ResetBody()
		c.fail(fmt.Errorf("export of %s: %w", c.vendor, err))
	default:
		c.fresh(&fresh)
		h := &c.ctx.Response.Header
		h.SetContentType(q.format.contentType)
		h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="overage-%s-%s-%s.%s"`, c.vendor, q.within.Start, q.within.End, q.format.extension))
		h.SetBytesV(headerRequestID, c.id.text[:])
		c.ctx.SetStatusCode(fasthttp.StatusOK)
	}
}

// chargesFor yields charges as an export takes them.
func chargesFor(all []billing.Charge, idle bool) iter.Seq2[billing.Charge, error] {
	return func(yield func(billing.Charge, error) bool) {
		for i := range all {
			if all[i].Sum.Uses == 0 && all[i].Sum.Minor == 0 && !idle {
				continue
			}
			if !yield(all[i], nil) {
				return
			}
		}
	}
}
