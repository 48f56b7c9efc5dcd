package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

const (
	billingVendor  = "bench-vendor"
	billingProduct = "billed"
	// exports of each format are measured, the middle one counts.
	exports = 3
	// besideRounds compare checkouts with exports and without, in turn: an open
	// loop of besideRate operations a second by besideCallers, well below what the
	// machine can do, so that a tail is the exports' and not the load's.
	besideRounds  = 5
	besideRate    = 2000
	besideCallers = 32
)

// billing fills a month of many tenants with overage records, and measures the
// vendor's export of it, and what checkouts notice of it.
func (r *runner) billing(ctx context.Context) error {
	p := r.http()
	p.tenants, p.pools = 1, 1
	return r.with(ctx, p, func(s *subject) error {
		if s.rig == nil {
			return errors.New("only a cluster of its own can be filled")
		}
		b := &biller{rig: s.rig}
		start, figures := time.Now(), map[string]float64{}
		steps := []struct {
			what string
			do   func() error
		}{
			{"making the vendor's customers", func() error { return b.sell(ctx, r.cfg.Sizes.BilledTenants, r.cfg.Progress) }},
			{"charging overage", func() error { return r.charge(ctx, b, figures) }},
			{"exports", func() error { return b.measureExports(ctx, figures) }},
			{"checkouts beside exports", func() error { return r.beside(ctx, s, b, figures) }},
		}
		for _, step := range steps {
			r.cfg.Progress.Begin("billing: "+step.what, 0)
			if err := step.do(); err != nil {
				r.cfg.Progress.End("failed")
				return fmt.Errorf("%s: %w", step.what, err)
			}
			r.cfg.Progress.End("")
		}
		r.note("billing", p.scheme(), p, time.Since(start), figures)
		return nil
	})
}

// biller is a vendor with its customers.
type biller struct {
	rig     *rig
	key     string // the vendor's
	tenants []Tenant
}

// sell makes the vendor, and tenants with a license of it: all seats are overage.
func (b *biller) sell(ctx context.Context, tenants int, progress Progress) error {
	begin := time.Now()
	var vendor struct {
		APIKey string `json:"api_key"`
	}
	request := map[string]any{"id": billingVendor, "name": "Bench", "license_prefix": "bench", "with_key": true}
	if err := b.rig.call(ctx, b.rig.servers[0], http.MethodPost, "/v1/vendors", request, &vendor); err != nil {
		return err
	}
	b.key, b.tenants = vendor.APIKey, make([]Tenant, tenants)
	var done atomic.Int64
	var group errgroup.Group
	group.SetLimit(creators)
	for i := range b.tenants {
		group.Go(func() error {
			id := "billed" + strconv.Itoa(i)
			var err error
			if b.tenants[i], err = b.rig.createTenant(ctx, id, "own", 1); err != nil {
				return err
			}
			progress.At(time.Since(begin), fmt.Sprintf("%d of %d", done.Add(1), tenants))
			return b.generate(ctx, i, id)
		})
	}
	return group.Wait()
}

// generate gives a tenant its license.
func (b *biller) generate(ctx context.Context, i int, tenant string) error {
	first := firstOfMonth()
	body, err := json.Marshal(map[string]any{
		"crm_opportunity_id": "SF-" + strconv.Itoa(i), "auto_provision": true,
		"customer": map[string]any{"crm_account_id": "ACC-" + strconv.Itoa(i), "name": tenant, "tenant_id": tenant, "contact_email": "it@bench.example"},
		"product":  map[string]any{"id": billingProduct + "-0000", "name": "Billed"},
		"entitlement": map[string]any{
			"total_licenses": seats, "commit_qty": 0, "max_overage": seats,
			"pricing": map[string]any{"commit_fee_monthly": json.Number("0.00"), "overage_per_use": json.Number("1.25"), "currency": "EUR"},
		},
		"contract": map[string]any{
			"start_date": first.Format(time.DateOnly), "end_date": first.AddDate(1, 0, -1).Format(time.DateOnly), "auto_renew": false, "billing_cycle": "monthly",
		},
	})
	if err != nil {
		return err
	}
	_, err = b.ask(ctx, 0, http.MethodPost, "/api/v1/licenses/generate", body)
	return err
}

// ask asks a node as the vendor.
func (b *biller) ask(ctx context.Context, node int, method, path string, body []byte) ([]byte, error) {
	return b.rig.ask(ctx, b.rig.servers[node].http, "vendors."+domain, b.key, method, path, body)
}

