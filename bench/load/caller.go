package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// failurePause keeps a caller whose system is down from spinning.
	failurePause = 5 * time.Millisecond
	// maxErrors bounds the texts that a result keeps.
	maxErrors = 5
)

// worker is one caller at work. Its numbers are its own until the run is over,
// but for done.
type worker struct {
	caller  Caller
	pools   *rand.Rand
	n       int // pools to choose from
	holds   bool
	waits   *hdrhistogram.Histogram
	slices  []int64 // operations completed, by whole second
	ops     int64
	refused int64
	failed  int64
	errors  *errorTexts
	// done counts operations, warm-up included, for the progress.
	done atomic.Int64
	_    [64]byte // done is read by another core
}

// window is what of a run is measured.
type window struct{ from, to time.Time }

// operate checks out or returns, whatever is next. counted operations go into
// the numbers, with their latency from since on.
func (w *worker) operate(span window, since time.Time, counted func(since, end time.Time) bool) {
	var err error
	if w.holds {
		err = w.caller.Return()
	} else {
		err = w.caller.Checkout(w.pools.IntN(w.n))
	}
	end := time.Now()
	in := counted(since, end)
	if err != nil {
		w.fault(err, in)
		return
	}
	w.holds = !w.holds
	w.done.Store(w.done.Load() + 1)
	if !in {
		return
	}
	w.ops++
	record(w.waits, end.Sub(since))
	w.slices[min(int(end.Sub(span.from)/time.Second), len(w.slices)-1)]++
}

// fault notes an operation that came to nothing. What was to be returned is
// still held.
func (w *worker) fault(err error, in bool) {
	if errors.Is(err, ErrRefused) && !w.holds {
		if in {
			w.refused++
		}
		return
	}
	if in {
		w.failed++
	}
	w.errors.add(err)
	time.Sleep(failurePause)
}

// closed works without a pause until the window ends. An operation counts when
// it is completed within the window.
func (w *worker) closed(ctx context.Context, span window) {
	counted := func(_, end time.Time) bool { return !end.Before(span.from) && end.Before(span.to) }
	for ctx.Err() == nil {
		start := time.Now()
		if !start.Before(span.to) {
			return
		}
		w.operate(span, start, counted)
	}
}

// open does one operation for each due time. It counts when it was due within
// the window, however late it is completed.
func (w *worker) open(ctx context.Context, span window, due <-chan time.Time) {
	counted := func(since, _ time.Time) bool { return !since.Before(span.from) }
	giveUp := span.to.Add(max(span.to.Sub(span.from), leastPatience))
	for since := range due {
		switch {
		case ctx.Err() != nil:
			return
		case time.Now().After(giveUp):
			if counted(since, since) {
				w.failed++
				w.errors.add(errNeverStarted)
			}
		default:
			w.operate(span, since, counted)
		}
	}
}

// leastPatience is how long a run in an open loop at least goes on with what
// was due in it; else as long as it was measured.
const leastPatience = 5 * time.Second

var errNeverStarted = errors.New("an operation was due and never started: the rate is more than the system takes")

// errorTexts keeps the first few distinct errors of all callers.
type errorTexts struct {
	mu    sync.Mutex // guards texts
	texts []string
}

func (e *errorTexts) add(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if text := err.Error(); len(e.texts) < maxErrors && !slices.Contains(e.texts, text) {
		e.texts = append(e.texts, text)
	}
}
