package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// anything stands in an expected text for whatever is there: ids, times, tokens.
const anything = "…"

// likeText reports whether got is want, in which "…" stands for anything within
// a line.
func likeText(want, got string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), anything, `.+`)
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(got)
}

// parseJSON decodes a JSON text; its numbers stay as they are written, since money
// has its decimals. False: it is none.
func parseJSON(text []byte) (v any, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return v, decoder.Decode(&v) == nil && !decoder.More()
}

// differences names where got differs from want, by JSON pointers: members are
// the same, no more and no fewer, and a text of want may hold "…".
func differences(at string, want, got any) (all []string) {
	differ := func() []string { return []string{fmt.Sprintf("%s: %v, want %v", at, got, want)} }
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return differ()
		}
		for name, value := range want {
			if there, ok := object[name]; ok {
				all = append(all, differences(at+"/"+name, value, there)...)
			} else {
				all = append(all, at+"/"+name+" is missing")
			}
		}
		for name := range object {
			if _, ok := want[name]; !ok {
				all = append(all, at+"/"+name+" is there")
			}
		}
		slices.Sort(all)
		return all
	case []any:
		array, ok := got.([]any)
		if !ok || len(array) != len(want) {
			return differ()
		}
		for i := range want {
			all = append(all, differences(fmt.Sprintf("%s/%d", at, i), want[i], array[i])...)
		}
		return all
	case string:
		if text, ok := got.(string); ok && likeText(want, text) {
			return nil
		}
		return differ()
	}
	if want != got {
		return differ()
	}
	return nil
}

// like demands that a reply is JSON like want.
func like(t *testing.T, want string, got []byte) {
	t.Helper()
	expected, ok := parseJSON([]byte(want))
	if !ok {
		t.Fatalf("this is no JSON: %s", want)
	}
	reply, ok := parseJSON(got)
	if !ok {
		t.Fatalf("no JSON: %s", got)
	}
	if all := differences("", expected, reply); len(all) > 0 {
		t.Errorf("%s\nin %s", strings.Join(all, "\n"), got)
	}
}

// TestLike: what a comparison must not let through.
func TestLike(t *testing.T) {
	for _, c := range []struct {
		want, got string
		differ    int
	}{
		{`{"a":"x-…","b":5000.00}`, `{"b":5000.00,"a":"x-1"}`, 0},
		{`{"a":"x-…"}`, `{"a":"x-"}`, 1},
		{`{"b":5000.00}`, `{"b":5000.0}`, 1},
		{`{"a":1}`, `{"a":1,"b":2}`, 1},
		{`{"a":1,"b":2}`, `{"a":1}`, 1},
		{`[1,2]`, `[1,2,3]`, 1},
		{`[1,"…"]`, `[2,3]`, 2},
		{`{"a":{"b":null}}`, `{"a":{"b":""}}`, 1},
	} {
		want, _ := parseJSON([]byte(c.want))
		got, _ := parseJSON([]byte(c.got))
		if all := differences("", want, got); len(all) != c.differ {
			t.Errorf("%s and %s: %q", c.want, c.got, all)
		}
	}
	if likeText("a…b", "ab") || likeText("a…b", "a1\nb") || !likeText("lease-… (x)", "lease-12 (x)") {
		t.Error("texts")
	}
}
