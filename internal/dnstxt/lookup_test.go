package dnstxt_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/internal/dnstxt"
)

// fake is a DNS server by UDP and TCP that answers as the test has it.
type fake struct {
	addr string

	mu    sync.Mutex
	asked []query // in order
}

type query struct {
	network string
	from    string
	msg     *dns.Msg
}

// serve starts a server; answer gets the question and a reply prepared, and
// returns what is to be sent.
func serve(t *testing.T, answer func(q query, reply *dns.Msg) []*dns.Msg) *fake {
	t.Helper()
	var packets net.PacketConn
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	for ; err == nil; listener, err = net.Listen("tcp", "127.0.0.1:0") {
		if packets, err = net.ListenPacket("udp", listener.Addr().String()); err == nil {
			break
		}
		_ = listener.Close()
	}
	require.NoError(t, err)
	f := &fake{addr: listener.Addr().String()}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, msg *dns.Msg) {
		q := query{network: w.RemoteAddr().Network(), from: w.RemoteAddr().String(), msg: msg}
		f.mu.Lock()
		f.asked = append(f.asked, q)
		f.mu.Unlock()
		for _, reply := range answer(q, new(dns.Msg).SetReply(msg)) {
			_ = w.WriteMsg(reply)
		}
	})
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: handler}, {Listener: listener, Handler: handler}} {
		started, ended := make(chan struct{}), make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(ended)
			_ = server.ActivateAndServe()
		}()
		<-started
		t.Cleanup(func() {
			_ = server.Shutdown()
			<-ended
		})
	}
	return f
}

func (f *fake) queries() []query {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *fake) lookup(asked string) ([]string, error) {
	return dnstxt.Resolver{Addr: f.addr, Timeout: 200 * time.Millisecond, Attempts: 2}.Lookup(context.Background(), asked)
}

