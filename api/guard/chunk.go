package guard

import "github.com/cloudlicenses/cloudlicenses"

// chunkScanner follows the chunked coding of one body (RFC 9112 section 7.1)
// byte by byte where it frames, and by leaps where it carries data. Chunk
// extensions and trailer fields, which nobody needs and parsers disagree
// about, are refused.
type chunkScanner struct {
	state chunkState
	left  int64 // data bytes of the chunk still to come
	size  int64 // data bytes of the body so far
	seen  int64 // all bytes scanned
	hex   int   // digits of the size read
}

type chunkState uint8

const (
	chunkSize   chunkState = iota // in the size's digits
	chunkSizeLF                   // the size's CR is there
	chunkData
	chunkDataCR // data done
	chunkDataLF
	chunkLastCR // the last chunk's size line is done
	chunkLastLF
)

// scan follows b and returns how many of its bytes belong to the body, and
// whether the body ended with them.
func (s *chunkScanner) scan(b []byte) (n int, done bool, r *Refusal) {
	for n < len(b) {
		if s.state == chunkData {
			leap := int(min(s.left, int64(len(b)-n)))
			n += leap
			s.left -= int64(leap)
			if s.left == 0 {
				s.state = chunkDataCR
			}
			continue
		}
		done, r := s.frame(b[n])
		if r != nil {
			return 0, false, r
		}
		n++
		if done {
			s.seen += int64(n)
			return n, true, nil
		}
	}
	s.seen += int64(n)
	return n, false, nil
}

// frame takes one framing byte.
func (s *chunkScanner) frame(c byte) (done bool, r *Refusal) {
	want := byte('\r')
	switch s.state {
	case chunkSize:
		if d := unhex(c); d <= 15 && s.hex < 8 {
			s.left, s.hex = s.left<<4|int64(d), s.hex+1
			return false, nil
		}
		if c != '\r' || s.hex == 0 {
			return false, refuseChunk
		}
		s.size += s.left
		if s.size > cloudlicenses.MaxBodyBytes {
			return false, refuseBodySize
		}
		s.state = chunkSizeLF
		return false, nil
	case chunkSizeLF:
		want, s.hex = '\n', 0
		if s.state = chunkData; s.left == 0 {
			s.state = chunkLastCR
		}
	case chunkDataCR:
		s.state = chunkDataLF
	case chunkDataLF:
		want, s.state = '\n', chunkSize
	case chunkLastCR:
		if c != '\r' {
			return false, refuseTrailer
		}
		s.state = chunkLastLF
	case chunkLastLF:
		want, done = '\n', true
	case chunkData:
	}
	if c != want {
		return false, refuseChunk
	}
	return done, nil
}
