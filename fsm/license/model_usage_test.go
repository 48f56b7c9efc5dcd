package license_test

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// modelHour is what a license was used for in an hour. The model knows hours
// alone: days and months are added up from them.
type modelHour struct {
	license.SeriesPoint
	users map[string]bool
}

// hour returns the record of the hour of a time.
func (l *modelLicense) hour(millis int64) *modelHour {
	number := uint32(millis / hour)
	if l.hours[number] == nil {
		l.hours[number] = &modelHour{users: map[string]bool{}}
	}
	return l.hours[number]
}

func (h *modelHour) refuse(code cl.Code) { h.refusals(code, 1) }

func (h *modelHour) refusals(code cl.Code, count int64) {
	i, found := slices.BinarySearchFunc(h.Refusals, code, func(r license.Refusals, c cl.Code) int { return cmp.Compare(r.Code, c) })
	if !found {
		h.Refusals = slices.Insert(h.Refusals, i, license.Refusals{Code: code})
	}
	h.Refusals[i].Count += count
}

// peaks notes what is in use.
func (h *modelHour) peaks(pool cl.Pool) {
	h.PeakInUse, h.OveragePeak = max(h.PeakInUse, pool.InUse()), max(h.OveragePeak, pool.Overage)
}

// series adds the hours up to periods of a grain, in order.
func (l *modelLicense) series(grain uint8) (points []license.SeriesPoint) {
	periods := map[uint32]*modelHour{}
	for number, h := range l.hours {
		period := license.PeriodOf(grain, time.UnixMilli(int64(number)*hour))
		sum := periods[period]
		if sum == nil {
			sum = &modelHour{users: map[string]bool{}}
			sum.Period, periods[period] = period, sum
		}
		sum.CommitCheckouts += h.CommitCheckouts
		sum.OverageCheckouts += h.OverageCheckouts
		sum.OverageUses += h.OverageUses
		sum.SeatMillis += h.SeatMillis
		sum.PeakInUse, sum.OveragePeak = max(sum.PeakInUse, h.PeakInUse), max(sum.OveragePeak, h.OveragePeak)
		for _, r := range h.Refusals {
			sum.refusals(r.Code, r.Count)
		}
		maps.Copy(sum.users, h.users)
	}
	for _, period := range slices.Sorted(maps.Keys(periods)) {
		p := periods[period]
		if p.Users = int64(len(p.users)); p.CommitCheckouts+p.OverageCheckouts+p.PeakInUse+p.SeatMillis > 0 || p.Refusals != nil {
			points = append(points, p.SeriesPoint)
		}
	}
	return points
}

// requireSeries compares the series of a tenant's licenses in every grain.
func requireSeries(t rapid.TB, machine *license.Machine, name cl.TenantID, tenant *modelTenant, clock int64) {
	t.Helper()
	for grain, width := range map[uint8]uint32{license.ByHour: 700, license.ByDay: 300, license.ByMonth: 12} {
		now := license.PeriodOf(grain, time.UnixMilli(clock))
		for _, l := range tenant.licenses {
			ask := license.GetSeries{LicenseID: l.ID, Grain: grain, To: now + 2}
			ask.From = ask.To - width
			var page license.Series
			askAt(t, machine, name, 1, license.QuerySeries, &ask, &page)
			require.Equal(t, cl.OK, page.Code)
			var want []license.SeriesPoint
			for _, p := range l.series(grain) {
				if p.Period >= ask.From {
					if grain == license.ByMonth { // counted from the month's own grants on
						p.OveragePeak = 0
					}
					want = append(want, p)
				}
			}
			got := page.Points
			for i := range got {
				if got[i].Refusals = append([]license.Refusals(nil), got[i].Refusals...); grain == license.ByMonth {
					got[i].OveragePeak = 0
				}
			}
			require.Equal(t, want, append([]license.SeriesPoint(nil), got...), "%s %s, grain %d", name, l.ID, grain)
		}
	}
}

// usage is the model's month of a license as QueryUsage shows it.
func (l *modelLicense) usage() (months []license.Usage) {
	for _, p := range l.series(license.ByMonth) {
		months = append(months, license.Usage{
			LicenseID: l.ID, Month: license.PeriodStart(license.ByMonth, p.Period).Format("2006-01"),
			CommitCheckouts: p.CommitCheckouts, OverageCheckouts: p.OverageCheckouts, OverageUses: p.OverageUses,
			Refusals: p.Refusals, PeakInUse: p.PeakInUse, SeatMillis: p.SeatMillis,
		})
	}
	return months
}
