package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	pathCheckout  = "/api/v1/licenses/checkout"
	pathHeartbeat = "/api/v1/licenses/heartbeat"
	pathReturn    = "/api/v1/licenses/return"
	pathBatch     = "/api/v1/licenses/batch"
)

func TestCheckoutHeartbeatReturn(t *testing.T) {
	p := newPool(t, 1, 1)
	before := time.Now().Add(-time.Second)
	first := p.checkout("alice@example.com").wants(t, 201, "")
	require.Equal(t, "lease-1", first.text("lease_id"))
	require.Equal(t, string(p.license), first.text("license_id"))
	require.Equal(t, "cad", first.text("product_id"))
	require.Equal(t, "alice@example.com", first.text("user"))
	require.Equal(t, "commit", first.text("type"))
	require.EqualValues(t, "1", first.body["count"])
	require.EqualValues(t, "0", first.body["overage_count"])
	require.EqualValues(t, "100", first.body["heartbeat_seconds"])
	require.NotContains(t, first.body, "token")
	require.NotEmpty(t, first.Header.Get(headerApplied))
	require.Empty(t, first.Header.Get(headerReplayed))
	issued, err := time.Parse(time.RFC3339Nano, first.text("issued_at"))
	require.NoError(t, err)
	require.True(t, issued.After(before))
	require.True(t, strings.HasSuffix(first.text("issued_at"), "Z"))
	expires, err := time.Parse(time.RFC3339Nano, first.text("expires_at"))
	require.NoError(t, err)
	require.Equal(t, 300*time.Second, expires.Sub(issued))

	second := p.checkout("bob").wants(t, 201, "")
	require.Equal(t, "overage", second.text("type"))
	require.EqualValues(t, "1", second.body["overage_count"])
	refused := p.checkout("carol").wants(t, 409, "overage_max_exceeded")
	require.NotEmpty(t, refused.Header.Get(headerApplied), "a reader sees what the refusal was for")

	beat := p.post(pathHeartbeat, `{"lease_id":"lease-1"}`).wants(t, 200, "")
	require.Equal(t, "lease-1", beat.text("lease_id"))
	require.Len(t, beat.body, 2)

	back := p.post(pathReturn, `{"lease_id":"lease-1"}`).wants(t, 200, "")
	require.Equal(t, "returned", back.text("reason"))
	require.Equal(t, "commit", back.text("type"))
	require.Equal(t, string(p.license), back.text("license_id"))
	require.Len(t, back.body, 5)
	again := p.post(pathReturn, `{"lease_id":"lease-1"}`).wants(t, 200, "")
	require.Equal(t, back.body, again.body, "a repeated return repeats its reply")
	p.post(pathHeartbeat, `{"lease_id":"lease-1"}`).wants(t, 410, "lease_released")

	third := p.checkout("carol").wants(t, 201, "")
	require.Equal(t, "commit", third.text("type"), "a committed seat is free again")
	p.post(pathReturn, `{"lease_id":"lease-99"}`).wants(t, 404, "lease_not_found")
	p.post(pathReturn, `{"lease_id":"nonsense"}`).wants(t, 404, "lease_not_found")
}

func TestCheckoutRefusals(t *testing.T) {
	p := newPool(t, 2, 0)
	ask := func(body string) *reply { return p.post(pathCheckout, body) }
	ask(`{"product_id":"nope","user":"u"}`).wants(t, 404, "product_not_found")
	ask(`{"product_id":"cad","user":"u","version":"7.9.9"}`).wants(t, 422, "version_not_allowed")
	ask(`{"product_id":"cad","user":"u","count":3}`).wants(t, 409, "license_unavailable")
	r := ask(`{"product_id":"cad","user":"u","version":"8.1.0","count":2,"ttl_seconds":60,"metadata":{"a":[1,{"b":null}]},"vendor_id":"operator","allow_overage":false}`)
	r.wants(t, 201, "")
	require.EqualValues(t, "20", r.body["heartbeat_seconds"])
	require.EqualValues(t, "2", r.body["count"])
}

