package api

import (
	"strconv"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// Headers of draft-ietf-httpapi-ratelimit-headers-10: the policy that is
// nearest to its end, and how the caller stands with it.
const (
	headerRate       = "Ratelimit"
	headerRatePolicy = "Ratelimit-Policy"
)

// ratePolicy is a policy as the headers name it.
type ratePolicy struct {
	name          string
	windowSeconds int64
}

func policyOf(p license.RatePolicy) ratePolicy {
	switch p {
	case license.RateKeyMinute:
		return ratePolicy{"key-minute", 60}
	case license.RateTenantMinute:
		return ratePolicy{"tenant-minute", 60}
	case license.RateKeyHour:
		return ratePolicy{"key-hour", 3600}
	case license.RateNone:
	}
	return ratePolicy{}
}

// rate sets the headers, where there is a limit.
func (c *call) rate(r *license.Rate) {
	if r.Policy == license.RateNone {
		return
	}
	policy := policyOf(r.Policy)
	var buffer [64]byte
	b := append(buffer[:0], '"')
	b = append(append(b, policy.name...), `";q=`...)
	b = strconv.AppendInt(b, r.Limit, 10)
	b = strconv.AppendInt(append(b, ";w="...), policy.windowSeconds, 10)
	c.ctx.Response.Header.SetBytesV(headerRatePolicy, b)
	b = append(buffer[:0], '"')
	b = append(append(b, policy.name...), `";r=`...)
	b = strconv.AppendInt(b, r.Remaining, 10)
	b = strconv.AppendInt(append(b, ";t="...), int64(secondsOf(r)), 10)
	c.ctx.Response.Header.SetBytesV(headerRate, b)
}

// secondsOf is after how many seconds there is more.
func secondsOf(r *license.Rate) int { return int((r.AfterMillis + 999) / 1000) }

// after tells a caller who came too soon when to come again.
func (p *problem) after(r *license.Rate) *problem {
	if r.Remaining == 0 && r.Policy != license.RateNone && p.code == cloudlicenses.RateLimited {
		p.retryIn = max(1, secondsOf(r))
	}
	return p
}
