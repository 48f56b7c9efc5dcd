package shard_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/api"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// Package api stands on this one: only an external test can have both.
func init() {
	shard.OpenEdge = func(t *testing.T, s *shard.Shard) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		edge := api.New(api.Config{Shard: s, NodeID: "n0", Domain: "example.test", Scheme: "http", Logger: slog.New(slog.DiscardHandler)})
		go func() { _ = edge.Serve(listener) }()
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			require.NoError(t, edge.Shutdown(ctx))
		})
		return listener.Addr().String()
	}
}