func txt(owner string, values ...string) dns.RR {
	return &dns.TXT{Hdr: dns.RR_Header{Name: dns.Fqdn(owner), Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: values}
}

func cname(owner, target string) dns.RR {
	return &dns.CNAME{Hdr: dns.RR_Header{Name: dns.Fqdn(owner), Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: dns.Fqdn(target)}
}

func one(reply *dns.Msg) []*dns.Msg { return []*dns.Msg{reply} }

func TestLookupJoinsStringsAndTakesOnlyWhatWasAskedFor(t *testing.T) {
	f := serve(t, func(_ query, reply *dns.Msg) []*dns.Msg {
		other := txt(name, "wrong class")
		other.Header().Class = dns.ClassCHAOS
		reply.Answer = []dns.RR{txt("evil.com", "not asked for"), other, txt(strings.ToUpper(name), "cloud", "licenses-verify", "=1"), txt(name, "2")}
		return one(reply)
	})
	values, err := f.lookup(name)
	require.NoError(t, err)
	require.Equal(t, []string{"cloudlicenses-verify=1", "2"}, values)
}

func TestLookupAsksByTCPWhereTheAnswerWasCut(t *testing.T) {
	f := serve(t, func(q query, reply *dns.Msg) []*dns.Msg {
		if reply.Truncated = q.network == "udp"; !reply.Truncated {
			reply.Answer = []dns.RR{txt(name, "whole")}
		}
		return one(reply)
	})
	values, err := f.lookup(name)
	require.NoError(t, err)
	require.Equal(t, []string{"whole"}, values)
	require.Len(t, f.queries(), 2)
	require.Equal(t, "tcp", f.queries()[1].network)

	// The same from our own server, whose answer fits no packet.
	s := listen(t)
	require.NoError(t, s.Set(name, strings.Repeat("x", 4096), strings.Repeat("y", 4096)))
	values, err = dnstxt.Lookup(context.Background(), s.Addr(), name)
	require.NoError(t, err)
	require.Equal(t, []string{strings.Repeat("x", 4096), strings.Repeat("y", 4096)}, values)
}

func TestLookupFollowsAliases(t *testing.T) {
	zone := map[string][]dns.RR{
		"a.com.":    {cname("a.com", "b.com"), cname("b.com", "c.com"), txt("c.com", "in one answer")},
		"d.com.":    {cname("d.com", "e.com")},
		"e.com.":    {cname("e.com", "f.com"), txt("elsewhere.com", "no")},
		"f.com.":    {txt("f.com", "in three")},
		"loop.com.": {cname("loop.com", "pool.com")},
		"pool.com.": {cname("pool.com", "loop.com")},
		"gone.com.": {cname("gone.com", "nowhere.com")},
		"self.com.": {cname("self.com", "self.com")},
	}
	f := serve(t, func(q query, reply *dns.Msg) []*dns.Msg {
		var known bool
		if reply.Answer, known = zone[q.msg.Question[0].Name]; !known {
			reply.Rcode = dns.RcodeNameError
		}
		return one(reply)
	})
	for asked, want := range map[string]string{"a.com": "in one answer", "d.com": "in three"} {
		values, err := f.lookup(asked)
		require.NoError(t, err)
		require.Equal(t, []string{want}, values)
	}
	_, err := f.lookup("gone.com")
	require.ErrorIs(t, err, dnstxt.ErrNoRecord)
	for _, asked := range []string{"loop.com", "self.com"} {
		_, err = f.lookup(asked)
		require.ErrorIs(t, err, dnstxt.ErrTemporary)
	}
}

func TestLookupTellsNoFromMaybe(t *testing.T) {
	for rcode, want := range map[int]error{
		dns.RcodeSuccess: dnstxt.ErrNoRecord, dns.RcodeNameError: dnstxt.ErrNoRecord,
		dns.RcodeServerFailure: dnstxt.ErrTemporary, dns.RcodeRefused: dnstxt.ErrTemporary, dns.RcodeNotImplemented: dnstxt.ErrTemporary,
	} {
		f := serve(t, func(_ query, reply *dns.Msg) []*dns.Msg {
			reply.Rcode = rcode
			return one(reply)
		})
		_, err := f.lookup(name)
		require.ErrorIs(t, err, want, dns.RcodeToString[rcode])
		if errors.Is(want, dnstxt.ErrTemporary) {
			require.Len(t, f.queries(), 2, "asked again")
			require.NotErrorIs(t, err, dnstxt.ErrNoRecord)
		}
	}

	mute := serve(t, func(query, *dns.Msg) []*dns.Msg { return nil })
	_, err := mute.lookup(name)
	require.ErrorIs(t, err, dnstxt.ErrTemporary)
	require.Len(t, mute.queries(), 2)

	_, err = dnstxt.Lookup(context.Background(), "127.0.0.1", name)
	require.ErrorIs(t, err, dnstxt.ErrTemporary)
	for _, bad := range []string{"", "a b", "a..com", "ä.com", "-.\x00"} {
		_, err = mute.lookup(bad)
		require.ErrorIs(t, err, dnstxt.ErrName, "%q", bad)
	}
}

// TestLookupEndsWithItsContext: also in the middle of a wait.
func TestLookupEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	mute := serve(t, func(query, *dns.Msg) []*dns.Msg {
		cancel()
		return nil
	})
	began := time.Now()
	_, err := dnstxt.Resolver{Addr: mute.addr, Timeout: time.Hour}.Lookup(ctx, name)
	require.ErrorIs(t, err, dnstxt.ErrTemporary)
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(began), time.Minute)
	require.Len(t, mute.queries(), 1)
}

func TestLookupGetsThroughTheSecondTime(t *testing.T) {
	var once sync.Once
	f := serve(t, func(_ query, reply *dns.Msg) []*dns.Msg {
		reply.Answer = []dns.RR{txt(name, "late")}
		once.Do(func() { reply = nil })
		if reply == nil {
			return nil
		}
		return one(reply)
	})
	values, err := f.lookup(name)
	require.NoError(t, err)
	require.Equal(t, []string{"late"}, values)
	a, b := f.queries()[0], f.queries()[1]
	require.NotEqual(t, a.from, b.from, "a source port of its own")
}

// TestLookupWithoutEDNS: a server from before EDNS knows no such record.
func TestLookupWithoutEDNS(t *testing.T) {
	f := serve(t, func(q query, reply *dns.Msg) []*dns.Msg {
		if q.msg.IsEdns0() != nil {
			reply.Rcode = dns.RcodeFormatError
		} else {
			reply.Answer = []dns.RR{txt(name, "old")}
		}
		return one(reply)
	})
	values, err := f.lookup(name)
	require.NoError(t, err)
	require.Equal(t, []string{"old"}, values)
}

