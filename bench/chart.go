package bench

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// chart is a diagram of lines over two axes.
type chart struct {
	title  string
	x, y   axis
	series []series
}

// axis is linear from 0 or logarithmic.
type axis struct {
	label string // with the unit
	log   bool
	// ticks are marked; none: the axis chooses.
	ticks []float64
}

// series is a line through its points, in order of x.
type series struct {
	name   string
	dashed bool
	color  int // of palette; lines that belong together share one
	points []point
}

type point struct{ x, y float64 }

// Sizes in pixels.
const (
	plotWidth    = 560
	chartHeight  = 440
	marginLeft   = 78
	legendLeft   = 48  // from the plot to the legend's words
	letterWidth  = 7.5 // of them, at most on average
	marginRight  = 16
	marginTop    = 44
	marginBottom = 56
	legendLine   = 20
)

// palette is Okabe and Ito's, for all kinds of eyes, without its black; it
// stands out against white and against black.
var palette = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c00", "#7f7f7f"}

// style takes text and lines from the reader's own colors, light or dark.
const style = `<style>
:root{color:#1f2328}
@media (prefers-color-scheme:dark){:root{color:#e6edf3}}
text{fill:currentColor;font:13px system-ui,sans-serif}
.title{font-size:16px;font-weight:600}
.grid{stroke:currentColor;stroke-opacity:.15}
.axis{stroke:currentColor;stroke-opacity:.6}
.line{fill:none;stroke-width:2}
</style>
`

// svg draws the chart.
func (c *chart) svg() string {
	xs, ys := c.x.scale(c.values(func(p point) float64 { return p.x })), c.y.scale(c.values(func(p point) float64 { return p.y }))
	px := func(x float64) float64 { return marginLeft + xs.at(x)*plotWidth }
	py := func(y float64) float64 {
		return chartHeight - marginBottom - ys.at(y)*(chartHeight-marginTop-marginBottom)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" role="img" aria-label="%s">`+"\n", c.width(), chartHeight, html.EscapeString(c.title))
	b.WriteString(style)
	fmt.Fprintf(&b, `<text class="title" x="%d" y="24">%s</text>`+"\n", marginLeft, html.EscapeString(c.title))
	left, right, top, bottom := float64(marginLeft), float64(marginLeft+plotWidth), float64(marginTop), float64(chartHeight-marginBottom)
	for _, v := range xs.ticks {
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %.1fV%.1f"/><text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", px(v), top, bottom, px(v), bottom+18, short(v))
	}
	for _, v := range ys.ticks {
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %.1fH%.1f"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n", left, py(v), right, left-8, py(v)+4, short(v))
	}
	fmt.Fprintf(&b, `<path class="axis" fill="none" d="M%.1f %.1fV%.1fH%.1f"/>`+"\n", left, top, bottom, right)
	fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", (left+right)/2, bottom+42, html.EscapeString(c.x.label))
	fmt.Fprintf(&b, `<text transform="translate(18 %.1f) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (top+bottom)/2, html.EscapeString(c.y.label))
	for i, s := range c.series {
		s.draw(&b, px, py)
		y := marginTop + 8 + float64(i*legendLine)
		fmt.Fprintf(&b, `<path class="line" stroke="%s"%s d="M%.1f %.1fh26"/><text x="%.1f" y="%.1f">%s</text>`+"\n",
			s.stroke(), s.dashes(), right+16, y, right+legendLeft, y+4, html.EscapeString(s.name))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// width has room for the longest name of the legend.
func (c *chart) width() float64 {
	longest := 0
	for _, s := range c.series {
		longest = max(longest, utf8.RuneCountInString(s.name))
	}
	return marginLeft + plotWidth + legendLeft + float64(longest)*letterWidth + marginRight
}

func (c *chart) values(of func(point) float64) []float64 {
	var all []float64
	for _, s := range c.series {
		for _, p := range s.points {
			all = append(all, of(p))
		}
	}
	return all
}

func (s *series) stroke() string { return palette[s.color%len(palette)] }

func (s *series) dashes() string {
	if s.dashed {
		return ` stroke-dasharray="6 4"`
	}
	return ""
}

func (s *series) draw(b *strings.Builder, px, py func(float64) float64) {
	path := make([]string, len(s.points))
	for i, p := range s.points {
		path[i] = fmt.Sprintf("%.1f %.1f", px(p.x), py(p.y))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"><title>%s: %s, %s</title></circle>`+"\n",
			px(p.x), py(p.y), s.stroke(), html.EscapeString(s.name), short(p.x), short(p.y))
	}
	if len(path) > 1 {
		fmt.Fprintf(b, `<path class="line" stroke="%s"%s d="M%s"/>`+"\n", s.stroke(), s.dashes(), strings.Join(path, "L"))
	}
}

// scale maps values to 0…1.
type scale struct {
	log      bool
	from, to float64
	ticks    []float64
}

func (s *scale) at(v float64) float64 {
	if s.log {
		return math.Log(v/s.from) / math.Log(s.to/s.from)
	}
	return (v - s.from) / (s.to - s.from)
}

// scale covers the values.
func (a *axis) scale(values []float64) *scale {
	if len(values) == 0 {
		values = []float64{1}
	}
	low, high := slices.Min(values), slices.Max(values)
	s := &scale{log: a.log, ticks: a.ticks}
	if a.log {
		s.from, s.to = low, high
		if len(a.ticks) == 0 {
			s.from, s.to = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)))
		}
		if s.from >= s.to {
			s.from, s.to = s.from/2, s.to*2
		}
		if len(a.ticks) == 0 {
			for v := s.from; v <= s.to*1.001; v *= 10 {
				s.ticks = append(s.ticks, v)
			}
		}
		return s
	}
	if high <= 0 {
		high = 1
	}
	step := niceStep(high / 5)
	s.to = math.Ceil(high/step) * step
	for v := 0.0; v <= s.to*1.001; v += step {
		s.ticks = append(s.ticks, v)
	}
	return s
}

// niceStep is the next of 1, 2, 5, 10, …
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= least {
			return m * power
		}
	}
	return 10 * power
}

// short writes a number in a few characters: 1500 is 1.5k.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + "M"
	case a >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + "k"
	default:
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
}
