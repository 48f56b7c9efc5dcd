package billing

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"codeberg.org/go-pdf/fpdf"

	"github.com/cloudlicenses/cloudlicenses"
)

// ErrTooLong: more rows than a PDF may have, see MaxPDFRows. Nothing was written.
var ErrTooLong = errors.New("too many rows for a PDF: take CSV or JSON, or a shorter period")

// The page: A4 across, in millimeters.
const (
	pageWidth, pageHeight = 297.0, 210.0
	margin                = 12.0
	rowHeight             = 5.6
	titleHeight           = 26.0 // title, vendor and period, on the first page
	footHeight            = 8.0
	fontSize              = 9.0 // points
	boldness              = 0.15
)

// pdfColumn is a column of the statement; amounts stand to the right, and the
// largest has room: a number is never cut.
type pdfColumn struct {
	title string
	width float64
	align string
}

var pdfColumns = [...]pdfColumn{
	{"Customer", 62, "L"}, {"CRM account", 38, "L"}, {"Product", 60, "L"}, {"Month", 18, "L"},
	{"Overage checkouts", 38, "R"}, {"Cost", 40, "R"}, {"Currency", 17, "L"},
}

// pdfLine is a line of the table: as many texts as columns. A note has one
// text over the whole width.
type pdfLine struct {
	texts [len(pdfColumns)]string
	bold  bool
	rule  bool // a rule above it
	note  bool
}

// WritePDF writes the export as a statement to read: title, vendor, period, the
// rows of the CSV, a total for each currency, page numbers. Identical input
// makes identical bytes: the dates in it are the period's last day.
//
// Names are in Latin, Greek, Cyrillic, Armenian and Georgian letters with the
// symbols of the font. Any other character (Chinese, Arabic, emoji…) is shown
// as □, and a name that is too long ends in …; a note at the end then says so
// and points to CSV and JSON, which have every name in full. The CRM account
// beside it still tells the customer.
//
// Errors: ErrTooLong, and see Export.
func (e *Export) WritePDF(w io.Writer, charges iter.Seq2[Charge, error]) error {
	return e.writePDF(w, charges, true)
}

func (e *Export) writePDF(w io.Writer, charges iter.Seq2[Charge, error], compressed bool) error {
	if err := e.Period.Validate(); err != nil {
		return err
	}
	s := newStatement(e.Period.End, compressed)
	lines, err := e.pdfLines(s, charges)
	if err != nil {
		return err
	}
	vendor := string(e.Vendor)
	if e.VendorName != "" {
		vendor = fmt.Sprintf("%s (%s)", e.VendorName, e.Vendor)
	}
	vendor = s.fit(vendor, pageWidth-2*margin)
	period := fmt.Sprintf("Period %s to %s (UTC, both days included)", e.Period.Start, e.Period.End)
	lines = append(lines, s.notes()...)
	s.print([3]string{"Overage statement", vendor, period}, lines)
	if err := s.pdf.Output(w); err != nil {
		return fmt.Errorf("write PDF: %w", err)
	}
	return nil
}

// pdfLines returns the rows and totals as lines.
func (e *Export) pdfLines(s *statement, charges iter.Seq2[Charge, error]) ([]pdfLine, error) {
	var lines []pdfLine
	var totals tally
	uses := int64(0)
	for row, err := range e.rows(charges) {
		if err != nil {
			return nil, err
		}
		if len(lines) == cloudlicenses.MaxPDFRows {
			return nil, ErrTooLong
		}
		count, err := row.currency.Decimals()
		if err != nil {
			return nil, err
		}
		if err := totals.add(row.currency, row.minor); err != nil {
			return nil, err
		}
		if uses, err = add(uses, row.uses); err != nil {
			return nil, err
		}
		c := row.contract
		lines = append(lines, pdfLine{texts: [...]string{
			s.fit(c.CustomerName, pdfColumns[0].width), s.fit(c.CRMAccount, pdfColumns[1].width),
			s.fit(c.ProductName, pdfColumns[2].width), row.month.String(),
			strconv.FormatInt(row.uses, 10), string(appendMoney(nil, row.minor, count)), string(row.currency),
		}})
	}
	if len(lines) == 0 {
		return []pdfLine{{texts: [len(pdfColumns)]string{"No overage in this period."}, note: true}}, nil
	}
	for i, t := range totals {
		count, err := t.Currency.Decimals()
		if err != nil {
			return nil, err
		}
		total := pdfLine{bold: true, rule: i == 0}
		total.texts[5], total.texts[6] = string(appendMoney(nil, t.Minor, count)), string(t.Currency)
		if i == 0 {
			total.texts[0], total.texts[4] = "Total", strconv.FormatInt(uses, 10)
		}
		lines = append(lines, total)
	}
	return lines, nil
}