// charge has each tenant use overage, and return it, until there are as many
// records as are wanted.
func (r *runner) charge(ctx context.Context, b *biller, figures map[string]float64) error {
	begin, want := time.Now(), r.cfg.Sizes.BilledRecords
	target := b.rig.target(b.tenants, 1)
	target.product = billingProduct
	perTenant := want / len(b.tenants)
	t := target.copyWith(min(fillBatch, perTenant))
	if err := t.findLeaders(); err != nil {
		return err
	}
	var done, next atomic.Int64
	var group errgroup.Group
	for i := range fillCallers {
		group.Go(func() error {
			caller, err := t.Caller(ctx, i)
			if err != nil {
				return err
			}
			for tenant := int(next.Add(1)) - 1; tenant < len(b.tenants) && ctx.Err() == nil; tenant = int(next.Add(1)) - 1 {
				for charged := 0; charged < perTenant; charged += t.batch {
					if err := caller.Checkout(tenant); err != nil {
						return err
					}
					if err := caller.Return(); err != nil {
						return err
					}
				}
				r.cfg.Progress.At(time.Since(begin), fmt.Sprintf("%d of %d", done.Add(int64(perTenant)), want))
			}
			return caller.Close()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	figures["tenants"], figures["records"] = float64(len(b.tenants)), float64(done.Load())
	return ctx.Err()
}

func firstOfMonth() time.Time {
	today := time.Now().UTC()
	return time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// month is the path of the running month's export.
func month(format string) string {
	first := firstOfMonth()
	return fmt.Sprintf("/api/v1/billing/overage?format=%s&start_date=%s&end_date=%s", format, first.Format(time.DateOnly), first.AddDate(0, 1, -1).Format(time.DateOnly))
}

// measureExports measures the export, and checks that no record is missing.
func (b *biller) measureExports(ctx context.Context, figures map[string]float64) error {
	for _, format := range []string{"csv", "json"} {
		var took []float64
		for i := range exports {
			begin := time.Now()
			body, err := b.ask(ctx, i%len(b.rig.servers), http.MethodGet, month(format), nil)
			if err != nil {
				return err
			}
			took = append(took, time.Since(begin).Seconds())
			figures["export_"+format+"_mib"] = float64(len(body)) / (1 << 20)
			if format == "json" {
				if err := checkExport(body, figures["records"]); err != nil {
					return err
				}
			}
		}
		slices.Sort(took)
		figures["export_"+format+"_seconds"] = took[len(took)/2]
	}
	return nil
}

var errExport = errors.New("the export and the records do not agree")

// checkExport compares an export with the records that were acknowledged.
func checkExport(body []byte, records float64) error {
	var export struct {
		Total     float64 `json:"total_overage_revenue"`
		Customers []struct {
			Products []struct {
				Checkouts int64 `json:"overage_checkouts"`
			} `json:"products"`
		} `json:"customers"`
	}
	if err := json.Unmarshal(body, &export); err != nil {
		return err
	}
	sum := int64(0)
	for _, c := range export.Customers {
		for _, p := range c.Products {
			sum += p.Checkouts
		}
	}
	if float64(sum) != records || export.Total != records*1.25 {
		return fmt.Errorf("%w: %d uses of %.0f, %.2f in all", errExport, sum, records, export.Total)
	}
	return nil
}

// beside measures checkouts with exports running one after the other, and
// without, in turn.
func (r *runner) beside(ctx context.Context, s *subject, b *biller, figures map[string]float64) error {
	var with, without []float64
	made := 0
	for range besideRounds {
		alone, err := r.besideRound(ctx, s, "billing: no exports")
		if err != nil {
			return err
		}
		without = append(without, alone.Latency.P99)
		exporting, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() {
			var err error
			for n := 0; err == nil && exporting.Err() == nil; n++ {
				if _, err = b.ask(exporting, n%len(b.rig.servers), http.MethodGet, month("csv"), nil); err == nil {
					made++
				}
			}
			if exporting.Err() != nil {
				err = nil
			}
			done <- err
		}()
		beside, err := r.besideRound(ctx, s, "billing: beside exports")
		stop()
		if err = errors.Join(err, <-done); err != nil {
			return err
		}
		with = append(with, beside.Latency.P99)
	}
	slices.Sort(with)
	slices.Sort(without)
	figures["p99_us"], figures["p99_beside_exports_us"] = without[besideRounds/2], with[besideRounds/2]
	figures["exports_beside"] = float64(made)
	return nil
}

func (r *runner) besideRound(ctx context.Context, s *subject, scenario string) (load.Result, error) {
	o := r.optionsOf(s, Hot, besideCallers)
	o.Scenario, o.Rate = scenario, besideRate
	return r.measure(ctx, s, o)
}
