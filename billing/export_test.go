package billing

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
)

// each is a stream of charges.
func each(charges ...Charge) iter.Seq2[Charge, error] {
	return func(yield func(Charge, error) bool) {
		for _, c := range charges {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func november(t testing.TB) *Export {
	return &Export{Vendor: "vector-de", VendorName: "Vector Informatik GmbH", Period: period(t, "2025-11-01", "2025-11-30")}
}

func golden(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(b)
}

// pretty is the document as the seed prints one.
func pretty(t testing.TB, document []byte) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, document, "", "  "))
	return b.String()
}

func csvOf(t testing.TB, e *Export, charges iter.Seq2[Charge, error]) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, e.WriteCSV(&b, charges))
	return b.String()
}

func jsonOf(t testing.TB, e *Export, charges iter.Seq2[Charge, error]) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, e.WriteJSON(&b, charges))
	return b.Bytes()
}

// TestSeedExport: 44 checkouts at EUR 500.00 are 22000.00, with the commit fee
// 27000.00, and the documents are the seed's to the letter. Its JSON shows the
// first customer only, while its total is both's.
func TestSeedExport(t *testing.T) {
	m, b := mercedes(t), bmw(t)
	e := november(t)
	both := each(Charge{m, uses(t, m, "2025-11", 44)}, Charge{b, uses(t, b, "2025-11", 12)})
	require.Equal(t, golden(t, "seed_overage.csv"), csvOf(t, e, both))

	got := pretty(t, jsonOf(t, e, both))
	second := `,
    {
      "crm_account_id": "ACC-54321",
      "tenant_id": "bmw",
      "customer_name": "BMW AG",
      "products": [
        {
          "product_id": "davinci-configurator-se",
          "product_name": "DaVinci Configurator SE",
          "license_id": "lic-vector-bmw-2025-001",
          "overage_checkouts": 12,
          "overage_cost": 6000.00,
          "commit_fee": 5000.00,
          "total_billable": 11000.00
        }
      ]
    }`
	require.Contains(t, got, second)
	require.Equal(t, golden(t, "seed_overage.json"), strings.Replace(got, second, "", 1))
}

func TestExportRowsAreSummed(t *testing.T) {
	m := mercedes(t)
	m.End = day(t, "2025-11-15")
	renewed := mercedes(t)
	renewed.License, renewed.Start = "lic-vector-mercedes-2025-002", day(t, "2025-11-16")
	dollars := uses(t, m, "2025-11", 1)
	dollars.Currency = "USD"
	cheaper := uses(t, m, "2025-11", 2)
	cheaper.UnitPrice, cheaper.Minor = 400_00, 800_00
	back := OverageSum{License: m.License, Month: month(t, "2025-11"), Currency: "EUR", Uses: -3, Minor: -1500_01, Adjustment: true}
	e := &Export{Vendor: "vector-de", Period: period(t, "2025-10-01", "2025-11-30")}
	charges := each(
		Charge{renewed, uses(t, renewed, "2025-11", 4)}, Charge{m, dollars}, Charge{m, uses(t, m, "2025-11", 10)},
		Charge{m, cheaper}, Charge{m, uses(t, m, "2025-10", 5)}, Charge{m, back},
	)
	require.Equal(t, csvHeader+
		"ACC-98765,Mercedes-Benz AG,DaVinci Configurator SE,5,2500.00,EUR,2025-10\n"+
		"ACC-98765,Mercedes-Benz AG,DaVinci Configurator SE,13,6299.99,EUR,2025-11\n"+
		"ACC-98765,Mercedes-Benz AG,DaVinci Configurator SE,1,500.00,USD,2025-11\n", csvOf(t, e, charges))
	const entry = `{"product_id":"davinci-configurator-se","product_name":"DaVinci Configurator SE","license_id":"lic-vector-mercedes-2025-00`
	require.Equal(t, `{"vendor_id":"vector-de","period":{"start":"2025-10-01","end":"2025-11-30"},"total_overage_revenue":null,"currency":null,`+
		`"totals":[{"currency":"EUR","total_overage_revenue":8799.99},{"currency":"USD","total_overage_revenue":500.00}],"customers":[`+
		`{"crm_account_id":"ACC-98765","tenant_id":"mercedes","customer_name":"Mercedes-Benz AG","products":[`+
		entry+`1","overage_checkouts":14,"overage_cost":6799.99,"commit_fee":7500.00,"total_billable":14299.99,"currency":"EUR"},`+
		entry+`1","overage_checkouts":1,"overage_cost":500.00,"commit_fee":0.00,"total_billable":500.00,"currency":"USD"},`+
		entry+`2","overage_checkouts":4,"overage_cost":2000.00,"commit_fee":2500.00,"total_billable":4500.00,"currency":"EUR"}]}]}`+"\n",
		string(jsonOf(t, e, charges)))
}

