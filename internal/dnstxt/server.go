package dnstxt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// maxString is what one string of a TXT record holds (RFC 1035, 3.3.14).
	maxString = 255
	// maxValue bounds a value: a name's records must fit one message of 64 KiB.
	maxValue = 4 << 10
	// maxValues bounds the records of a name, for the same reason.
	maxValues = 8
	// closeTimeout is how long Close waits for connections to end.
	closeTimeout = time.Second
)

// Server is an authoritative DNS server on loopback, by UDP and TCP on the same
// port, for every name there is: a name that was not set does not exist. Safe for
// concurrent use.
type Server struct {
	addr    string
	servers []*dns.Server
	done    sync.WaitGroup

	mu      sync.RWMutex
	records map[string][]string // canonical name → values; mu
}

// Listen starts a server on addr, "host:port" of a loopback address; port 0 is
// the system's choice. The server answers once Listen has returned.
func Listen(addr string) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("DNS server: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("DNS server: %s is no loopback address", addr)
	}
	packets, listener, err := listenBoth(addr)
	if err != nil {
		return nil, fmt.Errorf("DNS server: %w", err)
	}
	s := &Server{addr: listener.Addr().String(), records: map[string][]string{}}
	handler := dns.HandlerFunc(s.answer)
	s.servers = []*dns.Server{{PacketConn: packets, Handler: handler}, {Listener: listener, Handler: handler}}
	for _, server := range s.servers {
		started, ended := make(chan struct{}), make(chan error, 1)
		server.NotifyStartedFunc = func() { close(started) }
		s.done.Go(func() { ended <- server.ActivateAndServe() })
		select {
		case <-started:
		case err := <-ended:
			_ = packets.Close()
			_ = listener.Close()
			return nil, fmt.Errorf("DNS server: %w", err)
		}
	}
	return s, nil
}

// listenBoth listens by UDP and TCP on one port. Where the system chooses it, the
// port may be free for one and taken for the other: then it chooses again.
func listenBoth(addr string) (net.PacketConn, net.Listener, error) {
	var failure error
	for range 20 {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		packets, err := net.ListenPacket("udp", listener.Addr().String())
		if err == nil {
			return packets, listener, nil
		}
		failure = err
		_ = listener.Close()
	}
	return nil, nil, failure
}

// Addr returns the server's "host:port".
func (s *Server) Addr() string { return s.addr }

// Set makes values the TXT records of name, in whatever case, instead of those
// there were; no values remove it. A value is up to 4 KiB of any bytes, split into
// strings of 255, and a name has up to eight. Errors: [ErrName], or what is too much.
func (s *Server) Set(name string, values ...string) error {
	if !validName(name) {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	if len(values) > maxValues {
		return fmt.Errorf("%d TXT records of one name, at most %d", len(values), maxValues)
	}
	for _, value := range values {
		if len(value) > maxValue {
			return fmt.Errorf("a TXT record of %d bytes, at most %d", len(value), maxValue)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(values) == 0 {
		delete(s.records, dns.CanonicalName(name))
	} else {
		s.records[dns.CanonicalName(name)] = slices.Clone(values)
	}
	return nil
}

// Close ends the server, and waits until it has.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var failures []error
	for _, server := range s.servers {
		failures = append(failures, server.ShutdownContext(ctx))
	}
	s.done.Wait()
	return errors.Join(failures...)
}

// answer handles one question.
func (s *Server) answer(w dns.ResponseWriter, query *dns.Msg) {
	reply := new(dns.Msg).SetReply(query)
	reply.Authoritative = true
	question := query.Question[0] // the library lets through what has exactly one
	if question.Qclass != dns.ClassINET {
		reply.Authoritative, reply.Rcode = false, dns.RcodeRefused
	} else {
		s.fill(reply, question)
	}
	limit := dns.MaxMsgSize
	opt := query.IsEdns0()
	if opt != nil {
		reply.SetEdns0(udpSize, false)
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		limit = dns.MinMsgSize
		if opt != nil {
			limit = min(int(opt.UDPSize()), udpSize)
		}
	}
	reply.Truncate(limit)
	_ = w.WriteMsg(reply) // who asked and went away asks again
}

// fill puts the records that question asks for into reply.
func (s *Server) fill(reply *dns.Msg, question dns.Question) {
	name := dns.CanonicalName(question.Name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	values, exists := s.records[name]
	if !exists && !s.holdsBelow(name) {
		reply.Rcode = dns.RcodeNameError
		return
	}
	if question.Qtype != dns.TypeTXT && question.Qtype != dns.TypeANY {
		return
	}
	for _, value := range values {
		record := &dns.TXT{Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}}
		for chunk := range slices.Chunk([]byte(value), maxString) {
			record.Txt = append(record.Txt, escape(string(chunk)))
		}
		if record.Txt == nil {
			record.Txt = []string{""}
		}
		reply.Answer = append(reply.Answer, record)
	}
}

// holdsBelow reports whether a record lies under name, which then exists, though
// without records of its own (RFC 8020). Under mu.
func (s *Server) holdsBelow(name string) bool {
	for other := range s.records {
		if dns.IsSubDomain(name, other) {
			return true
		}
	}
	return false
}
