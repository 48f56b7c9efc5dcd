package load

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// paceTick is how often the pace looks what has become due: an operation
// starts up to that much late, which its latency then includes.
const paceTick = 100 * time.Microsecond

// dueAhead is how many due operations wait for a caller without the pace
// waiting, too. When it does, what it could not tell is still due at its time.
const dueAhead = 1 << 16

// pace sends, from a goroutine of its own, the times at which operations
// become due at rate per second, evenly from start until end, and closes the
// channel. It never skips one.
func pace(ctx context.Context, start, end time.Time, rate float64) (<-chan time.Time, error) {
	alarm, err := newAlarm(paceTick)
	if err != nil {
		return nil, err
	}
	due := make(chan time.Time, dueAhead)
	go func() {
		defer close(due)
		defer func() { _ = alarm.Close() }()
		var tick [8]byte
		for n := 0; ; {
			for now := time.Now(); ; n++ {
				next := start.Add(time.Duration(float64(n) / rate * float64(time.Second)))
				if !next.Before(end) {
					return
				}
				if next.After(now) {
					break
				}
				select {
				case due <- next:
				case <-ctx.Done():
					return
				}
			}
			if _, err := alarm.Read(tick[:]); err != nil {
				return
			}
		}
	}()
	return due, nil
}

// newAlarm is a file from which eight bytes can be read once per period. Go's
// own timers are rounded up to a millisecond in a process that waits for its
// sockets; this one is a descriptor among those.
func newAlarm(period time.Duration) (*os.File, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("timer: %w", err)
	}
	each := unix.NsecToTimespec(int64(period))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: each, Value: each}, nil); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("timer: %w", err)
	}
	return os.NewFile(uintptr(fd), "timer"), nil
}