func TestExportOfNothing(t *testing.T) {
	require.Equal(t, csvHeader, csvOf(t, november(t), each()))
	require.Equal(t, `{"vendor_id":"vector-de","period":{"start":"2025-11-01","end":"2025-11-30"},"total_overage_revenue":null,"currency":null,"totals":[],"customers":[]}`+"\n",
		string(jsonOf(t, november(t), each())))
}

func TestExportDecimals(t *testing.T) {
	yen, dinar := mercedes(t), bmw(t)
	yen.Currency, yen.Prices[0].OveragePerUse = "JPY", 1200
	dinar.Currency, dinar.Prices[0].OveragePerUse, dinar.CRMAccount = "BHD", 1_234, ""
	charges := each(Charge{yen, uses(t, yen, "2025-11", 1)}, Charge{dinar, uses(t, dinar, "2025-11", 1)})
	require.Equal(t, csvHeader+"ACC-98765,Mercedes-Benz AG,DaVinci Configurator SE,1,1200,JPY,2025-11\n"+
		",BMW AG,DaVinci Configurator SE,1,1.234,BHD,2025-11\n", csvOf(t, november(t), charges))
	document := string(jsonOf(t, november(t), charges))
	require.Contains(t, document, `"totals":[{"currency":"BHD","total_overage_revenue":1.234},{"currency":"JPY","total_overage_revenue":1200}]`)
	require.Contains(t, document, `{"crm_account_id":null,"tenant_id":"bmw"`)
	require.Contains(t, document, `"overage_cost":1200,"commit_fee":500000,"total_billable":501200,"currency":"JPY"`)
}

