package billing

import (
	"bytes"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// csvHeader is the seed's, to the letter.
const csvHeader = "CRM_Account_ID,Customer_Name,Product,Total_Overage_Checkouts,Total_Cost,Currency,Billing_Period\n"

// flushAt is from how many bytes on a document's buffer is written out.
const flushAt = 32 << 10

// WriteCSV writes the export in UTF-8 without a byte-order mark: the seed's
// header, then a row for each customer, month, product and currency. Money has
// the currency's own decimals. Quoting is RFC 4180's; lines end in LF, as the
// seed prints them, which every reader of RFC 4180 takes for the line's end.
//
// Texts that a spreadsheet would run as a formula begin with an apostrophe,
// which spreadsheets take for "this is text": see guardFormula. Numbers are
// ours and are not guarded, so a negative cost stays a number.
//
// Errors: see Export.
func (e *Export) WriteCSV(w io.Writer, charges iter.Seq2[Charge, error]) error {
	if err := e.Period.Validate(); err != nil {
		return err
	}
	b := append(make([]byte, 0, flushAt+4096), csvHeader...)
	var known decimals
	for row, err := range e.rows(charges) {
		if err != nil {
			return err
		}
		count, err := known.of(row.currency)
		if err != nil {
			return err
		}
		b = append(AppendCSVText(b, row.contract.CRMAccount), ',')
		b = append(AppendCSVText(b, row.contract.CustomerName), ',')
		b = append(AppendCSVText(b, row.contract.ProductName), ',')
		b = append(strconv.AppendInt(b, row.uses, 10), ',')
		b = append(appendMoney(b, row.minor, count), ',')
		b = append(append(b, row.currency...), ',')
		b = append(row.month.append(b), '\n')
		if b, err = flush(w, b, flushAt); err != nil {
			return err
		}
	}
	_, err := flush(w, b, 0)
	return err
}

// flush writes b out once it has that many bytes.
func flush(w io.Writer, b []byte, from int) ([]byte, error) {
	if len(b) < from {
		return b, nil
	}
	_, err := w.Write(b)
	return b[:0], err
}

// AppendCSVText appends a guarded text as a field of RFC 4180: in quotes where
// it has a comma, a quote, a line break, or a space at its edge that some
// readers would trim. Bytes that are not UTF-8 become U+FFFD, as in JSON.
func AppendCSVText(b []byte, text string) []byte {
	text = guardFormula(validText(text))
	if text == "" {
		return b
	}
	edge := text[0] == ' ' || text[len(text)-1] == ' '
	if !edge && !strings.ContainsAny(text, ",\"\r\n") {
		return append(b, text...)
	}
	b = append(b, '"')
	for {
		i := strings.IndexByte(text, '"')
		if i < 0 {
			return append(append(b, text...), '"')
		}
		b = append(append(b, text[:i]...), '"', '"')
		text = text[i+1:]
	}
}

// guardFormula puts an apostrophe before a text whose first character, blanks
// and apostrophes aside, is one that spreadsheets begin a formula or a command
// with: = + - @ and their full-width forms, or before which a tab or a line
// break stands (OWASP, "CSV Injection"). unguardFormula takes it away, so no
// two texts become one.
func guardFormula(text string) string {
	if isFormula(text) {
		return "'" + text
	}
	return text
}

// unguardFormula is the reverse of guardFormula.
func unguardFormula(text string) string {
	if rest, ok := strings.CutPrefix(text, "'"); ok && isFormula(rest) {
		return rest
	}
	return text
}

func isFormula(text string) bool {
	for _, r := range text {
		switch r {
		case '=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n', '\v', '\f', 0:
			return true
		case '\'', '\u200b', '\ufeff':
			continue
		}
		if !unicode.IsSpace(r) {
			return false
		}
	}
	return false
}

// validText replaces every byte that is not UTF-8 by U+FFFD.
func validText(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return string(bytes.Runes([]byte(text)))
}
