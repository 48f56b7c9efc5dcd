package body

import (
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/cloudlicenses/cloudlicenses"
)

// Reader reads one JSON text (RFC 8259) strictly and without allocating:
// duplicate keys, invalid UTF-8, lone surrogates, nesting past MaxJSONDepth
// and anything after the value are errors, which encoding/json lets pass.
//
// The first error stays; after it every method returns zero values. Byte
// slices it returns alias the text, or scratch where a string had escapes.
type Reader struct {
	text    []byte
	at      int
	depth   int
	Problem string // what is wrong, for a person; empty: nothing yet
	scratch []byte
}

// Reset begins a new text.
func (r *Reader) Reset(text []byte) {
	*r = Reader{text: text, scratch: r.scratch[:0]}
	if !utf8.Valid(text) {
		r.fail("the body is not valid UTF-8")
	}
}

// Failed reports whether an error was met.
func (r *Reader) Failed() bool { return r.Problem != "" }

// fail notes the first error and stops reading.
func (r *Reader) fail(problem string) {
	if r.Problem == "" {
		r.Problem = problem
	}
	r.at = len(r.text)
}

func (r *Reader) failHere(problem string) {
	if r.Problem == "" {
		r.fail(problem + " at byte " + strconv.Itoa(r.at))
	}
}

// peek returns the first byte of the next token, or 0 at the end.
func (r *Reader) peek() byte {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return c
		}
	}
	return 0
}

// End fails where anything but white space is left.
func (r *Reader) End() {
	if r.peek() != 0 || r.at < len(r.text) {
		r.failHere("unexpected data after the value")
	}
}

// open enters an object or array; what is its first byte.
func (r *Reader) open(what byte) bool {
	if r.peek() != what || r.Failed() {
		return false
	}
	r.at++
	r.depth++
	if r.depth > cloudlicenses.MaxJSONDepth {
		r.fail("the body is nested deeper than " + strconv.Itoa(cloudlicenses.MaxJSONDepth) + " levels")
		return false
	}
	return true
}

// more reports whether another member or element follows; first says whether
// one came already. It leaves the object or array at its closing byte.
func (r *Reader) more(first *bool, closing byte) bool {
	c := r.peek()
	switch {
	case r.Failed():
		return false
	case c == closing:
		r.at++
		r.depth--
		return false
	case *first:
		*first = false
		return true
	case c != ',':
		r.failHere("expected ',' or '" + string(closing) + "'")
		return false
	}
	r.at++
	if r.peek() == closing {
		r.failHere("unexpected '" + string(closing) + "' after ','")
		return false
	}
	return true
}

// key reads a member's name and its colon.
func (r *Reader) key() []byte {
	if r.peek() != '"' {
		r.failHere("expected a member name")
		return nil
	}
	name := r.str()
	if r.peek() != ':' {
		r.failHere("expected ':'")
		return nil
	}
	r.at++
	return name
}

// str reads a string, whose opening quote is next.
func (r *Reader) str() []byte {
	r.at++
	start := r.at
	for i := start; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '"':
			r.at = i + 1
			return r.text[start:i]
		case c == '\\':
			return r.escaped(start, i)
		case c < ' ':
			r.at = i
			r.failHere("control character in a string")
			return nil
		}
	}
	r.failHere("string without end")
	return nil
}

// escaped reads the rest of a string whose first escape is at i.
func (r *Reader) escaped(start, i int) []byte {
	begin := len(r.scratch)
	r.scratch = append(r.scratch, r.text[start:i]...)
	for r.at = i; r.at < len(r.text); {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return r.scratch[begin:]
		case c < ' ':
			r.failHere("control character in a string")
			return nil
		case c == '\\':
			if !r.escape() {
				r.failHere("invalid escape in a string")
				return nil
			}
		default:
			r.scratch = append(r.scratch, c)
			r.at++
		}
	}
	r.failHere("string without end")
	return nil
}

// escape reads one escape into scratch.
func (r *Reader) escape() bool {
	if r.at+1 >= len(r.text) {
		return false
	}
	c := r.text[r.at+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return r.unicode()
	default:
		return false
	}
	r.scratch = append(r.scratch, c)
	r.at += 2
	return true
}