// TestInvalidBodies: 400 for what is no request, 422 with pointers for what
// is one with wrong values.
func TestInvalidBodies(t *testing.T) {
	p := newPool(t, 1, 0)
	deep := strings.Repeat(`{"a":`, 32) + `1` + strings.Repeat(`}`, 32)
	for _, c := range []struct {
		body     string
		status   int
		pointers []string
	}{
		{``, 400, nil},
		{`{`, 400, nil},
		{`{"product_id":"cad","user":"u"`, 400, nil},
		{`{"product_id":"cad","user":"u"}x`, 400, nil},
		{`{"product_id":"cad","user":"u"}{}`, 400, nil},
		{`{"product_id":"cad","user":"u",}`, 400, nil},
		{`{"product_id":"cad" "user":"u"}`, 400, nil},
		{`{'product_id':"cad"}`, 400, nil},
		{`{"product_id":"cad","user":"u","more":1}`, 400, nil},
		{`{"product_id":"cad","user":"u","Count":1}`, 400, nil},
		{`{"product_id":"cad","user":"u","lease_id":"lease-1"}`, 400, nil},
		{`{"product_id":"cad","user":"u","user":"u"}`, 400, nil},
		{`{"product_id":"cad","user":"u","us\u0065r":"u"}`, 400, nil},
		{`{"product_id":"cad","user":"u","metadata":{"a":1,"a":2}}`, 400, nil},
		{`{"product_id":"cad","user":"u","metadata":{"b":{"a":1,"\u0061":2}}}`, 400, nil},
		{"{\"product_id\":\"cad\",\"user\":\"\xff\"}", 400, nil},
		{"{\"product_id\":\"cad\",\"user\":\"a\nb\"}", 400, nil},
		{`{"product_id":"cad","user":"\ud800"}`, 400, nil},
		{`{"product_id":"cad","user":"\ud800\u0041"}`, 400, nil},
		{`{"product_id":"cad","user":"\x41"}`, 400, nil},
		{`{"product_id":"cad","user":"u","count":01}`, 400, nil},
		{`{"product_id":"cad","user":"u","count":+1}`, 400, nil},
		{`{"product_id":"cad","user":"u","count":1.}`, 400, nil},
		{`{"product_id":"cad","user":"u","count":NaN}`, 400, nil},
		{`{"product_id":"cad","user":"u","token":True}`, 400, nil},
		{"\ufeff" + `{"product_id":"cad","user":"u"}`, 400, nil},
		{`{"product_id":"cad","user":"u","metadata":` + deep + `}`, 400, nil},
		{`[]`, 422, []string{""}},
		{`null`, 422, []string{""}},
		{`{}`, 422, []string{"/product_id", "/user"}},
		{`{"product_id":"cad"}`, 422, []string{"/user"}},
		{`{"product_id":null,"user":"u"}`, 422, []string{"/product_id"}},
		{`{"product_id":1,"user":["u",{"a":1}]}`, 422, []string{"/product_id", "/user"}},
		{`{"product_id":"","user":""}`, 422, []string{"/product_id", "/user"}},
		{`{"product_id":"a b","user":"u"}`, 422, []string{"/product_id"}},
		{`{"product_id":"` + strings.Repeat("p", 101) + `","user":"` + strings.Repeat("ü", 257) + `"}`, 422, []string{"/product_id", "/user"}},
		{`{"product_id":"cad","user":"a\u0000b","vendor_id":null}`, 422, []string{"/user", "/vendor_id"}},
		{`{"product_id":"cad","user":"u","version":"no version"}`, 422, []string{"/version"}},
		{`{"product_id":"cad","user":"u","count":0}`, 422, []string{"/count"}},
		{`{"product_id":"cad","user":"u","count":1.5}`, 422, []string{"/count"}},
		{`{"product_id":"cad","user":"u","count":-1}`, 422, []string{"/count"}},
		{`{"product_id":"cad","user":"u","count":1e999}`, 422, []string{"/count"}},
		{`{"product_id":"cad","user":"u","count":99999999999999999999}`, 422, []string{"/count"}},
		{`{"product_id":"cad","user":"u","count":"1"}`, 422, []string{"/count"}},
		{`{"product_id":"cad","user":"u","ttl_seconds":59}`, 422, []string{"/ttl_seconds"}},
		{`{"product_id":"cad","user":"u","ttl_seconds":86401}`, 422, []string{"/ttl_seconds"}},
		{`{"product_id":"cad","user":"u","allow_overage":1,"token":"true"}`, 422, []string{"/allow_overage", "/token"}},
		{`{"product_id":"cad","user":"u","metadata":[]}`, 422, []string{"/metadata"}},
		{`{"product_id":"cad","user":"u","metadata":{"a":"` + strings.Repeat("x", 4096) + `"}}`, 422, []string{"/metadata"}},
	} {
		r := p.post(pathCheckout, c.body)
		if c.status == 400 {
			r.wants(t, 400, "malformed_request")
			continue
		}
		r.wants(t, 422, "invalid_field")
		var pointers []string
		for _, e := range r.body["errors"].([]any) {
			pointers = append(pointers, e.(map[string]any)["pointer"].(string))
			require.NotEmpty(t, e.(map[string]any)["detail"])
		}
		require.Equal(t, c.pointers, pointers, c.body)
		if valid, _ := validRequest("POST", "x.localhost", pathCheckout, c.body); valid {
			known := strings.Contains(c.body, strings.Repeat("x", 4096)) || strings.Contains(c.body, "no version")
			require.True(t, known, "openapi.yaml allows what is refused: %s", c.body)
		}
	}
	p.post(pathHeartbeat, `{}`).wants(t, 422, "invalid_field")
	p.post(pathHeartbeat, `{"lease_id":"lease-1","user":"u"}`).wants(t, 400, "malformed_request")
	p.post(pathReturn, `{"lease_id":"lease-1","token":true}`).wants(t, 400, "malformed_request")
	p.post(pathCheckout, `{"product_id":"cad","user":"`+strings.Repeat("ü", 256)+`","count":1.0,"ttl_seconds":6e1}`,
		header{"Content-Type", "multipart/form-data; boundary=x"}).wants(t, 201, "")
}

