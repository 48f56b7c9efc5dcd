package main

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
)

// TestRefusal: what a client may conclude from a refusal.
func TestRefusal(t *testing.T) {
	cases := []struct {
		status int
		body   string
		code   string
		fate   fate
	}{
		{409, `{"code":"overage_max_exceeded"}`, "overage_max_exceeded", definite},
		{503, `{"code":"outcome_unknown"}`, "outcome_unknown", unknown},
		{503, `{"code":"no_leader"}`, "no_leader", denied},
		{500, `{"code":"internal"}`, "internal", unknown},
		{502, `<html>`, "no problem body", unknown},
	}
	for _, c := range cases {
		code, fate := refusal(c.status, []byte(c.body))
		require.Equal(t, c.code, code)
		require.Equal(t, c.fate, fate, c.code)
	}
}

// TestFateOfError: only what was never sent had no effect for certain.
func TestFateOfError(t *testing.T) {
	require.Equal(t, denied, fateOfError(&net.OpError{Op: "dial", Err: io.EOF}))
	require.Equal(t, unknown, fateOfError(&net.OpError{Op: "read", Err: io.EOF}))
	require.Equal(t, unknown, fateOfError(fasthttp.ErrTimeout))
	require.Equal(t, unknown, fateOfError(fasthttp.ErrConnectionClosed))
}

func TestGroupOf(t *testing.T) {
	require.Equal(t, "12", groupOf("g12:1042,d:77"))
	require.Equal(t, "3", groupOf("d:77,g3:9"))
	require.Empty(t, groupOf("d:77"))
}

func TestPercentile(t *testing.T) {
	require.Equal(t, 2.0, percentile([]float64{1, 2, 3}, 50))
	require.Equal(t, 3.0, percentile([]float64{1, 2, 3}, 99))
	require.Equal(t, 1.0, percentile([]float64{1}, 50))
}