// statement is a PDF being made.
type statement struct {
	pdf      *fpdf.Fpdf
	degraded bool // a character could not be shown
	cut      bool // a name was too long
}

func newStatement(day Day, compressed bool) *statement {
	pdf := fpdf.New("L", "mm", "A4", "")
	pdf.SetCompression(compressed)
	pdf.SetCatalogSort(true)
	pdf.SetCreationDate(day.date())
	pdf.SetModificationDate(day.date())
	pdf.SetProducer("cloudlicenses", true)
	pdf.SetTitle("Overage statement", true)
	pdf.SetLang("en")
	pdf.SetMargins(margin, margin, margin)
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetCellMargin(1)
	pdf.AddUTF8FontFromBytes("statement", "", []byte(fontFile))
	pdf.SetFont("statement", "", fontSize)
	return &statement{pdf: pdf}
}

// fit returns what can be shown of a text in so many millimeters.
func (s *statement) fit(text string, width float64) string {
	text, degraded := shown(text)
	s.degraded = s.degraded || degraded
	room := width - 2*s.pdf.GetCellMargin()
	if s.pdf.GetStringWidth(text) <= room {
		return text
	}
	s.cut = true
	room -= s.pdf.GetStringWidth("…")
	for end, r := range text {
		if room -= s.pdf.GetStringWidth(string(r)); room < 0 {
			return text[:end] + "…"
		}
	}
	return text
}

func (s *statement) notes() (notes []pdfLine) {
	note := func(text string) {
		notes = append(notes, pdfLine{texts: [len(pdfColumns)]string{text}, note: true})
	}
	if s.degraded {
		note(string(missingGlyph) + " stands for a character that this document cannot show. The CSV and JSON exports have every name in full.")
	}
	if s.cut {
		note("… ends a name that is too long for its column. The CSV and JSON exports have every name in full.")
	}
	return notes
}

// print lays the lines out on pages. All have one height, so the number of
// pages is known before the first.
func (s *statement) print(heading [3]string, lines []pdfLine) {
	fit := func(height float64) int { return int((height - 2*margin - footHeight) / rowHeight) }
	first, other := fit(pageHeight-titleHeight)-1, fit(pageHeight)-1 // but for the head of the table
	pages := 1 + (max(0, len(lines)-first)+other-1)/other
	for page := 1; page <= pages; page++ {
		s.pdf.AddPage()
		room := other
		if page == 1 {
			room = first
			s.title(heading)
		}
		s.head()
		room = min(room, len(lines))
		for _, l := range lines[:room] {
			s.row(l)
		}
		lines = lines[room:]
		s.pdf.SetXY(margin, pageHeight-margin-rowHeight)
		s.text(pageWidth-2*margin, fmt.Sprintf("Page %d of %d", page, pages), "R", false)
	}
}

func (s *statement) title(heading [3]string) {
	s.pdf.SetFontSize(16)
	s.pdf.SetXY(margin, margin)
	s.text(pageWidth-2*margin, heading[0], "L", true)
	s.pdf.SetFontSize(fontSize)
	for i, text := range heading[1:] {
		s.pdf.SetXY(margin, margin+9+float64(i)*rowHeight)
		s.text(pageWidth-2*margin, text, "L", false)
	}
	s.pdf.SetXY(margin, margin+titleHeight)
}

// head prints the titles of the columns with a rule below.
func (s *statement) head() {
	l := pdfLine{bold: true}
	for i, c := range pdfColumns {
		l.texts[i] = c.title
	}
	s.row(l)
	s.rule()
}

func (s *statement) rule() {
	s.pdf.SetLineWidth(0.2)
	y := s.pdf.GetY()
	s.pdf.Line(margin, y, pageWidth-margin, y)
}

func (s *statement) row(l pdfLine) {
	if l.rule {
		s.rule()
	}
	y := s.pdf.GetY()
	if l.note {
		s.text(pageWidth-2*margin, l.texts[0], "L", false)
	} else {
		for i, c := range pdfColumns {
			s.text(c.width, l.texts[i], c.align, l.bold)
		}
	}
	s.pdf.SetXY(margin, y+rowHeight)
}

// text prints a cell. Bold is the one font with its outline drawn too.
func (s *statement) text(width float64, text, align string, bold bool) {
	if bold {
		s.pdf.SetLineWidth(boldness)
		s.pdf.SetTextRenderingMode(2)
		defer s.pdf.SetTextRenderingMode(0)
	}
	s.pdf.CellFormat(width, rowHeight, text, "", 0, align+"M", false, 0, "")
}