func TestBodyTooLarge(t *testing.T) {
	p := newPool(t, 1, 0)
	p.post(pathCheckout, strings.Repeat(" ", 1<<20+1)).wants(t, 413, "body_too_large")
	p.post(pathCheckout, strings.Repeat(" ", 4<<20)).wants(t, 413, "body_too_large")
	p.post(pathCheckout, `{"product_id":"cad","user":"u"}`+strings.Repeat(" ", 1<<20-31)).wants(t, 201, "")
	require.Equal(t, 431, send(t, live.edge, "localhost", "GET", "/openapi.yaml", "", header{"X-Large", strings.Repeat("a", 17<<10)}).StatusCode)
}

func TestIdempotency(t *testing.T) {
	p := newPool(t, 5, 0)
	key := header{headerIdempotency, "intent-1"}
	first := p.checkout("alice", key).wants(t, 201, "")
	require.Empty(t, first.Header.Get(headerReplayed))
	again := p.post(pathCheckout, `{ "user" : "\u0061lice", "count": 1, "product_id":"cad","ttl_seconds":300 }`, key).wants(t, 201, "")
	require.Equal(t, "true", again.Header.Get(headerReplayed))
	require.Equal(t, first.body, again.body, "a decoded body that is equal gets the first reply")
	p.checkout("bob", key).wants(t, 422, "idempotency_key_reused")
	other := p.checkout("alice", header{headerIdempotency, "intent-2"}).wants(t, 201, "")
	require.NotEqual(t, first.text("lease_id"), other.text("lease_id"))
	unkeyed := p.checkout("alice").wants(t, 201, "")
	require.NotEqual(t, first.text("lease_id"), unkeyed.text("lease_id"))
	p.checkout("alice", header{headerIdempotency, strings.Repeat("k", 256)}).wants(t, 422, "invalid_field")
	// An empty one, which net/http would not send by itself.
	responses := exchange(t, live.edge, fmt.Sprintf(
		"POST %s HTTP/1.1\r\nHost: %s.localhost\r\nAuthorization: Bearer %s\r\nIdempotency-Key:\r\nContent-Length: 31\r\n\r\n%s",
		pathCheckout, p.tenant, p.key, `{"product_id":"cad","user":"u"}`))
	require.Len(t, responses, 1)
	require.Equal(t, 422, responses[0].StatusCode)

	refused := newPool(t, 1, 0)
	held := refused.checkout("alice").wants(t, 201, "")
	refused.checkout("bob", key).wants(t, 409, "license_unavailable")
	refused.post(pathReturn, `{"lease_id":"`+held.text("lease_id")+`"}`).wants(t, 200, "")
	refused.checkout("bob", key).wants(t, 201, "")
}

