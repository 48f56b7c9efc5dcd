package bench

import (
	"context"
	"net"
	"path/filepath"
	"time"

	"github.com/cloudlicenses/cloudlicenses/api"
)

// ServeEcho answers on addr as the HTTP edge does, with nothing behind it,
// until ctx ends.
func ServeEcho(ctx context.Context, addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	err = api.Echo(ln)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// echoKey is as long as a real one; nobody looks at it.
const echoKey = "clsk_bench_0123456789abcdefghijklmnopqrstuvwxyzABCDEF"

// echoServer is the echo as a process of its own.
type echoServer struct {
	process
	addr string
}

// startEcho starts the echo and waits until it listens.
func startEcho(ctx context.Context, binary, dir string) (*echoServer, error) {
	free, err := addresses(1)
	if err != nil {
		return nil, err
	}
	e := &echoServer{addr: free[0]}
	e.argv = []string{binary, "bench", "echo-server", "--http", e.addr}
	e.logPath = filepath.Join(dir, "echo.log")
	if err := e.start(); err != nil {
		return nil, err
	}
	err = await(ctx, "echo that listens", readyWithin, func() error {
		c, err := net.DialTimeout("tcp", e.addr, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err
	})
	return e, err
}
