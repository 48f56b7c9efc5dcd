package billing

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
)

// pdfTexts returns the texts of an uncompressed PDF in order, page by page.
func pdfTexts(t require.TestingT, document []byte) (pages [][]string) {
	shows := regexp.MustCompile(`(?s)BT [-0-9.]+ [-0-9.]+ Td \((.*?)\) ?Tj ET`)
	unescape := strings.NewReplacer(`\\`, `\`, `\(`, `(`, `\)`, `)`, `\r`, "\r")
	for _, stream := range regexp.MustCompile(`(?s)stream\n(.*?)endstream`).FindAllSubmatch(document, -1) {
		var texts []string
		for _, m := range shows.FindAllSubmatch(stream[1], -1) {
			raw := []byte(unescape.Replace(string(m[1])))
			units := make([]uint16, len(raw)/2)
			for i := range units {
				units[i] = binary.BigEndian.Uint16(raw[2*i:])
			}
			texts = append(texts, string(utf16.Decode(units)))
		}
		if len(texts) > 0 {
			pages = append(pages, texts)
		}
	}
	return pages
}

func pdfOf(t require.TestingT, e *Export, compressed bool, charges ...Charge) []byte {
	var b bytes.Buffer
	require.NoError(t, e.writePDF(&b, each(charges...), compressed))
	return b.Bytes()
}

func TestPDFShowsSeed(t *testing.T) {
	m, b := mercedes(t), bmw(t)
	document := pdfOf(t, november(t), false, Charge{m, uses(t, m, "2025-11", 44)}, Charge{b, uses(t, b, "2025-11", 12)})
	require.True(t, bytes.HasPrefix(document, []byte("%PDF-")))
	require.Equal(t, [][]string{{
		"Overage statement", "Vector Informatik GmbH (vector-de)", "Period 2025-11-01 to 2025-11-30 (UTC, both days included)",
		"Customer", "CRM account", "Product", "Month", "Overage checkouts", "Cost", "Currency",
		"Mercedes-Benz AG", "ACC-98765", "DaVinci Configurator SE", "2025-11", "44", "22000.00", "EUR",
		"BMW AG", "ACC-54321", "DaVinci Configurator SE", "2025-11", "12", "6000.00", "EUR",
		"Total", "56", "28000.00", "EUR", "Page 1 of 1",
	}}, pdfTexts(t, document))
	require.Contains(t, string(document), "/CreationDate (D:20251130000000")
}

// TestPDFIsIdentical also when several are made at once.
func TestPDFIsIdentical(t *testing.T) {
	m := mercedes(t)
	m.CustomerName = "Žluťoučký Ελλάς Ёж 東京 ﷺ 🚀"
	charge := Charge{m, uses(t, m, "2025-11", 44)}
	first := pdfOf(t, november(t), true, charge)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if !bytes.Equal(first, pdfOf(t, november(t), true, charge)) {
				t.Error("another document of the same input")
			}
		})
	}
	group.Wait()
}

func TestPDFDegradesVisibly(t *testing.T) {
	for name, want := range map[string]string{
		"Müller & Søn ŁÓDŹ": "Müller & Søn ŁÓDŹ", "Ελληνικά ΑΕ": "Ελληνικά ΑΕ", "ООО «Ромашка»": "ООО «Ромашка»", "Հայ ქართ €£¥": "Հայ ქართ €£¥",
		"東京エレクトロン": "□□□□□□□□", "ACME 🚀": "ACME □", "شركة": "□□□□", "a\u202eb": "a□b", "x\x00\ny": "x□□y", "a\xffb": "a□b", "a\u00a0b": "a b",
		strings.Repeat("W", 200): strings.Repeat("W", 20) + "…", `(\)`: `(\)`, "": "",
	} {
		m := mercedes(t)
		m.CustomerName = name
		pages := pdfTexts(t, pdfOf(t, november(t), false, Charge{m, uses(t, m, "2025-11", 44)}))
		texts := strings.Join(pages[0], "|")
		require.Contains(t, texts, "Currency|"+want)
		require.Equal(t, strings.Contains(want, "□"), strings.Contains(texts, "□ stands for"), name)
		require.Equal(t, strings.Contains(want, "…"), strings.Contains(texts, "… ends a name"), name)
	}
}

// TestPDFTakesAnyName: whatever a company is called, there is a document.
func TestPDFTakesAnyName(t *testing.T) {
	contract := mercedes(t)
	charge := Charge{contract, uses(t, contract, "2025-11", 44)}
	rapid.Check(t, func(t *rapid.T) {
		contract.CustomerName = rapid.String().Draw(t, "name")
		contract.ProductName = string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes"))
		contract.CRMAccount = strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "account"))
		var b bytes.Buffer
		require.NoError(t, (&Export{Vendor: "vector-de", Period: NewMonth(2025, 11).Days()}).WritePDF(&b, each(charge)))
	})
}

func TestPDFPages(t *testing.T) {
	charges := func(n int) (list []Charge) {
		for i := range n {
			c := mercedes(t)
			c.Tenant, c.CRMAccount = cl.TenantID(fmt.Sprintf("t%d", i)), fmt.Sprintf("ACC-%05d", i)
			if i%3 == 0 {
				c.Currency = "JPY"
			}
			list = append(list, Charge{c, uses(t, c, "2025-11", 2)})
		}
		return list
	}
	for n, pages := range map[int]int{0: 1, 1: 1, 24: 1, 25: 2, 54: 2, 55: 3, 200: 7} {
		got := pdfTexts(t, pdfOf(t, november(t), false, charges(n)...))
		require.Len(t, got, pages, "%d rows", n)
		accounts := 0
		for i, texts := range got {
			require.Equal(t, fmt.Sprintf("Page %d of %d", i+1, pages), texts[len(texts)-1])
			require.Contains(t, texts, "Customer")
			accounts += strings.Count(strings.Join(texts, " "), "ACC-")
		}
		require.Equal(t, n, accounts)
	}
	last := pdfTexts(t, pdfOf(t, november(t), false, charges(200)...))[6]
	require.Equal(t, []string{"Total", "400", "133000.00", "EUR", "6700000", "JPY", "Page 7 of 7"}, last[len(last)-7:])
	var b bytes.Buffer
	require.ErrorIs(t, november(t).WritePDF(&b, each(charges(cl.MaxPDFRows+1)...)), ErrTooLong)
	require.Zero(t, b.Len())
}

// TestPDFNumbersHaveRoom: the columns are wide enough for the largest amounts.
func TestPDFNumbersHaveRoom(t *testing.T) {
	s := newStatement(november(t).Period.End, true)
	width := 0.0
	for _, c := range pdfColumns {
		width += c.width
	}
	require.InDelta(t, pageWidth-2*margin, width, 1e-9)
	for column, text := range map[int]string{4: strconv.Itoa(math.MinInt64), 5: string(appendMoney(nil, math.MinInt64, 3)), 6: "WWW"} {
		require.Less(t, s.pdf.GetStringWidth(text), pdfColumns[column].width-2*s.pdf.GetCellMargin())
	}
}