// lies are answers that are none to the question, by somebody who guesses or
// by a resolver that has gone wrong.
var lies = map[string]func(reply *dns.Msg){
	"wrong id":       func(reply *dns.Msg) { reply.Id++ },
	"wrong name":     func(reply *dns.Msg) { reply.Question[0].Name = "evil.com." },
	"wrong type":     func(reply *dns.Msg) { reply.Question[0].Qtype = dns.TypeA },
	"wrong class":    func(reply *dns.Msg) { reply.Question[0].Qclass = dns.ClassCHAOS },
	"no question":    func(reply *dns.Msg) { reply.Question = nil },
	"two questions":  func(reply *dns.Msg) { reply.Question = append(reply.Question, reply.Question[0]) },
	"not a response": func(reply *dns.Msg) { reply.Response = false },
	"wrong opcode":   func(reply *dns.Msg) { reply.Opcode = dns.OpcodeNotify },
}

func TestLookupBelievesNoLiar(t *testing.T) {
	for what, lie := range lies {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			lying := func(q query, reply *dns.Msg) *dns.Msg {
				reply.Question = []dns.Question{q.msg.Question[0]}
				reply.Answer = []dns.RR{txt(name, "forged")}
				lie(reply)
				return reply
			}
			// By UDP the wait goes on, and the true answer counts.
			f := serve(t, func(q query, reply *dns.Msg) []*dns.Msg {
				honest := reply.Copy()
				honest.Answer = []dns.RR{txt(name, "true")}
				return []*dns.Msg{lying(q, reply), honest}
			})
			values, err := f.lookup(name)
			require.NoError(t, err)
			require.Equal(t, []string{"true"}, values)
			require.Len(t, f.queries(), 1)

			// Nothing but lies is no answer, and a stream that lies is given up.
			f = serve(t, func(q query, reply *dns.Msg) []*dns.Msg { return one(lying(q, reply)) })
			_, err = f.lookup(name)
			require.ErrorIs(t, err, dnstxt.ErrTemporary)
			f = serve(t, func(q query, reply *dns.Msg) []*dns.Msg {
				if q.network == "udp" {
					reply.Truncated = true
					return one(reply)
				}
				return one(lying(q, reply))
			})
			_, err = f.lookup(name)
			require.ErrorIs(t, err, dnstxt.ErrTemporary)
		})
	}
}

// TestLookupSurvivesGarbage: packets that are not DNS do not end the wait.
func TestLookupSurvivesGarbage(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buffer := make([]byte, 4096)
		n, from, err := conn.ReadFrom(buffer)
		query := new(dns.Msg)
		if err != nil || query.Unpack(buffer[:n]) != nil {
			return
		}
		reply := new(dns.Msg).SetReply(query)
		reply.Answer = []dns.RR{txt(name, "true")}
		packed, err := reply.Pack()
		if err != nil {
			return
		}
		for _, packet := range [][]byte{{}, {1, 2, 3}, packed[:len(packed)-3], packed} {
			_, _ = conn.WriteTo(packet, from)
		}
	}()
	values, err := dnstxt.Lookup(context.Background(), conn.LocalAddr().String(), name)
	require.NoError(t, conn.Close())
	<-ended
	require.NoError(t, err)
	require.Equal(t, []string{"true"}, values)
}

// TestIDsAndPortsAreRandom: neither is fixed, neither counts up.
func TestIDsAndPortsAreRandom(t *testing.T) {
	f := serve(t, func(_ query, reply *dns.Msg) []*dns.Msg {
		reply.Answer = []dns.RR{txt(name, "v")}
		return one(reply)
	})
	const n = 32
	for range n {
		_, err := f.lookup(name)
		require.NoError(t, err)
	}
	ids, ports := map[uint16]bool{}, map[string]bool{}
	counting := 0
	for i, q := range f.queries() {
		ids[q.msg.Id], ports[q.from] = true, true
		if i > 0 && q.msg.Id == f.queries()[i-1].msg.Id+1 {
			counting++
		}
	}
	require.Greater(t, len(ids), n-4)
	require.Greater(t, len(ports), n/2)
	require.Less(t, counting, 4)
}
