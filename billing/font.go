package billing

import (
	_ "embed" // the font
	"encoding/binary"
	"strings"
	"sync"
	"unicode"
)

// fontFile is DejaVu Sans Condensed (font/LICENSE), the only font of a PDF.
// A document embeds the glyphs it uses. It is a string since the PDF library
// writes into the bytes it is given.
//
//go:embed font/DejaVuSansCondensed.ttf
var fontFile string

// missingGlyph stands in a PDF for a character it cannot show.
const missingGlyph = '□'

// shownScripts are written left to right, one glyph after another. Others need
// shaping or another direction, which the PDF library does not do: unshaped
// Arabic would be readable as another name, so it is not shown at all.
var shownScripts = []*unicode.RangeTable{
	unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Georgian,
	unicode.Common, unicode.Inherited,
}

// glyphs holds a bit for each character of the basic plane that the font has.
type glyphs [1 << 16 / 64]uint64

func (g *glyphs) has(r rune) bool {
	return r >= 0 && r < 1<<16 && g[r/64]&(1<<(r%64)) != 0
}

// fontGlyphs reads the font's character map once.
var fontGlyphs = sync.OnceValue(func() *glyphs {
	return readGlyphs([]byte(fontFile))
})

// readGlyphs reads the segments of a TrueType font's character map in format 4
// (OpenType, "cmap"), for Unicode's basic plane:
//
//	u16 format=4, length, language, segCountX2, searchRange, entrySelector, rangeShift
//	u16 endCode[segCount], u16 reserved, u16 startCode[segCount], …
//
// The last character of a segment's range may be without a glyph in a careless
// font; DejaVu's segments are exact.
func readGlyphs(font []byte) *glyphs {
	var g glyphs
	u16 := func(at uint32) uint32 { return uint32(binary.BigEndian.Uint16(font[at:])) }
	u32 := func(at uint32) uint32 { return binary.BigEndian.Uint32(font[at:]) }
	for table := range u16(4) {
		entry := 12 + 16*table
		if string(font[entry:entry+4]) != "cmap" {
			continue
		}
		cmap := u32(entry + 8)
		for sub := range u16(cmap + 2) {
			at := cmap + u32(cmap+4+8*sub+4)
			if u16(at) != 4 {
				continue
			}
			segments := u16(at + 6)
			for s := uint32(0); s < segments; s += 2 {
				end, start := u16(at+14+s), u16(at+16+segments+s)
				for r := start; r <= end && r != 0xFFFF; r++ {
					g[r/64] |= 1 << (r % 64)
				}
			}
		}
	}
	return &g
}

// shown returns text with missingGlyph for every character that a PDF cannot
// show, and whether there was one: what the font lacks, what needs shaping,
// and what is invisible or turns the direction of others.
func shown(text string) (string, bool) {
	font, degraded := fontGlyphs(), false
	text = strings.Map(func(r rune) rune {
		if r == ' ' || r == '\u00a0' {
			return ' '
		}
		if font.has(r) && unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != unicode.ReplacementChar && unicode.In(r, shownScripts...) {
			return r
		}
		degraded = true
		return missingGlyph
	}, text)
	return text, degraded
}
