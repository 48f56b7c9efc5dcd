package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// What licenses were used for, hour by hour: series that the license machine
// rolls up while it counts, read from replicas.

// analyticsRoutes are the rows of routeTable for that.
func analyticsRoutes() []route {
	view := cloudlicenses.ActViewLicenses
	return []route{
		{method: "GET", path: "/api/v1/analytics/usage", name: "analytics_usage", on: onVendors, action: view, handle: (*call).serveUsageAnalytics},
		{method: "GET", path: "/api/v1/analytics/heatmap", name: "analytics_heatmap", on: onVendors, action: view, handle: (*call).serveHeatmap},
		{method: "GET", path: "/api/v1/licenses/{id}/usage", name: "license_usage", on: forUsers, action: view, handle: (*call).serveLicenseUsage},
	}
}

// resolution is a length of periods that analytics may be asked for.
type resolution struct {
	grain uint8
	most  uint32 // periods in a reply
	name  string
}

var resolutions = []resolution{
	{license.ByHour, cloudlicenses.MaxAnalyticsHours, "hour"},
	{license.ByDay, cloudlicenses.MaxAnalyticsDays, "day"},
	{license.ByMonth, cloudlicenses.MaxAnalyticsMonths, "month"},
}

// usageQuery is what analytics are asked with.
type usageQuery struct {
	within billing.Range
	resolution
	in     shard.Periods
	filter shard.UsageFilter
}

// usageQuery reads the parameters. False means that the refusal is sent.
func (c *call) usageQuery() (q usageQuery, ok bool) {
	var invalid []body.FieldError
	if q.within, invalid = c.days(); len(invalid) == 0 {
		invalid = q.cover(string(c.ctx.QueryArgs().Peek("resolution")))
	}
	if q.filter, ok = c.usageFilter(&invalid); !ok {
		c.refuseParameters(invalid)
	}
	return q, ok
}

// cover finds the periods of the days, in a resolution; empty: by day.
func (q *usageQuery) cover(name string) []body.FieldError {
	q.resolution = resolutions[1]
	if name != "" {
		q.name = ""
		for _, r := range resolutions {
			if r.name == name {
				q.resolution = r
			}
		}
	}
	if q.name == "" {
		return []body.FieldError{{Parameter: "resolution", Detail: "must be hour, day or month"}}
	}
	start, end := time.UnixMilli(q.within.Start.UnixMillis()), time.UnixMilli((q.within.End+1).UnixMillis()-1)
	q.in = shard.Periods{Grain: q.grain, From: license.PeriodOf(q.grain, start), To: license.PeriodOf(q.grain, end) + 1}
	if q.in.To-q.in.From > q.most {
		return []body.FieldError{{Parameter: "end_date", Detail: fmt.Sprintf("by %s, a reply covers at most %d %ss", q.name, q.most, q.name)}}
	}
	return nil
}

// days reads start_date and end_date: whole days in UTC, the last one included.
func (c *call) days() (within billing.Range, invalid []body.FieldError) {
	day := func(name string) billing.Day {
		text := string(c.ctx.QueryArgs().Peek(name))
		d, err := billing.ParseDay(text)
		switch {
		case text == "":
			invalid = append(invalid, body.FieldError{Parameter: name, Detail: "is missing"})
		case err != nil:
			invalid = append(invalid, body.FieldError{Parameter: name, Detail: "must be a day such as 2025-11-30"})
		}
		return d
	}
	within = billing.Range{Start: day("start_date"), End: day("end_date")}
	switch {
	case len(invalid) > 0:
	case within.Validate() != nil:
		invalid = append(invalid, body.FieldError{Parameter: "end_date", Detail: "is before start_date"})
	case within.Start < billing.DayAt(0):
		invalid = append(invalid, body.FieldError{Parameter: "start_date", Detail: "is before 1970"})
	}
	return within, invalid
}

// usageFilter reads which licenses it is about, adding to what is invalid; false
// where anything is.
func (c *call) usageFilter(invalid *[]body.FieldError) (f shard.UsageFilter, ok bool) {
	args := c.ctx.QueryArgs()
	if f.CRMAccount = string(args.Peek("customer_crm_id")); f.CRMAccount != "" && cloudlicenses.ValidateForeignID(f.CRMAccount) != nil {
		*invalid = append(*invalid, body.FieldError{Parameter: "customer_crm_id", Detail: cloudlicenses.ErrForeignID.Error()})
	}
	f.Tenant, f.Product = cloudlicenses.TenantID(args.Peek("tenant_id")), cloudlicenses.ProductID(args.Peek("product_id"))
	f.License = cloudlicenses.LicenseID(args.Peek("license_id"))
	return f, len(*invalid) == 0
}

