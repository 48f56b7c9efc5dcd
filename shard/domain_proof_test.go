package shard

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/internal/dnstxt"
)

// That DNS gives no answer says nothing about the record: whoever asked may ask
// again. That there is no such record is an answer, and so is another's.
func TestProofTellsNoFromMaybe(t *testing.T) {
	dns, err := dnstxt.Listen("127.0.0.1:0")
	require.NoError(t, err)
	defer dns.Close()
	s := &Shard{resolver: dns.Addr()}
	pending := func(err error) {
		t.Helper()
		var refusal *Refusal
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, cloudlicenses.VerificationPending, refusal.Code)
	}
	name := verificationLabel + "example.test"
	pending(s.proved(context.Background(), "example.test", "right"))
	require.NoError(t, dns.Set(name, VerificationPrefix+"other", "unrelated"))
	pending(s.proved(context.Background(), "example.test", "right"))
	require.NoError(t, dns.Set(name, VerificationPrefix+"other", VerificationPrefix+"right"))
	require.NoError(t, s.proved(context.Background(), "example.test", "right"))

	silent, err := net.ListenPacket("udp", "127.0.0.1:0") // hears, and never answers
	require.NoError(t, err)
	defer silent.Close()
	s.resolver = silent.LocalAddr().String()
	require.ErrorIs(t, s.proved(context.Background(), "example.test", "right"), ErrResolver)
}