func TestExportRefusals(t *testing.T) {
	m, b := mercedes(t), bmw(t)
	good := Charge{m, uses(t, m, "2025-11", 44)}
	foreign := Charge{mercedes(t), good.Sum}
	foreign.Contract.Vendor = "greenhills"
	largest := good
	largest.Sum.UnitPrice, largest.Sum.Uses, largest.Sum.Minor = math.MaxInt64, 1, math.MaxInt64
	wrong, unknown := good, good
	wrong.Sum.Minor++
	unknown.Sum.Currency = "XXX"
	broken := errors.New("disk")
	once := true
	for name, c := range map[string]struct {
		charges  iter.Seq2[Charge, error]
		err      error
		jsonOnly bool
	}{
		"other vendor's":       {each(good, foreign), ErrForeign, false},
		"no contract":          {each(Charge{nil, good.Sum}), ErrContract, false},
		"another's contract":   {each(Charge{b, good.Sum}), ErrContract, false},
		"bad contract":         {each(Charge{&ContractLine{License: good.Sum.License, Vendor: "vector-de", Currency: "EUR"}, good.Sum}), ErrContract, false},
		"does not add up":      {each(wrong), ErrRecord, false},
		"unknown currency":     {each(unknown), cl.ErrCurrency, false},
		"another month":        {each(Charge{m, uses(t, m, "2025-12", 1)}), ErrPeriod, false},
		"customers in pieces":  {each(good, Charge{b, uses(t, b, "2025-11", 1)}, good), ErrOrder, false},
		"past the limit":       {each(largest, largest), ErrOverflow, false},
		"fee past the limit":   {each(largest), ErrOverflow, true},
		"the stream's own":     {func(yield func(Charge, error) bool) { _ = yield(good, nil) && yield(Charge{}, broken) }, broken, false},
		"not the same again":   {func(yield func(Charge, error) bool) { _ = once && yield(good, nil); once = false }, ErrUnstable, true},
		"total past the limit": {each(largest, Charge{b, uses(t, b, "2025-11", 1)}), ErrOverflow, true},
	} {
		require.ErrorIs(t, november(t).WriteJSON(io.Discard, c.charges), c.err, name)
		if !c.jsonOnly {
			require.ErrorIs(t, november(t).WriteCSV(io.Discard, c.charges), c.err, name)
			require.ErrorIs(t, november(t).WritePDF(io.Discard, c.charges), c.err, name)
		}
	}
	for _, e := range []*Export{{Vendor: "vector-de"}, {Vendor: "vector-de", Period: Range{5, 4}}} {
		require.ErrorIs(t, e.WriteCSV(io.Discard, each()), ErrRange)
		require.ErrorIs(t, e.WriteJSON(io.Discard, each()), ErrRange)
		require.ErrorIs(t, e.WritePDF(io.Discard, each()), ErrRange)
	}
}

// full is a writer whose disk is full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestExportTellsOfWriter(t *testing.T) {
	require.ErrorIs(t, november(t).WriteCSV(full{}, each()), io.ErrShortWrite)
	require.ErrorIs(t, november(t).WriteJSON(full{}, each()), io.ErrShortWrite)
	require.ErrorIs(t, november(t).WritePDF(full{}, each()), io.ErrShortWrite)
}

// TestCSVAndJSONAgree: what drawn records cost is the same in both documents,
// by customer, product and currency, and the same as the records say.
func TestCSVAndJSONAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contracts := map[cl.LicenseID]*ContractLine{}
		for i, id := range []cl.LicenseID{"lic-a", "lic-b", "lic-c"} {
			contracts[id] = &ContractLine{
				License: id, Vendor: "v", Tenant: cl.TenantID("t" + strconv.Itoa(i/2)), CRMAccount: "crm" + strconv.Itoa(i/2),
				Product: "p", Currency: "EUR", Prices: []Price{{From: 1}}, Start: 1, End: lastDay, Cycle: CycleMonthly,
				CustomerName: rapid.String().Draw(t, "name"),
			}
		}
		contracts["lic-b"].CustomerName = contracts["lic-a"].CustomerName
		list := anyRecords(t)
		e := &Export{Vendor: "v", Period: Range{NewDay(2025, 9, 1), NewDay(2025, 11, 30)}}
		sums, err := SumOverage(records(list...), e.Period)
		require.NoError(t, err)
		charges := func(yield func(Charge, error) bool) {
			for _, s := range sums {
				if !yield(Charge{contracts[s.License], s}, nil) {
					return
				}
			}
		}
		var table, document bytes.Buffer
		require.NoError(t, e.WriteCSV(&table, charges))
		require.NoError(t, e.WriteJSON(&document, charges))

		type key struct{ crm, name, currency string }
		fromCSV, fromJSON, exact := map[key]int64{}, map[key]int64{}, map[key]int64{}
		rows, err := csv.NewReader(&table).ReadAll()
		require.NoError(t, err)
		seen := map[[4]string]bool{}
		for _, row := range rows[1:] {
			require.False(t, seen[[4]string{row[0], row[2], row[5], row[6]}], "a row per customer, month, product and currency")
			seen[[4]string{row[0], row[2], row[5], row[6]}] = true
			fromCSV[key{row[0], unguardFormula(row[1]), row[5]}] += minorOf(t, row[4])
		}
		for _, r := range list {
			name := strings.ReplaceAll(validText(contracts[r.License].CustomerName), "\r\n", "\n") // as a CSV reader gives it
			exact[key{contracts[r.License].CRMAccount, name, string(r.Currency)}] += r.Minor
		}
		var read exportDocument
		decoder := json.NewDecoder(&document)
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&read))
		for _, c := range read.Customers {
			for _, p := range c.Products {
				currency := p.Currency
				if read.Currency != nil {
					currency = *read.Currency
				}
				fromJSON[key{c.CRM, strings.ReplaceAll(c.Name, "\r\n", "\n"), currency}] += minorOf(t, p.Cost.String())
			}
		}
		require.Equal(t, exact, fromCSV)
		require.Equal(t, exact, fromJSON)
		total := map[string]int64{}
		for k, minor := range exact {
			total[k.currency] += minor
		}
		if read.Currency != nil {
			require.Equal(t, total, map[string]int64{*read.Currency: minorOf(t, read.Revenue.String())})
			return
		}
		require.Len(t, read.Totals, len(total))
		for _, sum := range read.Totals {
			require.Equal(t, total[sum.Currency], minorOf(t, sum.Revenue.String()))
		}
	})
}

