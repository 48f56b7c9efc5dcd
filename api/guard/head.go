package guard

import (
	"bytes"

	"github.com/cloudlicenses/cloudlicenses"
)

// Refusal is why the guard ends a connection.
type Refusal struct {
	Status int
	Code   cloudlicenses.Code
	Detail string // for a person
}

func malformed(detail string) *Refusal {
	return &Refusal{Status: 400, Code: cloudlicenses.MalformedRequest, Detail: detail}
}

// Every refusal of the guard. They are values so that refusing costs nothing.
var (
	refuseClosed     = &Refusal{}
	refuseHeaderSize = &Refusal{Status: 431, Code: cloudlicenses.MalformedRequest, Detail: "request line and headers are larger than 16 KiB"}
	refuseBodySize   = &Refusal{Status: 413, Code: cloudlicenses.BodyTooLarge, Detail: "the body is larger than 1 MiB"}
	refuseVersion    = &Refusal{Status: 505, Code: cloudlicenses.MalformedRequest, Detail: "only HTTP/1.1 is spoken here"}

	refuseBareLF      = malformed("a line ends in LF without CR")
	refuseControl     = malformed("a NUL or a bare CR in the headers")
	refuseRequestLine = malformed("the request line is not METHOD SP target SP HTTP/1.1")
	refuseTarget      = malformed("the request target is neither a path nor an absolute URL")
	refuseTargetHost  = malformed("the request target names another host than the Host header")
	refusePath        = malformed("the path has empty, dot or percent-encoded separator segments")
	refuseFolded      = malformed("a folded header line")
	refuseHeaderName  = malformed("a header line without a valid name")
	refuseHost        = malformed("exactly one Host header with a host name is needed")
	refuseTwice       = malformed("Authorization and Idempotency-Key may be given once")
	refuseLength      = malformed("Content-Length must be one decimal number, given once")
	refuseCoding      = malformed("Transfer-Encoding may only be chunked, given once")
	refuseBoth        = malformed("both Content-Length and Transfer-Encoding")
	refuseChunk       = malformed("a chunk is not framed as RFC 9112 section 7.1 says")
	refuseTrailer     = malformed("trailer fields are not accepted")
)

// framing says where a request's body ends.
type framing struct {
	length  int64
	chunked bool
}

// headEnd returns the length of the head that b starts with, its empty line
// included, or 0 while it is incomplete. *from is where to go on looking.
func headEnd(b []byte, from *int) (int, *Refusal) {
	start := *from
	for {
		i := bytes.IndexByte(b[start:], '\n')
		if i < 0 {
			*from = start
			return 0, nil
		}
		if i == 0 || b[start+i-1] != '\r' {
			return 0, refuseBareLF
		}
		if i == 1 {
			if start == 0 {
				return 0, refuseRequestLine
			}
			return start + 2, nil
		}
		start += i + 1
	}
}

// parseHead checks a complete head (RFC 9112) and returns its body's framing.
func parseHead(head []byte) (framing, *Refusal) {
	if bytes.IndexByte(head, 0) >= 0 || bytes.Count(head, crByte) != bytes.Count(head, lfByte) {
		return framing{}, refuseControl
	}
	line, rest := cutLine(head)
	target, old, r := requestLine(line)
	if r != nil {
		return framing{}, r
	}
	var f fields
	for len(rest) > 2 {
		line, rest = cutLine(rest)
		if r := f.add(line); r != nil {
			return framing{}, r
		}
	}
	if !f.hasHost {
		return framing{}, refuseHost
	}
	if r := CheckTarget(target, f.host); r != nil {
		return framing{}, r
	}
	switch {
	case f.chunked && (f.hasLength || old):
		return framing{}, refuseBoth
	case f.length > cloudlicenses.MaxBodyBytes:
		return framing{}, refuseBodySize
	}
	return framing{length: f.length, chunked: f.chunked}, nil
}

var crByte, lfByte = []byte{'\r'}, []byte{'\n'}

// cutLine splits off the first line, without its CRLF; there is one.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	return b[:i-1], b[i+1:]
}

// requestLine checks method and version; old is HTTP/1.0.
func requestLine(line []byte) (target []byte, old bool, r *Refusal) {
	method, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok || !isToken(method) {
		return nil, false, refuseRequestLine
	}
	target, version, ok := bytes.Cut(rest, []byte{' '})
	if !ok || len(target) == 0 || len(version) != 8 || string(version[:5]) != "HTTP/" {
		return nil, false, refuseRequestLine
	}
	switch string(version[5:]) {
	case "1.1":
		return target, false, nil
	case "1.0":
		return target, true, nil
	}
	if version[5] < '0' || version[5] > '9' || version[6] != '.' || version[7] < '0' || version[7] > '9' {
		return nil, false, refuseRequestLine
	}
	return nil, false, refuseVersion
}

