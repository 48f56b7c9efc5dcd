package cloudlicenses

// Entitlement is what a license allows, in seats.
type Entitlement struct {
	Total      int64 // T: seats that may be live at once
	CommitQty  int64 // C: seats covered by the commit fee
	MaxOverage int64 // M: seats past the committed ones, each use charged
}

// Valid reports whether 0 ≤ C ≤ T, M ≥ 0 and T ≤ C + M (contract "Which seat
// a checkout gets"); otherwise generation and amendment answer 422
// invalid_entitlement.
func (e Entitlement) Valid() bool {
	return e.CommitQty >= 0 && e.CommitQty <= e.Total && e.MaxOverage >= 0 &&
		e.Total <= MaxSeats && e.MaxOverage <= MaxSeats && e.Total <= e.CommitQty+e.MaxOverage
}

// OverageCapacity is O = min(M, T − C).
func (e Entitlement) OverageCapacity() int64 { return min(e.MaxOverage, e.Total-e.CommitQty) }

// Pool counts the seats of one license that are live, by the kind they were
// granted as. A lease keeps its seats' kinds for life, so after an amendment
// either count may pass the entitlement.
type Pool struct {
	Commit  int64 // committed seats live
	Overage int64 // overage seats live
}

// InUse is all live seats.
func (p Pool) InUse() int64 { return p.Commit + p.Overage }

// Available is max(0, T − live).
func (p Pool) Available(e Entitlement) int64 { return max(0, e.Total-p.InUse()) }

// Grant says how n seats (n ≥ 1) would be made up: commit from the committed
// seats, overage from the overage ones, or the code of the refusal, in which
// case nothing may change. allowOverage is false where the caller or a rule of
// the tenant declines overage.
//
// It is the seat table of the contract, without its monthly cap, which needs
// the tenant's counters: the caller asks the cap between a grant with
// overage > 0 and putting it into force.
func (p Pool) Grant(e Entitlement, n int64, allowOverage bool) (commit, overage int64, code Code) {
	capacity := e.OverageCapacity()
	if e.Total-p.InUse() < n {
		if capacity == 0 {
			return 0, 0, LicenseUnavailable
		}
		return 0, 0, OverageMaxExceeded
	}
	commit = min(n, max(0, e.CommitQty-p.Commit))
	overage = n - commit
	if overage == 0 {
		return commit, 0, OK
	}
	overageFree := max(0, capacity-p.Overage)
	switch {
	case capacity == 0:
		return 0, 0, LicenseUnavailable
	case !allowOverage && overageFree > 0:
		return 0, 0, OverageDeclined
	case overage > overageFree:
		return 0, 0, OverageMaxExceeded
	}
	return commit, overage, OK
}