// unicode reads \uXXXX, or a pair of them.
func (r *Reader) unicode() bool {
	first, ok := r.hex4(r.at)
	if !ok {
		return false
	}
	r.at += 6
	if utf16.IsSurrogate(first) {
		second, ok := r.hex4(r.at)
		if !ok {
			return false
		}
		if first = utf16.DecodeRune(first, second); first == utf8.RuneError {
			return false
		}
		r.at += 6
	}
	r.scratch = utf8.AppendRune(r.scratch, first)
	return true
}

func (r *Reader) hex4(at int) (rune, bool) {
	if at+6 > len(r.text) || r.text[at] != '\\' || r.text[at+1] != 'u' {
		return 0, false
	}
	var v rune
	for _, c := range r.text[at+2 : at+6] {
		d := unhex(c)
		if d > 15 {
			return 0, false
		}
		v = v<<4 | rune(d)
	}
	return v, true
}

// number reads a number's own text; its first byte is next.
func (r *Reader) number() []byte {
	start := r.at
	if r.text[r.at] == '-' {
		r.at++
	}
	whole := r.at
	ok := r.digits()
	if ok && r.text[whole] == '0' && r.at > whole+1 {
		ok = false
	}
	if ok && r.at < len(r.text) && r.text[r.at] == '.' {
		r.at++
		ok = r.digits()
	}
	if ok && r.at < len(r.text) && r.text[r.at]|0x20 == 'e' {
		r.at++
		if r.at < len(r.text) && (r.text[r.at] == '+' || r.text[r.at] == '-') {
			r.at++
		}
		ok = r.digits()
	}
	if !ok {
		r.failHere("invalid number")
		return nil
	}
	return r.text[start:r.at]
}

func (r *Reader) digits() bool {
	from := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at > from
}

// literal reads true, false or null.
func (r *Reader) literal(word string) {
	if len(r.text)-r.at < len(word) || string(r.text[r.at:r.at+len(word)]) != word {
		r.failHere("invalid literal")
		return
	}
	r.at += len(word)
}

// Skip reads any value, checking it as strictly as one that is wanted.
func (r *Reader) Skip() {
	switch c := r.peek(); {
	case r.Failed():
	case c == '{':
		r.skipObject()
	case c == '[':
		if r.open('[') {
			for first := true; r.more(&first, ']'); {
				r.Skip()
			}
		}
	case c == '"':
		r.str()
	case c == 't':
		r.literal("true")
	case c == 'f':
		r.literal("false")
	case c == 'n':
		r.literal("null")
	case c == '-' || c >= '0' && c <= '9':
		r.number()
	default:
		r.failHere("expected a value")
	}
}

// skipObject reads an object whose members nobody wants, but whose names must
// differ all the same.
func (r *Reader) skipObject() {
	if !r.open('{') {
		return
	}
	var (
		few   [8][]byte
		count int
		many  map[string]struct{}
	)
	for first := true; r.more(&first, '}'); count++ {
		name := r.key()
		if r.Failed() {
			return
		}
		if count < len(few) {
			for _, other := range few[:count] {
				if string(other) == string(name) {
					r.duplicate(name)
					return
				}
			}
			few[count] = name
		} else {
			if many == nil {
				many = make(map[string]struct{}, 4*len(few))
				for _, other := range few {
					many[string(other)] = struct{}{}
				}
			}
			if _, there := many[string(name)]; there {
				r.duplicate(name)
				return
			}
			many[string(name)] = struct{}{}
		}
		r.Skip()
	}
}

func (r *Reader) duplicate(name []byte) {
	r.fail("duplicate member " + quoteName(name))
}

// quoteName shows a member's name in an error, cut to a sane length.
func quoteName(name []byte) string {
	const longest = 64
	if len(name) > longest {
		name = name[:longest]
	}
	return strconv.Quote(string(name))
}

// integer returns the integer that a number's text stands for. 1.0 and 1e2
// are integers, as in JSON Schema.
func integer(text []byte) (int64, bool) {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
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
