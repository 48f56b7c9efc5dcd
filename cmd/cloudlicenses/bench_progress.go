package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/cloudlicenses/cloudlicenses/bench"
)

// benchProgress shows a bar per measurement on a terminal, and a line per
// result elsewhere.
type benchProgress struct {
	w    io.Writer
	bars *mpb.Progress // nil: no terminal

	mu   sync.Mutex // guards the rest
	what string
	how  string
	bar  *mpb.Bar
}

var _ bench.Progress = (*benchProgress)(nil)

func newBenchProgress(ctx context.Context, w io.Writer) *benchProgress {
	p := &benchProgress{w: w}
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		p.bars = mpb.NewWithContext(ctx, mpb.WithOutput(w), mpb.WithWidth(40))
	}
	return p
}

// Begin implements bench.Progress.
func (p *benchProgress) Begin(what string, total time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.how = what, ""
	if p.bars == nil {
		return
	}
	p.bar = p.bars.AddBar(total.Milliseconds(), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(what+" ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.how
		})))
}

// At implements bench.Progress.
func (p *benchProgress) At(elapsed time.Duration, how string) {
	p.mu.Lock()
	p.how = how
	bar := p.bar
	p.mu.Unlock()
	if bar != nil {
		bar.SetCurrent(elapsed.Milliseconds())
	}
}

// End implements bench.Progress.
func (p *benchProgress) End(result string) {
	p.mu.Lock()
	bar, what := p.bar, p.what
	p.bar = nil
	p.mu.Unlock()
	if bar != nil {
		bar.Abort(true)
		bar.Wait()
	}
	if result == "" {
		return
	}
	out := p.w
	if p.bars != nil {
		out = p.bars // above the bars
	}
	_, _ = fmt.Fprintf(out, "%s: %s\n", what, result)
}

// close waits until all is shown.
func (p *benchProgress) close() {
	if p.bars != nil {
		p.bars.Wait()
	}
}
