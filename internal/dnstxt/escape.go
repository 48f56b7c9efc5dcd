package dnstxt

import (
	"fmt"
	"strings"
)

// The library holds the strings of TXT records in the form of zone files
// (RFC 1035, 5.1): a byte that is not printable is \DDD in decimal, and \X is X.

// escape brings bytes into the form of zone files.
func escape(raw string) string {
	var b strings.Builder
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape is the way back.
func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b = append(b, text[i])
			continue
		}
		i++
		if code, ok := decimal(text[i:]); ok {
			b = append(b, code)
			i += 2
			continue
		}
		b = append(b, text[i])
	}
	return string(b)
}

// decimal reads the three digits that text begins with.
func decimal(text string) (byte, bool) {
	if len(text) < 3 {
		return 0, false
	}
	n := 0
	for i := range 3 {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = n*10 + int(text[i]-'0')
	}
	return byte(n), n <= 255
}
