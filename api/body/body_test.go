package body

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

var jsonSeeds = []string{
	`{}`, `[]`, `null`, `true`, `0`, `-0.5e+10`, `""`, `"\u00e9\ud83d\ude00\n"`, `{"a":{"b":[1,2,{"c":null}]}}`,
	`{"product_id":"cad","user":"alice","count":2,"metadata":{"x":[1]}}`, `{"lease_id":"lease-1"}`,
	`{"operations":[{"op":"return","lease_id":"lease-1"},{"op":"checkout","product_id":"p","user":"u","idempotency_key":"k"}]}`,
	` { "a" : 1 } `, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[1,]`, `{,}`, `01`, `1.`, `.5`, `"\x"`, `"` + "\x01" + `"`, `"\ud800"`, `nul`,
	strings.Repeat("[", 33) + strings.Repeat("]", 33), "\xff", `{"a":1}x`, `{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1,"1":2}`,
}

// FuzzJSON compares the reader with encoding/json: what it accepts is JSON,
// and what it refuses beyond that has one of the faults it is there for.
func FuzzJSON(f *testing.F) {
	for _, seed := range jsonSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var r Reader
		r.Reset(text)
		r.Skip()
		r.End()
		if !r.Failed() {
			require.True(t, json.Valid(text), "accepted, and is no JSON")
			r.Reset(text)
			r.hash()
			r.End()
			require.False(t, r.Failed(), "hashing stumbles over a valid text: %s", r.Problem)
			return
		}
		if json.Valid(text) && utf8.Valid(text) {
			for _, reason := range []string{"duplicate member", "nested deeper", "invalid escape"} {
				if strings.Contains(r.Problem, reason) {
					return
				}
			}
			t.Fatalf("refused, and is JSON: %s", r.Problem)
		}
	})
}

// FuzzBodies decodes bodies as each operation; what decodes without an error
// holds encoding/json's values.
func FuzzBodies(f *testing.F) {
	for _, seed := range jsonSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var d Decoder
		var o Operation
		d.DecodeOperation(body, Checkout, &o)
		if !d.Failed() && len(d.Invalid) == 0 {
			var want struct {
				Product  string          `json:"product_id"`
				User     string          `json:"user"`
				Vendor   string          `json:"vendor_id"`
				Count    *json.Number    `json:"count"`
				Metadata json.RawMessage `json:"metadata"`
			}
			require.NoError(t, json.Unmarshal(body, &want))
			require.Equal(t, want.Product, string(o.Product))
			require.Equal(t, want.User, string(o.User))
			require.Equal(t, want.Vendor, string(o.Vendor))
			require.Equal(t, string(want.Metadata), string(o.Metadata))
			hash := o.Hash()
			var again Operation
			d.DecodeOperation(body, Checkout, &again)
			require.Equal(t, hash, again.Hash())
		}
		d.DecodeOperation(body, Heartbeat, &o)
		d.DecodeOperation(body, Return, &o)
		ops := d.DecodeBatch(body, nil)
		if !d.Failed() && len(d.Invalid) == 0 {
			require.True(t, json.Valid(body))
			require.NotEmpty(t, ops)
			for i := range ops {
				require.True(t, ops[i].Kind != None || len(ops[i].Invalid) > 0)
			}
		}
	})
}

func TestBodyHash(t *testing.T) {
	hash := func(body string) uint64 {
		var d Decoder
		var o Operation
		d.DecodeOperation([]byte(body), Checkout, &o)
		require.False(t, d.Failed(), d.Problem)
		require.Empty(t, d.Invalid)
		return o.Hash()
	}
	base := hash(`{"product_id":"p","user":"u","metadata":{"a":1,"b":[true,null,"x"]}}`)
	require.Equal(t, base, hash(` {"metadata":{"b":[ true,null,"\u0078" ],"a":1},"user":"u","count":1,"product_id":"p","token":false}`))
	for _, other := range []string{
		`{"product_id":"p","user":"u"}`,
		`{"product_id":"pu","user":"u","metadata":{"a":1,"b":[true,null,"x"]}}`,
		`{"product_id":"p","user":"u","metadata":{"b":1,"a":[true,null,"x"]}}`,
		`{"product_id":"p","user":"u","metadata":{"a":1,"b":[null,true,"x"]}}`,
		`{"product_id":"p","user":"u","metadata":{"a":1,"b":[true,null,"x"]},"count":2}`,
		`{"product_id":"p","user":"u","metadata":{"a":1,"b":[true,null,"x"]},"token":true}`,
		`{"product_id":"p","user":"u","metadata":{"a":1,"b":[true,null,"x"]},"vendor_id":"v"}`,
		`{"product_id":"p","user":"u","metadata":{"a":1,"b":[true,null,"x"]},"version":"1.0.0"}`,
	} {
		require.NotEqual(t, base, hash(other), other)
	}
	require.NotEqual(t, hash(`{"product_id":"p","user":"u"}`), hash(`{"product_id":"p","user":"u","metadata":{}}`))
}

func BenchmarkDecodeCheckout(b *testing.B) {
	body := []byte(`{"product_id":"davinci-configurator-se","user":"alice@mercedes.com","ttl_seconds":300}`)
	var d Decoder
	var o Operation
	b.ReportAllocs()
	for b.Loop() {
		if d.DecodeOperation(body, Checkout, &o); d.Failed() {
			b.Fatal(d.Problem)
		}
	}
}
