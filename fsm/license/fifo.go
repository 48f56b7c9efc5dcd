package license

// fifo is a queue in chunks, so that millions of entries are never copied to
// make room.
type fifo[T any] struct {
	chunks [][]T
	head   int // in chunks[0]
	length int
}

const fifoChunk = 1024

func (f *fifo[T]) push(v T) {
	last := len(f.chunks) - 1
	if last < 0 || len(f.chunks[last]) == fifoChunk {
		capacity := fifoChunk
		if last < 0 {
			capacity = 16 // most queues stay short
		}
		f.chunks = append(f.chunks, make([]T, 0, capacity))
		last++
	}
	f.chunks[last] = append(f.chunks[last], v)
	f.length++
}

// front returns the oldest entry, or false.
func (f *fifo[T]) front() (v T, ok bool) {
	if f.length == 0 {
		return v, false
	}
	return f.chunks[0][f.head], true
}

func (f *fifo[T]) pop() {
	var zero T
	f.chunks[0][f.head] = zero
	f.head++
	f.length--
	if f.head == len(f.chunks[0]) {
		f.head = 0
		if len(f.chunks) == 1 {
			f.chunks[0] = f.chunks[0][:0]
		} else {
			f.chunks[0] = nil
			f.chunks = f.chunks[1:]
		}
	}
}
