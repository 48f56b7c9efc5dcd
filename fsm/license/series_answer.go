package license

import (
	"slices"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// most is how many periods one query may cover.
func (g grain) most() uint32 {
	switch g {
	case grainHour:
		return max(cloudlicenses.MaxAnalyticsHours, cloudlicenses.MaxHeatmapDays*24)
	case grainDay:
		return cloudlicenses.MaxAnalyticsDays
	default:
		return cloudlicenses.MaxAnalyticsMonths
	}
}

// series answers QuerySeries. A cursor is the last license seen.
func (q *question) series() (reply, error) {
	var ask ListSeries
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	g, page := grain(ask.Grain), &SeriesPage{}
	if g >= grains || ask.To <= ask.From || ask.To-ask.From > g.most() {
		page.Code = cloudlicenses.InvalidField
		return page, nil
	}
	chosen, code, err := q.chosen(ask.VendorID, ask.LicenseID, ask.Cursor)
	if err != nil || code != cloudlicenses.OK {
		return &SeriesPage{Code: code}, err
	}
	limit := pageSize(ask.Limit)
	for i, l := range chosen {
		if i == limit {
			page.Next = string(page.Items[limit-1].LicenseID)
			break
		}
		item := LicenseSeries{}
		item.LicenseID, code, err = q.periods(l, g, ask.From, ask.To, func(u *usageRecord) {
			item.Points = append(item.Points, u.point())
		})
		if err != nil || code != cloudlicenses.OK {
			return &SeriesPage{Code: code}, err
		}
		page.Items = append(page.Items, item)
	}
	return page, nil
}

// heatmap answers QueryHeatmap.
func (q *question) heatmap() (reply, error) {
	var ask SumHeatmap
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	if ask.To <= ask.From || ask.To-ask.From > grainHour.most() {
		return &Heatmap{Code: cloudlicenses.InvalidField}, nil
	}
	chosen, code, err := q.chosen(ask.VendorID, ask.LicenseID, "")
	if err != nil || code != cloudlicenses.OK {
		return &Heatmap{Code: code}, err
	}
	sum := &Heatmap{}
	for _, l := range chosen {
		_, code, err := q.periods(l, grainHour, ask.From, ask.To, func(u *usageRecord) {
			if sum.Cells == nil {
				sum.Cells = make([]HeatmapCell, hoursPerWeek)
			}
			cell := &sum.Cells[HourOfWeek(u.Period)]
			cell.Checkouts += u.CommitCheckouts + u.OverageCheckouts
			cell.OverageUses += u.OverageUses
			cell.SeatMillis += u.SeatMillis
			for _, r := range u.Refusals {
				cell.Refused += r.Count
			}
		})
		if err != nil || code != cloudlicenses.OK {
			return &Heatmap{Code: code}, err
		}
	}
	return sum, nil
}

const hoursPerWeek = 7 * 24

// HourOfWeek returns which hour of the week a Unix hour is, from Monday 00:00 UTC
// on; the epoch was a Thursday.
func HourOfWeek(hour uint32) int { return int((int64(hour) + 3*24) % hoursPerWeek) }

// chosen returns the licenses that a query is about, in order of id.
func (q *question) chosen(vendor cloudlicenses.VendorID, id cloudlicenses.LicenseID, after string) (all []*license, code cloudlicenses.Code, err error) {
	found := cloudlicenses.OK
	code, err = q.read(func(v view) error {
		if id != "" {
			l := v.tenant.licenses[id]
			if l == nil || vendor != "" && l.VendorID != vendor {
				found = cloudlicenses.NotFound
				return nil
			}
			all = []*license{l}
			return nil
		}
		for _, l := range v.tenant.licenseOrder[v.tenant.licensesAfter(after):] {
			if vendor == "" || l.VendorID == vendor {
				all = append(all, l)
			}
		}
		return nil
	})
	if code == cloudlicenses.OK {
		code = found
	}
	return all, code, err
}

// periods calls take for each period in [from, to) that l was used in, in order.
// The lock is held for what is in memory alone.
func (q *question) periods(l *license, g grain, from, to uint32, take func(*usageRecord)) (id cloudlicenses.LicenseID, code cloudlicenses.Code, err error) {
	var open []usageRecord
	var scan *fsm.Scan
	code, err = q.read(func(v view) (err error) {
		id = l.ID
		first := to // the first one in memory
		if running := l.counters(g); running != nil {
			first = min(to, max(from, running.Period))
		}
		for n := first; n < min(to, v.state.now[g].number+1); n++ {
			if u, _ := v.state.usageIn(l, g, n); u.used() {
				u.Refusals = slices.Clone(u.Refusals)
				open = append(open, u)
			}
		}
		switch {
		case first == from:
		case g == grainMonth: // whose records lie by month
			var months []usageRecord
			for n := from; n < first; n++ {
				u, err := v.usageOf(l, g, n)
				if err != nil {
					return err
				}
				if u.used() {
					months = append(months, u)
				}
			}
			open = append(months, open...)
		default:
			scan, err = v.store.Scan(seriesKey(g, l, from), seriesKey(g, l, first))
		}
		return err
	})
	if err != nil || code != cloudlicenses.OK {
		return id, code, err
	}
	if scan != nil {
		err = takeAll(scan, take)
	}
	for i := range open {
		take(&open[i])
	}
	return id, code, err
}

func takeAll(scan *fsm.Scan, take func(*usageRecord)) (err error) {
	for scan.Next() {
		var u usageRecord
		if err = decode(&u, scan.Value()); err != nil {
			break
		}
		take(&u)
	}
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (u *usageRecord) point() SeriesPoint {
	return SeriesPoint{
		Period: u.Period, CommitCheckouts: u.CommitCheckouts, OverageCheckouts: u.OverageCheckouts, OverageUses: u.OverageUses,
		Refusals: u.Refusals, PeakInUse: u.PeakInUse, OveragePeak: u.OveragePeak, SeatMillis: u.SeatMillis, Users: u.Users,
	}
}

// PeriodOf returns the period of a grain that a time is in.
func PeriodOf(g uint8, at time.Time) uint32 { return grain(g).number(at.UnixMilli()) }

// PeriodStart returns a period's first moment.
func PeriodStart(g uint8, number uint32) time.Time {
	start, _ := grain(g).bounds(number)
	return time.UnixMilli(start).UTC()
}
