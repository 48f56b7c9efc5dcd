package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=series_query.go -o=series_query_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.VendorID as:string using:string/cloudlicenses.VendorID mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast

// The queries about what licenses are used for; 120–124 are theirs.
const (
	QuerySeries  fsm.Op = 120 // GetSeries → Series
	QueryHeatmap fsm.Op = 121 // SumHeatmap → Heatmap
	QueryTail    fsm.Op = 122 // TailAudit → Tail
)

// Grains of a series, as queries name them.
const (
	ByHour  = uint8(grainHour)  // periods are Unix hours
	ByDay   = uint8(grainDay)   // Unix days
	ByMonth = uint8(grainMonth) // year × 12 + month, January = 0
)

// GetSeries asks for what a license was used for in the periods [From, To).
//
//msgp:tuple GetSeries
type GetSeries struct {
	VendorID  cloudlicenses.VendorID // whose it must be; empty: anybody's
	LicenseID cloudlicenses.LicenseID
	Grain     uint8
	From      uint32
	To        uint32 // at most MaxAnalyticsHours, …Days, …Months after From
}

// SeriesPoint is what a license was used for in a period. Those in which nothing
// happened are left out.
//
//msgp:tuple SeriesPoint
type SeriesPoint struct {
	Period           uint32
	CommitCheckouts  int64 // granted without overage
	OverageCheckouts int64 // granted with at least one overage seat
	OverageUses      int64 // overage seats charged
	Refusals         []Refusals
	PeakInUse        int64
	OveragePeak      int64
	SeatMillis       int64
	Users            int64 // different ones that checked out
}

// Series is a license's, in order of period.
//
//msgp:tuple Series
type Series struct {
	Code   cloudlicenses.Code
	Points []SeriesPoint
}

// TailAudit asks for what came into a tenant's audit log after a record, 0 being
// before the first.
//
//msgp:tuple TailAudit
type TailAudit struct {
	AfterMillis int64  // of that record
	After       uint64 // its sequence
	Limit       int64  // 0: Head alone is asked for
}

// Tail has the records asked for, oldest first, with the pools of their licenses.
//
//msgp:tuple Tail
type Tail struct {
	Code       cloudlicenses.Code
	Head       uint64 // sequence of the last record
	HeadMillis int64  // no later record is from before it
	Items      []Audit
	// More than Limit came: Items are the newest of them.
	Skipped bool
	Pools   []LicenseState
}

// SumHeatmap asks for the hours [From, To) of a license, added up by the hour of the
// week.
//
//msgp:tuple SumHeatmap
type SumHeatmap struct {
	VendorID  cloudlicenses.VendorID // whose it must be; empty: anybody's
	LicenseID cloudlicenses.LicenseID
	From      uint32 // Unix hours
	To        uint32 // at most MaxHeatmapDays after From
}

// HeatmapCell sums an hour of the week.
//
//msgp:tuple HeatmapCell
type HeatmapCell struct {
	Checkouts   int64
	OverageUses int64
	Refused     int64
	SeatMillis  int64
}

// Heatmap has a cell for each hour of the week from Monday 00:00 UTC on, or none.
//
//msgp:tuple Heatmap
type Heatmap struct {
	Code  cloudlicenses.Code
	Cells []HeatmapCell
}