func TestBatch(t *testing.T) {
	p := newPool(t, 2, 0)
	r := p.post(pathBatch, `{"operations":[
		{"op":"checkout","product_id":"cad","user":"a","idempotency_key":"k1","token":true},
		{"op":"heartbeat","lease_id":"lease-1"},
		{"op":"checkout","product_id":"cad"},
		{"op":"checkout","product_id":"cad","user":"b"},
		{"op":"checkout","product_id":"cad","user":"c"},
		{"op":"fly"},
		{},
		{"op":"return","lease_id":"lease-1"},
		{"op":"checkout","product_id":"cad","user":"c","ttl_seconds":1},
		{"op":"checkout","product_id":"cad","user":"c"},
		{"op":"return","lease_id":"lease-77"}]}`).wants(t, 200, "")
	results := r.body["results"].([]any)
	var got []string
	for _, result := range results {
		m := result.(map[string]any)
		code, _ := m["code"].(string)
		got = append(got, fmt.Sprint(m["status"], " ", code))
	}
	require.Equal(t, []string{
		"201 ", "200 ", "422 invalid_field", "201 ", "409 license_unavailable", "422 invalid_field", "422 invalid_field",
		"200 ", "422 invalid_field", "201 ", "404 lease_not_found",
	}, got)
	require.NotEmpty(t, results[0].(map[string]any)["token"])
	require.Equal(t, "/operations/2/user", results[2].(map[string]any)["errors"].([]any)[0].(map[string]any)["pointer"])
	require.NotEmpty(t, r.Header.Get(headerApplied))

	replay := p.post(pathBatch, `{"operations":[{"op":"checkout","product_id":"cad","user":"a","idempotency_key":"k1","token":true}]}`).wants(t, 200, "")
	first := replay.body["results"].([]any)[0].(map[string]any)
	require.Equal(t, "lease-1", first["lease_id"])
	require.Equal(t, true, first["replayed"])

	for body, status := range map[string]int{
		`{"operations":[]}`:                      422,
		`{}`:                                     422,
		`{"operations":{}}`:                      422,
		`{"operations":[1]}`:                     200,
		`{"operations":[{"op":"return","x":1}]}`: 400,
		`{"operations":[{"op":"return","user":1}]}`:                                        400,
		`{"operations":[],"operations":[]}`:                                                400,
		`{"operations":[{"op":"return","op":"return","lease_id":"lease-1"}]}`:              400,
		`{"operations":[` + strings.Repeat(`{"op":"fly"},`, 1000) + `{"op":"fly"}]}`:       422,
		`{"operations":[` + strings.Repeat(`{"op":"fly"},`, 999) + `{"op":"fly"}]}`:        200,
		`{"operations":[` + strings.Repeat(`{"op":"fly"},`, 2000) + `{"op":"fly"`:          400,
		`{"operations":[{"op":"checkout","product_id":"cad","user":"a","lease_id":"l1"}]}`: 400,
	} {
		r := p.post(pathBatch, body)
		require.Equal(t, status, r.StatusCode, "%.60s → %.200s", body, r.raw)
	}
}

