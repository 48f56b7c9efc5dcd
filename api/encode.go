package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Bytes that are no UTF-8 become
// U+FFFD; '<' and '&' are escaped so that a body shown as HTML stays text.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	plain := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '&' {
				i++
				continue
			}
			b = append(b, s[plain:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			plain = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[plain:i]...)
			b = append(b, "\ufffd"...)
			i++
			plain = i
			continue
		}
		i += size
	}
	b = append(b, s[plain:]...)
	return append(b, '"')
}

// appendTime appends a quoted RFC 3339 time in UTC, with milliseconds where
// they are not zero.
func appendTime(b []byte, millis int64) []byte {
	layout := "2006-01-02T15:04:05Z"
	if millis%1000 != 0 {
		layout = "2006-01-02T15:04:05.000Z"
	}
	b = append(b, '"')
	b = time.UnixMilli(millis).UTC().AppendFormat(b, layout)
	return append(b, '"')
}

// appendDate appends the quoted UTC day of a moment, or null for none (0).
func appendDate(b []byte, millis int64) []byte {
	if millis == 0 {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = time.UnixMilli(millis).UTC().AppendFormat(b, time.DateOnly)
	return append(b, '"')
}

func appendMember(b []byte, name, value string) []byte {
	b = append(b, name...)
	return appendString(b, value)
}

func appendNumber(b []byte, name string, value int64) []byte {
	b = append(b, name...)
	return strconv.AppendInt(b, value, 10)
}

// appendLeaseID appends a quoted lease id; its text needs no escaping.
func appendLeaseID(b []byte, id cloudlicenses.LeaseID) []byte {
	b = append(b, `"lease-`...)
	b = strconv.AppendUint(b, uint64(id), 10)
	return append(b, '"')
}

// appendGrant appends the members of a checkout's reply, without braces.
func appendGrant(b []byte, l *license.Lease) []byte {
	b = appendLeaseID(append(b, `"lease_id":`...), l.ID)
	b = appendMember(b, `,"license_id":`, string(l.LicenseID))
	b = appendMember(b, `,"product_id":`, string(l.ProductID))
	b = appendMember(b, `,"user":`, l.User)
	b = appendMember(b, `,"type":`, string(l.Type()))
	b = appendNumber(b, `,"count":`, l.Count)
	b = appendNumber(b, `,"overage_count":`, l.OverageCount)
	b = appendTime(append(b, `,"issued_at":`...), l.IssuedMillis)
	b = appendTime(append(b, `,"expires_at":`...), l.ExpiresMillis)
	return appendNumber(b, `,"heartbeat_seconds":`, l.TTLMillis/3000)
}

// appendBeat appends the members of a heartbeat's reply.
func appendBeat(b []byte, l *license.Lease) []byte {
	b = appendLeaseID(append(b, `"lease_id":`...), l.ID)
	return appendTime(append(b, `,"expires_at":`...), l.ExpiresMillis)
}

// appendReturned appends the members of a return's reply.
func appendReturned(b []byte, l *license.Lease) []byte {
	b = appendLeaseID(append(b, `"lease_id":`...), l.ID)
	b = appendMember(b, `,"license_id":`, string(l.LicenseID))
	b = appendMember(b, `,"type":`, string(l.Type()))
	b = appendTime(append(b, `,"returned_at":`...), l.EndedMillis)
	return append(b, `,"reason":"returned"`...)
}

// appendLease appends a live lease as the list has it.
func appendLease(b []byte, l *license.Lease) []byte {
	b = appendLeaseID(append(b, `{"lease_id":`...), l.ID)
	b = appendMember(b, `,"license_id":`, string(l.LicenseID))
	b = appendMember(b, `,"product_id":`, string(l.ProductID))
	b = appendMember(b, `,"user":`, l.User)
	b = appendMember(b, `,"type":`, string(l.Type()))
	b = appendNumber(b, `,"count":`, l.Count)
	b = appendNumber(b, `,"overage_count":`, l.OverageCount)
	b = appendMember(b, `,"hostname":`, l.Hostname)
	b = appendMember(b, `,"api_key_id":`, string(l.KeyID))
	b = appendTime(append(b, `,"issued_at":`...), l.IssuedMillis)
	b = appendTime(append(b, `,"expires_at":`...), l.ExpiresMillis)
	return append(b, '}')
}

// appendLicense appends a license with its pool. Contract dates are whole
// UTC days, the last one included.
func appendLicense(b []byte, s *license.LicenseState) []byte {
	l := &s.License
	pool := cloudlicenses.Pool{Commit: s.CommitInUse, Overage: s.OverageInUse}
	entitlement := cloudlicenses.Entitlement{Total: l.Total, CommitQty: l.CommitQty, MaxOverage: l.MaxOverage}
	b = appendMember(b, `{"license_id":`, string(l.ID))
	b = appendMember(b, `,"vendor_id":`, string(l.VendorID))
	b = appendMember(b, `,"product_id":`, string(l.ProductID))
	b = appendMember(b, `,"product_name":`, l.ProductName)
	if b = append(b, `,"version":`...); l.Constraint == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, l.Constraint)
	}
	b = appendMember(b, `,"status":`, string(l.Status))
	b = appendNumber(b, `,"total_licenses":`, l.Total)
	b = appendNumber(b, `,"commit_qty":`, l.CommitQty)
	b = appendNumber(b, `,"max_overage":`, l.MaxOverage)
	b = appendNumber(b, `,"in_use":`, pool.InUse())
	b = appendNumber(b, `,"commit_in_use":`, pool.Commit)
	b = appendNumber(b, `,"overage_in_use":`, pool.Overage)
	b = appendNumber(b, `,"available":`, pool.Available(entitlement))
	b = appendDate(append(b, `,"start_date":`...), l.StartMillis)
	end := l.EndMillis
	if end != 0 {
		end-- // the last moment of the contract
	}
	b = appendDate(append(b, `,"end_date":`...), end)
	return append(b, '}')
}

// appendJSON appends v as encoding/json has it, but that <, > and & stay what they
// are: ">=8.0.0" is not HTML.
func appendJSON(b []byte, v any) ([]byte, error) {
	out := bytes.NewBuffer(b)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'}), err
}