// shownPoint is what a license was used for in a period.
type shownPoint struct {
	Start            string                       `json:"start"`
	Checkouts        int64                        `json:"checkouts"`
	OverageCheckouts int64                        `json:"overage_checkouts"`
	OverageUses      int64                        `json:"overage_uses"`
	Refusals         int64                        `json:"refusals"`
	RefusalsByCode   map[cloudlicenses.Code]int64 `json:"refusals_by_code"`
	PeakInUse        int64                        `json:"peak_in_use"`
	OveragePeak      int64                        `json:"overage_peak"`
	SeatHours        json.Number                  `json:"seat_hours"`
	UniqueUsers      int64                        `json:"unique_users"`
}

// shownTotals are sums over a series; its peaks are the highest of it.
type shownTotals struct {
	Checkouts        int64       `json:"checkouts"`
	OverageCheckouts int64       `json:"overage_checkouts"`
	OverageUses      int64       `json:"overage_uses"`
	Refusals         int64       `json:"refusals"`
	PeakInUse        int64       `json:"peak_in_use"`
	OveragePeak      int64       `json:"overage_peak"`
	SeatHours        json.Number `json:"seat_hours"`
}

// shownUsage is a license's series.
type shownUsage struct {
	LicenseID   cloudlicenses.LicenseID `json:"license_id"`
	ProductID   cloudlicenses.ProductID `json:"product_id"`
	ProductName string                  `json:"product_name"`
	TenantID    cloudlicenses.TenantID  `json:"tenant_id"`
	CRMAccount  string                  `json:"crm_account_id"`
	Customer    string                  `json:"customer_name"`
	Totals      shownTotals             `json:"totals"`
	Series      []shownPoint            `json:"series"`
}

// seatHours shows seats × time, to a thousandth of an hour.
func seatHours(millis int64) json.Number {
	return json.Number(strconv.FormatFloat(float64(millis)/float64(time.Hour/time.Millisecond), 'f', 3, 64))
}

func showPoint(grain uint8, p *license.SeriesPoint) shownPoint {
	shown := shownPoint{
		Start: license.PeriodStart(grain, p.Period).Format(time.RFC3339), Checkouts: p.CommitCheckouts + p.OverageCheckouts, OverageCheckouts: p.OverageCheckouts,
		OverageUses: p.OverageUses, RefusalsByCode: make(map[cloudlicenses.Code]int64, len(p.Refusals)),
		PeakInUse: p.PeakInUse, OveragePeak: p.OveragePeak, SeatHours: seatHours(p.SeatMillis), UniqueUsers: p.Users,
	}
	for _, r := range p.Refusals {
		shown.RefusalsByCode[r.Code] += r.Count
		shown.Refusals += r.Count
	}
	return shown
}

// showSeries shows points in order, and their totals.
func showSeries(grain uint8, points []license.SeriesPoint) (t shownTotals, series []shownPoint) {
	series, millis := make([]shownPoint, len(points)), int64(0)
	for i := range points {
		p := showPoint(grain, &points[i])
		series[i] = p
		t.Checkouts += p.Checkouts
		t.OverageCheckouts += p.OverageCheckouts
		t.OverageUses += p.OverageUses
		t.Refusals += p.Refusals
		t.PeakInUse, t.OveragePeak = max(t.PeakInUse, p.PeakInUse), max(t.OveragePeak, p.OveragePeak)
		millis += points[i].SeatMillis
	}
	t.SeatHours = seatHours(millis)
	return t, series
}

// serveUsageAnalytics is GET /api/v1/analytics/usage on the vendors' host: a
// license an item, in JSON or CSV.
func (c *call) serveUsageAnalytics() {
	o, ok := c.options()
	if !ok {
		return
	}
	q, ok := c.usageQuery()
	if !ok {
		return
	}
	found, next, fresh, err := c.server.shard.VendorUsage(c.context(), c.vendor, q.filter, q.in, o.cursor, int(o.limit), o.read)
	if err != nil {
		c.fail(err)
		return
	}
	c.fresh(&fresh)
	shown := newPage(found, next, func(u *shard.LicenseUsage) shownUsage {
		item := shownUsage{
			LicenseID: u.Contract.License, ProductID: u.Contract.Product, ProductName: u.Contract.ProductName,
			TenantID: u.Contract.Tenant, CRMAccount: u.Contract.CRMAccount, Customer: u.Contract.CustomerName,
		}
		item.Totals, item.Series = showSeries(q.grain, u.Points)
		return item
	})
	if c.wantsCSV() {
		c.sendUsageCSV(shown)
		return
	}
	c.send(fasthttp.StatusOK, shown)
}

