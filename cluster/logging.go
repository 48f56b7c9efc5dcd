package cluster

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// raftSink brings Raft's log into slog. Raft tells of every election at
// info and warn; here that is debug, except what an operator must see.
type raftSink struct{ log *slog.Logger }

func newRaftLogger(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Level: hclog.Off, Output: io.Discard})
	l.RegisterSink(raftSink{log})
	return l
}

// Accept implements hclog.SinkAdapter.
func (s raftSink) Accept(_ string, level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	if level >= hclog.Error && !peerTrouble(msg) {
		to = slog.LevelWarn
	}
	if !s.log.Enabled(context.Background(), to) {
		return
	}
	s.log.Log(context.Background(), to, "raft: "+msg, args...)
}

// peerTrouble: a peer that is down is told once by gossip, not by every
// attempt to reach it.
func peerTrouble(msg string) bool {
	for _, part := range []string{"failed to heartbeat", "failed to appendEntries", "failed to make requestVote", "failed to make requestPreVote", "failed to pipeline", "failed to contact", "failed to decode incoming command", "failed to accept connection", "failed to send snapshot"} {
		if strings.HasPrefix(msg, part) {
			return true
		}
	}
	return false
}

// gossipHandler gives memberlist's lines the level their prefix names; its
// warnings are an operator's debug.
type gossipHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h gossipHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	if strings.HasPrefix(r.Message, "[ERR]") {
		r.Level = slog.LevelDebug + 2
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}
