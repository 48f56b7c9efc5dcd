package dnstxt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

var (
	// ErrNoRecord: the name does not exist or has no TXT record (NXDOMAIN, or an
	// empty answer). Final, until somebody sets one.
	ErrNoRecord = errors.New("no TXT record")
	// ErrTemporary: no answer that says yes or no (SERVFAIL, time-out, refusal,
	// an answer to something else). To be asked again later.
	ErrTemporary = errors.New("DNS lookup failed")
	// ErrName: the name is none that could have a record of ours. Nothing was asked.
	ErrName = errors.New("not a DNS name")
)

const (
	// maxAliases bounds a chain of CNAMEs, across all answers of a lookup.
	maxAliases = 8
	// udpSize is what fits one packet on every path (DNS flag day 2020).
	udpSize = 1232
	// maxStrays bounds the packets of one attempt that are no answer to it.
	maxStrays = 1000
)

// Resolver asks one recursive resolver.
type Resolver struct {
	Addr     string        // "host:port"
	Timeout  time.Duration // of one attempt, by UDP or TCP; 0: 2 s
	Attempts int           // for each name of a chain of aliases; 0: 3
}

// Lookup asks the resolver at "host:port" with the default time-out and attempts;
// see [Resolver.Lookup].
func Lookup(ctx context.Context, resolver, name string) ([]string, error) {
	return Resolver{Addr: resolver}.Lookup(ctx, name)
}

// Lookup returns the values of name's TXT records, in the order of the answer
// and never empty. The strings of one record are joined without anything between
// them (RFC 7208, 3.3), and the bytes are as they were on the wire.
//
// It asks by UDP, again by TCP where the answer was truncated (RFC 7766), and
// follows aliases. How long all of it takes is for ctx to bound. Errors: [ErrNoRecord], [ErrTemporary] (the context's end and a
// resolver that is no "host:port" among them), [ErrName].
func (r Resolver) Lookup(ctx context.Context, name string) ([]string, error) {
	if !validName(name) {
		return nil, fmt.Errorf("%w: %q", ErrName, name)
	}
	if r.Timeout <= 0 {
		r.Timeout = 2 * time.Second
	}
	if r.Attempts <= 0 {
		r.Attempts = 3
	}
	current, aliases := dns.CanonicalName(name), 0
	for {
		reply, err := r.ask(ctx, current)
		if err != nil {
			return nil, fmt.Errorf("%w: TXT of %s: %w", ErrTemporary, current, err)
		}
		values, end, err := follow(reply, current, &aliases)
		if err != nil {
			return nil, fmt.Errorf("%w: TXT of %s: %w", ErrTemporary, current, err)
		}
		if len(values) > 0 {
			return values, nil
		}
		// A name error is one of the last name in the chain (RFC 6604, 3). Without
		// it the server may just not hold the alias's target: ask for that.
		if reply.Rcode == dns.RcodeNameError || end == current {
			return nil, fmt.Errorf("%w: %s", ErrNoRecord, end)
		}
		current = end
	}
}

// follow walks the answer section from name along its aliases, and returns the
// TXT values at the end of the chain and the name there. Records of other names
// count for nothing.
func follow(reply *dns.Msg, name string, aliases *int) (values []string, end string, err error) {
	for {
		target := ""
		for _, rr := range reply.Answer {
			header := rr.Header()
			if header.Class != dns.ClassINET || dns.CanonicalName(header.Name) != name {
				continue
			}
			switch record := rr.(type) {
			case *dns.TXT:
				values = append(values, unescape(strings.Join(record.Txt, "")))
			case *dns.CNAME:
				target = dns.CanonicalName(record.Target)
			}
		}
		if len(values) > 0 || target == "" {
			return values, name, nil
		}
		if *aliases++; *aliases > maxAliases {
			return nil, name, fmt.Errorf("more than %d aliases", maxAliases)
		}
		name = target
	}
}

// ask returns an answer to the question for name, which is either a success or
// a name error.
func (r Resolver) ask(ctx context.Context, name string) (*dns.Msg, error) {
	var failure error
	edns := true
	for range r.Attempts {
		reply, err := r.exchange(ctx, "udp", name, edns)
		if err == nil && reply.Truncated {
			reply, err = r.exchange(ctx, "tcp", name, edns)
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			failure = err
		case reply.Rcode == dns.RcodeSuccess && reply.Truncated:
			failure = errors.New("truncated over TCP")
		case reply.Rcode == dns.RcodeSuccess, reply.Rcode == dns.RcodeNameError:
			return reply, nil
		default:
			failure = errors.New(dns.RcodeToString[reply.Rcode])
			edns = edns && reply.Rcode != dns.RcodeFormatError // RFC 6891, 7
		}
	}
	return nil, failure
}

// exchange asks once, from a socket of its own: the system picks a random source
// port and the library a random id, which together are what somebody off the
// path must guess (RFC 5452, 9.2).
func (r Resolver) exchange(ctx context.Context, network, name string, edns bool) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, network, r.Addr)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })()

	query := new(dns.Msg).SetQuestion(name, dns.TypeTXT) // a new random id
	query.RecursionDesired = true
	conn := &dns.Conn{Conn: raw, UDPSize: dns.MinMsgSize}
	if edns {
		query.SetEdns0(udpSize, false)
		conn.UDPSize = udpSize
	}
	if err := conn.WriteMsg(query); err != nil {
		return nil, err
	}
	for range maxStrays {
		reply, err := conn.ReadMsg()
		var broken net.Error
		switch {
		case reply != nil && answers(reply, query) && (err == nil || reply.Truncated):
			return reply, nil // what was cut in the middle of a record counts as cut
		case network == "tcp" && err == nil:
			return nil, errors.New("an answer to another question")
		case network == "tcp", errors.As(err, &broken):
			return nil, err
		}
		// Not ours, or not DNS: whoever sent it must not end the wait.
	}
	return nil, errors.New("nothing but stray packets")
}

// answers reports whether reply is one to query: its id, and its one question to
// the letter, but for case (RFC 5452, 9.1).
func answers(reply, query *dns.Msg) bool {
	if reply.Id != query.Id || !reply.Response || reply.Opcode != dns.OpcodeQuery || len(reply.Question) != 1 {
		return false
	}
	asked, got := query.Question[0], reply.Question[0]
	return got.Qtype == asked.Qtype && got.Qclass == asked.Qclass && strings.EqualFold(got.Name, asked.Name)
}

// validName reports whether name is labels of letters, digits, "-" and "_", 1–63
// each and 253 in all, with or without a dot at its end.
func validName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || slices.ContainsFunc([]byte(label), notOfLabel) {
			return false
		}
	}
	return true
}

func notOfLabel(b byte) bool {
	letter := b|0x20 >= 'a' && b|0x20 <= 'z'
	return !letter && (b < '0' || b > '9') && b != '-' && b != '_'
}