// sendUsageCSV sends a page as a row for each license and period. Where there is
// another page, Link names it (RFC 8288).
func (c *call) sendUsageCSV(p page[shownUsage]) {
	c.out = append(c.out[:0], usageHeader...)
	for i := range p.Items {
		u := &p.Items[i]
		for j := range u.Series {
			s := &u.Series[j]
			for _, text := range [...]string{u.CRMAccount, u.Customer, u.ProductName, string(u.LicenseID), s.Start} {
				c.out = append(billing.AppendCSVText(c.out, text), ',')
			}
			for _, n := range [...]int64{s.Checkouts, s.OverageCheckouts, s.OverageUses, s.Refusals, s.PeakInUse, s.OveragePeak} {
				c.out = append(strconv.AppendInt(c.out, n, 10), ',')
			}
			c.out = append(append(c.out, s.SeatHours...), ',')
			c.out = append(strconv.AppendInt(c.out, s.UniqueUsers, 10), '\n')
		}
	}
	if p.Next != nil {
		c.linkNext(*p.Next)
	}
	c.reply(fasthttp.StatusOK)
	c.ctx.Response.Header.SetContentType(typeCSV + "; charset=utf-8")
}

// usageHeader names the columns of analytics.
const usageHeader = "CRM_Account_ID,Customer_Name,Product,License_ID,Start,Checkouts,Overage_Checkouts,Overage_Uses," +
	"Refusals,Peak_In_Use,Overage_Peak,Seat_Hours,Unique_Users\n"

// shownCell is an hour of the week.
type shownCell struct {
	Weekday     int         `json:"weekday"` // 1: Monday … 7: Sunday (ISO 8601)
	Hour        int         `json:"hour"`    // 0–23, UTC
	AverageUse  json.Number `json:"average_in_use"`
	Checkouts   int64       `json:"checkouts"`
	OverageUses int64       `json:"overage_uses"`
	Refusals    int64       `json:"refusals"`
}

// serveHeatmap is GET /api/v1/analytics/heatmap: when in the week a vendor's
// licenses are used.
func (c *call) serveHeatmap() {
	o, ok := c.options()
	if !ok {
		return
	}
	within, invalid := c.days()
	if len(invalid) == 0 && within.Count() > cloudlicenses.MaxHeatmapDays {
		invalid = append(invalid, body.FieldError{Parameter: "end_date", Detail: fmt.Sprintf("a heat map covers at most %d days", cloudlicenses.MaxHeatmapDays)})
	}
	filter, ok := c.usageFilter(&invalid)
	if !ok {
		c.refuseParameters(invalid)
		return
	}
	start, end := time.UnixMilli(within.Start.UnixMillis()), time.UnixMilli((within.End + 1).UnixMillis())
	from, to := license.PeriodOf(license.ByHour, start), license.PeriodOf(license.ByHour, end)
	cells, fresh, err := c.server.shard.VendorHeatmap(c.context(), c.vendor, filter, from, to, o.read)
	if err != nil {
		c.fail(err)
		return
	}
	c.fresh(&fresh)
	// Hours to come have not been used yet, and do not lower an average.
	passed := min(to, max(from, license.PeriodOf(license.ByHour, time.Now())+1))
	var times [license.HoursPerWeek]int64 // that an hour of the week was there
	for h := from; h < passed; h++ {
		times[license.HourOfWeek(h)]++
	}
	shown := struct {
		Start string      `json:"start_date"`
		End   string      `json:"end_date"`
		Cells []shownCell `json:"cells"`
	}{within.Start.String(), within.End.String(), make([]shownCell, len(cells))}
	for i := range cells {
		shown.Cells[i] = shownCell{i/24 + 1, i % 24, seatHours(cells[i].SeatMillis / max(1, times[i])), cells[i].Checkouts, cells[i].OverageUses, cells[i].Refused}
	}
	c.send(fasthttp.StatusOK, shown)
}

// serveLicenseUsage is GET /api/v1/licenses/{id}/usage on a tenant's host.
func (c *call) serveLicenseUsage() {
	o, ok := c.options()
	if !ok {
		return
	}
	q, ok := c.usageQuery()
	if !ok {
		return
	}
	id := cloudlicenses.LicenseID(c.pathID)
	points, found, fresh, err := c.server.shard.LicenseHistory(c.context(), c.tenant, id, q.in, o.read)
	switch {
	case err != nil:
		c.fail(err)
	case !found:
		c.refuse(&problem{code: cloudlicenses.NotFound, detail: "the tenant has no license of this id"})
	default:
		c.fresh(&fresh)
		shown := struct {
			LicenseID  cloudlicenses.LicenseID `json:"license_id"`
			Resolution string                  `json:"resolution"`
			Totals     shownTotals             `json:"totals"`
			Series     []shownPoint            `json:"series"`
		}{LicenseID: id, Resolution: q.name}
		shown.Totals, shown.Series = showSeries(q.grain, points)
		c.send(fasthttp.StatusOK, shown)
	}
}
