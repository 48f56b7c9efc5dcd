package fsm_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// TestHeaderBytes holds the wire format: it can never change.
func TestHeaderBytes(t *testing.T) {
	h := fsm.Header{Op: 9, Version: 1, Epoch: 0x01020304, Tenant: "acme"}
	require.Equal(t, []byte{9, 1, 1, 2, 3, 4, 4, 'a', 'c', 'm', 'e'}, h.Append(nil))
	require.Equal(t, []byte{'x', 1, 1, 0, 0, 0, 0, 0}, fsm.Header{Op: 1, Version: 1}.Append([]byte("x")))
}

func TestSplitHeader(t *testing.T) {
	b := append(fsm.Header{Op: 9, Version: 2, Epoch: 7, Tenant: "acme"}.Append(nil), "payload"...)
	h, tenant, payload, err := fsm.SplitHeader(b)
	require.NoError(t, err)
	require.Equal(t, fsm.Header{Op: 9, Version: 2, Epoch: 7}, h)
	require.Equal(t, "acme", string(tenant))
	require.Equal(t, "payload", string(payload))
	for n := range len(b) - len("payload") {
		_, _, _, err := fsm.SplitHeader(b[:n])
		require.ErrorIs(t, err, fsm.ErrHeader, "cut to %d bytes", n)
	}
}

// FuzzHeader: what splits is put together again byte by byte.
func FuzzHeader(f *testing.F) {
	f.Add([]byte{})
	f.Add(fsm.Header{Op: 1, Version: 1, Tenant: "acme"}.Append(nil))
	f.Add([]byte{1, 1, 0, 0, 0, 1, 255, 'a'})
	f.Add(append(fsm.Header{Tenant: cl.TenantID(strings.Repeat("a", 255))}.Append(nil), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, tenant, payload, err := fsm.SplitHeader(b)
		if err != nil {
			return
		}
		h.Tenant = cl.TenantID(tenant)
		require.True(t, bytes.Equal(b, append(h.Append(nil), payload...)))
	})
}