// fields are the header fields that decide framing, addressee and who asks for
// what: given twice, two readers may take different ones.
type fields struct {
	host      []byte
	length    int64
	hasHost   bool
	hasLength bool
	hasKey    bool // Authorization
	hasIntent bool // Idempotency-Key
	chunked   bool
}

// add checks one header line.
func (f *fields) add(line []byte) *Refusal {
	if line[0] == ' ' || line[0] == '\t' {
		return refuseFolded
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !isToken(line[:colon]) {
		return refuseHeaderName
	}
	name := line[:colon]
	switch len(name) {
	case len("Host"):
		if EqualFold(name, "host") {
			if f.hasHost {
				return refuseHost
			}
			f.host, f.hasHost = bytes.Trim(line[colon+1:], " \t"), true
		}
	case len("Authorization"):
		if EqualFold(name, "authorization") {
			if f.hasKey {
				return refuseTwice
			}
			f.hasKey = true
		}
	case len("Idempotency-Key"):
		if EqualFold(name, "idempotency-key") {
			if f.hasIntent {
				return refuseTwice
			}
			f.hasIntent = true
		}
	case len("Content-Length"):
		if EqualFold(name, "content-length") {
			n, ok := parseLength(bytes.Trim(line[colon+1:], " \t"))
			if f.hasLength || !ok {
				return refuseLength
			}
			f.length, f.hasLength = n, true
		}
	case len("Transfer-Encoding"):
		if EqualFold(name, "transfer-encoding") {
			if f.chunked || !EqualFold(bytes.Trim(line[colon+1:], " \t"), "chunked") {
				return refuseCoding
			}
			f.chunked = true
		}
	}
	return nil
}

func parseLength(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// validHost reports whether b may be a Host: a name or address, maybe a port.
func validHost(b []byte) bool {
	for _, c := range b {
		if !isAlnum(c) && c != '.' && c != '-' && c != ':' && c != '_' && c != '[' && c != ']' {
			return false
		}
	}
	return len(b) > 0
}

// CheckTarget accepts a path, or an absolute URL whose authority is the Host's.
func CheckTarget(target, host []byte) *Refusal {
	if !validHost(host) {
		return refuseHost
	}
	if len(target) == 0 {
		return refuseTarget
	}
	for _, c := range target {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return refuseTarget
		}
	}
	if target[0] != '/' {
		for _, scheme := range [...]string{"http://", "https://"} {
			if len(target) > len(scheme) && EqualFold(target[:len(scheme)], scheme) {
				rest := target[len(scheme):]
				end := bytes.IndexAny(rest, "/?")
				if end < 0 {
					end = len(rest)
				}
				if !bytes.EqualFold(rest[:end], host) {
					return refuseTargetHost
				}
				return checkPath(rest[end:])
			}
		}
		return refuseTarget
	}
	return checkPath(target)
}

// checkPath refuses a path that means other segments once decoded, or that
// fasthttp would clean into another one.
func checkPath(p []byte) *Refusal {
	if q := bytes.IndexByte(p, '?'); q >= 0 {
		p = p[:q]
	}
	segment, dots := 0, 0 // bytes and dots of the segment so far, decoded
	for i := 0; i < len(p); i++ {
		c, coded := p[i], false
		if c == '%' {
			if i+2 >= len(p) {
				return refusePath
			}
			hi, lo := unhex(p[i+1]), unhex(p[i+2])
			if hi > 15 || lo > 15 {
				return refusePath
			}
			c, coded = hi<<4|lo, true
			i += 2
		}
		switch {
		case c == '\\' || c < ' ' || c == 0x7f || (coded && (c == '/' || c == '%')):
			return refusePath
		case c == '/':
			if i > 0 && (segment == 0 || isDots(segment, dots)) {
				return refusePath
			}
			segment, dots = 0, 0
		case c == '.':
			segment++
			dots++
		default:
			segment++
		}
	}
	if isDots(segment, dots) {
		return refusePath
	}
	return nil
}

func isDots(length, dots int) bool { return length == dots && (dots == 1 || dots == 2) }

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// tokenBytes are the characters of a token (RFC 9110 section 5.6.2).
var tokenBytes = func() (t [256]bool) {
	for c := range 256 {
		t[c] = isAlnum(byte(c)) || (c != 0 && bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0)
	}
	return t
}()

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenBytes[c] {
			return false
		}
	}
	return len(b) > 0
}

// EqualFold compares ASCII without case; lower is in lower case.
func EqualFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// unhex returns the value of a hexadecimal digit, or 255.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
