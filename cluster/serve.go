package cluster

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// serveForward answers the frames of one incoming forwarding connection. Each
// request is handled on a goroutine of its own; replies gather in one buffer.
func (n *Node) serveForward(conn net.Conn) {
	defer conn.Close()
	w := &replyWriter{conn: conn, wake: make(chan struct{}, 1)}
	var writer, requests sync.WaitGroup
	writer.Add(1)
	go func() { defer writer.Done(); w.run() }()

	ctx, cancel := context.WithCancel(n.ctx)
	began := time.Now()
	br := bufio.NewReaderSize(conn, 64<<10)
	var head [4 + 8 + 1 + 4 + 4]byte
	for {
		if _, err := io.ReadFull(br, head[:]); err != nil {
			break
		}
		size := binary.BigEndian.Uint32(head[:4])
		if size < 17 || size > maxFrameBytes {
			break
		}
		payload := make([]byte, size-17)
		if _, err := io.ReadFull(br, payload); err != nil {
			break
		}
		id := binary.BigEndian.Uint64(head[4:12])
		m, group := method(head[12]), GroupID(binary.BigEndian.Uint32(head[13:17]))
		onWay := time.Since(began) - time.Duration(binary.BigEndian.Uint32(head[17:21]))*time.Millisecond
		if id == 0 {
			if m == methodAnnounce {
				n.heard(payload, max(0, onWay))
			}
			continue
		}
		if onWay > maxOnWay {
			// Its caller has given up, and may have had it done elsewhere: what
			// it would be recognized by may be forgotten.
			w.reply(id, statusOf(ErrNoLeader), nil)
			continue
		}
		requests.Add(1)
		go func() {
			defer requests.Done()
			reply, err := n.answer(ctx, m, group, payload)
			if err != nil && statusOf(err) == statusOther {
				reply = []byte(err.Error())
			}
			w.reply(id, statusOf(err), reply)
		}()
	}
	cancel()
	requests.Wait()
	w.end()
	writer.Wait()
}

// replyWriter gathers replies and sends them in as few writes as it can.
type replyWriter struct {
	conn net.Conn

	mu    sync.Mutex
	out   []byte
	spare []byte
	ended bool
	wake  chan struct{}
}

func (w *replyWriter) reply(id uint64, status byte, payload []byte) {
	w.mu.Lock()
	w.out = binary.BigEndian.AppendUint32(w.out, uint32(9+len(payload)))
	w.out = binary.BigEndian.AppendUint64(w.out, id)
	w.out = append(w.out, status)
	w.out = append(w.out, payload...)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *replyWriter) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *replyWriter) run() {
	for range w.wake {
		w.mu.Lock()
		b, ended := w.out, w.ended
		w.out, w.spare = w.spare[:0], nil
		w.mu.Unlock()
		if len(b) > 0 {
			if _, err := w.conn.Write(b); err != nil {
				w.conn.Close()
			}
		}
		if ended {
			return
		}
		w.mu.Lock()
		if cap(b) <= 1<<20 {
			w.spare = b[:0]
		}
		w.mu.Unlock()
	}
}

// answer handles one request of a peer. Proposals and linearizable queries
// are answered by the leader or refused: nothing is forwarded twice.
func (n *Node) answer(ctx context.Context, m method, group GroupID, payload []byte) ([]byte, error) {
	switch m {
	case methodPropose, methodProposeAll, methodQuery, methodRejoin:
		g := n.group(group)
		if g == nil {
			return nil, ErrNoGroup
		}
		switch m {
		case methodPropose:
			replies, err := g.propose(ctx, [][]byte{payload})
			if err != nil {
				return nil, err
			}
			return appendReply(nil, replies[0]), nil
		case methodProposeAll:
			return answerProposeAll(ctx, g, payload)
		case methodRejoin:
			return nil, g.takeIn(payload)
		default:
			return answerQuery(ctx, g, payload)
		}
	case methodGoodbye:
		n.saidGoodbye(string(payload))
		return nil, nil
	case methodClock:
		return binary.BigEndian.AppendUint64(nil, uint64(n.cfg.Now().UnixMicro())), nil
	case methodStatus:
		return n.statusJSON()
	case methodPlacement:
		return n.placementJSON()
	case methodPromise:
		return nil, n.promise(payload)
	case methodForm:
		return nil, n.formed(payload)
	default:
		return nil, errUnknownMethod
	}
}

func answerProposeAll(ctx context.Context, g *group, payload []byte) ([]byte, error) {
	commands, err := splitFrames(payload)
	if err != nil {
		return nil, err
	}
	replies, err := g.propose(ctx, commands)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, r := range replies {
		out = appendFrame(out, appendReply(nil, r))
	}
	return out, nil
}

func answerQuery(ctx context.Context, g *group, payload []byte) ([]byte, error) {
	if len(payload) < 9 {
		return nil, errShortFrame
	}
	opt := ReadOptions{Linearizable: payload[0] == 1, MinIndex: binary.BigEndian.Uint64(payload[1:9])}
	r, err := g.query(ctx, payload[9:], opt)
	if err != nil {
		return nil, err
	}
	return appendReply(nil, r), nil
}
