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

// series answers QuerySeries.
func (q *question) series() (reply, error) {
	var ask GetSeries
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	series := &Series{}
	err := q.periods(&ask, &series.Code, func(u *usageRecord) { series.Points = append(series.Points, u.point()) })
	return series, err
}

// heatmap answers QueryHeatmap.
func (q *question) heatmap() (reply, error) {
	var ask SumHeatmap
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	sum := &Heatmap{}
	hours := &GetSeries{VendorID: ask.VendorID, LicenseID: ask.LicenseID, Grain: ByHour, From: ask.From, To: ask.To}
	err := q.periods(hours, &sum.Code, func(u *usageRecord) {
		if sum.Cells == nil {
			sum.Cells = make([]HeatmapCell, HoursPerWeek)
		}
		cell := &sum.Cells[HourOfWeek(u.Period)]
		cell.Checkouts += u.CommitCheckouts + u.OverageCheckouts
		cell.OverageUses += u.OverageUses
		cell.SeatMillis += u.SeatMillis
		for _, r := range u.Refusals {
			cell.Refused += r.Count
		}
	})
	return sum, err
}

// HoursPerWeek is how many cells a heat map has.
const HoursPerWeek = 7 * 24

// HourOfWeek returns which hour of the week a Unix hour is, from Monday 00:00 UTC
// on; the epoch was a Thursday.
func HourOfWeek(hour uint32) int { return int((int64(hour) + 3*24) % HoursPerWeek) }

// periods calls take for each period that the license was used in, in order. The
// lock is held for what is in memory alone.
func (q *question) periods(ask *GetSeries, refusal *cloudlicenses.Code, take func(*usageRecord)) error {
	g, from, to := grain(ask.Grain), ask.From, ask.To
	if g >= grains || to <= from || to-from > g.most() {
		*refusal = cloudlicenses.InvalidField
		return nil
	}
	var open []usageRecord
	var scan *fsm.Scan
	code, err := q.read(func(v view) (err error) {
		l := v.tenant.licenses[ask.LicenseID]
		if l == nil || ask.VendorID != "" && l.VendorID != ask.VendorID {
			*refusal = cloudlicenses.NotFound
			return nil
		}
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
	if code != cloudlicenses.OK {
		*refusal = code
	}
	if err == nil && scan != nil {
		err = takeAll(scan, take)
	}
	for i := range open {
		take(&open[i])
	}
	return err
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