// TestBatchRepeats: a whole batch repeated with one Idempotency-Key header
// grants nothing twice.
func TestBatchRepeats(t *testing.T) {
	p := newPool(t, 5, 0)
	body := `{"operations":[{"op":"checkout","product_id":"cad","user":"a"},{"op":"checkout","product_id":"cad","user":"a"}]}`
	ids := func(r *reply) (ids []any) {
		for _, result := range r.wants(t, 200, "").body["results"].([]any) {
			ids = append(ids, result.(map[string]any)["lease_id"])
		}
		return ids
	}
	first := ids(p.post(pathBatch, body, header{headerIdempotency, "b"}))
	require.NotEqual(t, first[0], first[1])
	require.Equal(t, first, ids(p.post(pathBatch, body, header{headerIdempotency, "b"})))
	require.NotEqual(t, first, ids(p.post(pathBatch, body)))
}

func TestLists(t *testing.T) {
	p := newPool(t, 2, 3)
	p.checkout("alice", header{headerHostname, "ws-1"}).wants(t, 201, "")
	written := p.post(pathCheckout, `{"product_id":"cad","user":"bob \"x\" <b>","count":2}`).wants(t, 201, "")
	min := header{headerMinIndex, written.Header.Get(headerApplied)}

	one := p.do("GET", "/api/v1/licenses/"+string(p.license), "", min).wants(t, 200, "")
	require.NotEmpty(t, one.Header.Get(headerApplied))
	require.NotEmpty(t, one.Header.Get(headerStaleness))
	for name, want := range map[string]string{
		"total_licenses": "5", "commit_qty": "2", "max_overage": "3", "in_use": "3", "commit_in_use": "2", "overage_in_use": "1", "available": "2",
	} {
		require.EqualValues(t, want, one.body[name], name)
	}
	require.Equal(t, ">=8.0.0", one.text("version"))
	require.Equal(t, "provisioned", one.text("status"))
	require.Equal(t, "operator", one.text("vendor_id"))
	require.Equal(t, fmt.Sprintf("%d-01-01", time.Now().UTC().Year()), one.text("start_date"))
	require.Nil(t, one.body["end_date"])
	all := p.do("GET", "/api/v1/licenses?consistency=linearizable", "").wants(t, 200, "")
	require.Equal(t, []any{one.body}, all.body["items"])
	require.Nil(t, all.body["next_cursor"])
	require.Equal(t, "0", all.Header.Get(headerStaleness))

	page := p.do("GET", "/api/v1/leases?limit=1", "", min).wants(t, 200, "")
	require.Len(t, page.body["items"], 1)
	next := p.do("GET", "/api/v1/leases?limit=1&cursor="+page.text("next_cursor"), "", min).wants(t, 200, "")
	lease := next.body["items"].([]any)[0].(map[string]any)
	require.Equal(t, `bob "x" <b>`, lease["user"])
	require.Equal(t, "overage", lease["type"])
	require.EqualValues(t, "1", lease["overage_count"])
	require.Len(t, p.do("GET", "/api/v1/leases?user=alice", "", min).wants(t, 200, "").body["items"], 1)
	require.Empty(t, p.do("GET", "/api/v1/leases?license_id=none", "", min).wants(t, 200, "").body["items"])

	p.do("GET", "/api/v1/licenses/lic-none", "").wants(t, 404, "not_found")
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "limit=", "consistency=strong", "cursor=" + strings.Repeat("c", 101)} {
		p.do("GET", "/api/v1/licenses?"+query, "").wants(t, 422, "invalid_field")
	}
	for _, query := range []string{"user=%zz", "user=%ff", "user=%"} {
		p.do("GET", "/api/v1/leases?"+query, "").wants(t, 400, "malformed_request")
	}
	junk := p.do("GET", "/api/v1/leases?cursor=junk", "").wants(t, 422, "invalid_field")
	require.Equal(t, "cursor", junk.body["errors"].([]any)[0].(map[string]any)["parameter"])
	p.do("GET", "/api/v1/leases", "", header{headerMinIndex, "nonsense"}).wants(t, 422, "invalid_field")
	head := p.do("HEAD", "/api/v1/licenses", "").wants(t, 200, "")
	require.Empty(t, head.raw)
	post := p.do("POST", "/api/v1/licenses", "").wants(t, 405, "method_not_allowed")
	require.Equal(t, "GET, HEAD", post.Header.Get("Allow"))
}