// exportDocument is the JSON as a client reads it.
type exportDocument struct {
	Vendor  string                      `json:"vendor_id"`
	Period  struct{ Start, End string } `json:"period"`
	Revenue *json.Number                `json:"total_overage_revenue"`

	Currency *string `json:"currency"`
	Totals   []struct {
		Currency string      `json:"currency"`
		Revenue  json.Number `json:"total_overage_revenue"`
	} `json:"totals"`
	Customers []struct {
		CRM      string `json:"crm_account_id"`
		Tenant   string `json:"tenant_id"`
		Name     string `json:"customer_name"`
		Products []struct {
			Product  string      `json:"product_id"`
			Name     string      `json:"product_name"`
			License  string      `json:"license_id"`
			Uses     int64       `json:"overage_checkouts"`
			Cost     json.Number `json:"overage_cost"`
			Fee      json.Number `json:"commit_fee"`
			Billable json.Number `json:"total_billable"`
			Currency string      `json:"currency"`
		} `json:"products"`
	} `json:"customers"`
}

// minorOf reads an amount back, whose decimals are all there.
func minorOf(t require.TestingT, text string) int64 {
	minor, err := strconv.ParseInt(strings.Replace(text, ".", "", 1), 10, 64)
	require.NoError(t, err)
	return minor
}

// TestLongCustomerIsCompacted: a customer with more sums than are held.
func TestLongCustomerIsCompacted(t *testing.T) {
	m := mercedes(t)
	second := mercedes(t)
	second.License = "lic-vector-mercedes-2025-002"
	const n = 3 * compactAt
	charges := func(yield func(Charge, error) bool) {
		for i := range n {
			c := []*ContractLine{m, second}[i%2]
			s := uses(t, c, "2025-11", 1)
			s.UnitPrice, s.Minor = int64(i), int64(i)
			if !yield(Charge{c, s}, nil) {
				return
			}
		}
	}
	require.Equal(t, csvHeader+"ACC-98765,Mercedes-Benz AG,DaVinci Configurator SE,12288,754913.28,EUR,2025-11\n", csvOf(t, november(t), charges))
}

func TestFormulaGuard(t *testing.T) {
	for name, field := range map[string]string{
		`=HYPERLINK("http://x","y")`: `"'=HYPERLINK(""http://x"",""y"")"`,
		"+49 AG":                     "'+49 AG", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)",
		"＝1": "'＝1", "  =1": "'  =1", "\t=1": "'\t=1", "\r=1": "\"'\r=1\"", "'=1": "''=1",
		"'s-Hertogenbosch BV": "'s-Hertogenbosch BV", "A=B": "A=B", "": "", " x": `" x"`,
		"Müller, Söhne & Co": `"Müller, Söhne & Co"`, "Say \"hi\"": `"Say ""hi"""`, "東京": "東京", "a\xffb": "a\uFFFDb",
	} {
		require.Equal(t, field, string(AppendCSVText(nil, name)), "%q", name)
		require.Equal(t, name, unguardFormula(guardFormula(name)))
	}
}

// FuzzCSVText: a reader of RFC 4180 gets every name back, and no field begins
// what a spreadsheet would run.
func FuzzCSVText(f *testing.F) {
	for _, s := range []string{"Mercedes-Benz AG", "=1+1", "'=1", " \t-2", "a,\"b\"\r\nc", "\xff", "\ufeff=1", "''", "+", "\u200b@x", `\.`} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, name, product string) {
		line := append(AppendCSVText(append(AppendCSVText(nil, name), ','), product), ",end\n"...)
		rows, err := csv.NewReader(bytes.NewReader(line)).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Len(t, rows[0], 3)
		for i, text := range []string{name, product} {
			want := strings.ReplaceAll(validText(text), "\r\n", "\n") // the reader's own doing
			require.Equal(t, want, unguardFormula(rows[0][i]))
			if begins := strings.TrimLeft(rows[0][i], " "); begins != "" {
				require.NotContains(t, "=+-@\t\r\n", begins[:1])
			}
		}
	})
}

// FuzzText: every text is a JSON string that reads back.
func FuzzText(f *testing.F) {
	for _, s := range []string{"Mercedes & Co <x>", "\x00\x1f\x7f", "\"\\", "\u2028", "\xff\xfe", "東京"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		require.NoError(t, json.Unmarshal(appendText(nil, text), &got))
		require.Equal(t, validText(text), got)
	})
}

// many is a stream of n sums: 100 customers a thousand, 10 sums each.
func many(t testing.TB, n int) iter.Seq2[Charge, error] {
	customers := make([]*ContractLine, n/10)
	for i := range customers {
		c := *mercedes(t)
		c.License, c.Tenant, c.CRMAccount = cl.LicenseID("lic-"+strconv.Itoa(i)), cl.TenantID("t-"+strconv.Itoa(i)), "ACC-"+strconv.Itoa(i)
		customers[i] = &c
	}
	january := month(t, "2025-01")
	return func(yield func(Charge, error) bool) {
		for i := range n {
			c := customers[i/10]
			s := OverageSum{License: c.License, Month: january + Month(i%10), Currency: "EUR", UnitPrice: 500_00, Uses: 3, Minor: 1500_00}
			if !yield(Charge{c, s}, nil) {
				return
			}
		}
	}
}

// TestExportAllocates: memory grows with customers, not with sums.
func TestExportAllocates(t *testing.T) {
	e := &Export{Vendor: "vector-de", Period: period(t, "2025-01-01", "2025-12-31")}
	charges := many(t, 20_000)
	perSum := func(write func(io.Writer, iter.Seq2[Charge, error]) error) float64 {
		return testing.AllocsPerRun(1, func() { require.NoError(t, write(io.Discard, charges)) }) / 20_000
	}
	require.Less(t, perSum(e.WriteCSV), 0.1)
	require.Less(t, perSum(e.WriteJSON), 0.1)
}

// BenchmarkExport writes 1,000,000 overage sums of 100,000 customers.
func BenchmarkExport(b *testing.B) {
	const n = 1_000_000
	e := &Export{Vendor: "vector-de", Period: period(b, "2025-01-01", "2025-12-31")}
	charges := many(b, n)
	for name, write := range map[string]func(io.Writer, iter.Seq2[Charge, error]) error{"csv": e.WriteCSV, "json": e.WriteJSON} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, write(io.Discard, charges))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/sum")
		})
	}
}
