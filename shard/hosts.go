package shard

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
)

// hostsLife is how long the list of white-label hosts is used before the local
// directory replica is asked again, and how long that may take. All of them are
// read at once: however many strange hosts are asked for, it costs one read in
// that time.
const hostsLife = time.Second

// hosts caches the verified white-label hosts of vendors.
type hosts struct {
	now     atomic.Pointer[hostList]
	reading sync.Mutex // held by who reads them
}

type hostList struct {
	vendors map[string]cloudlicenses.VendorID
	until   time.Time
	// confirmed lists are the leader's, or it did not answer: what is not there is
	// looked for no more until then, however many strangers ask.
	confirmed bool
}

func (h *hosts) forget() { h.now.Store(nil) }

// VendorOfHost returns the vendor whose white-label host a name is: in lower
// case and A-labels, without port.
func (s *Shard) VendorOfHost(ctx context.Context, name string) (cloudlicenses.VendorID, bool) {
	list := s.hosts.now.Load()
	switch {
	case s.Secrets() == nil: // the node has not joined its cluster yet
		return "", false
	case list == nil:
		s.hosts.reading.Lock()
		list = s.readHosts(ctx, false)
		s.hosts.reading.Unlock()
	case time.Now().After(list.until) && s.hosts.reading.TryLock(): // others go on by the old list
		list = s.readHosts(ctx, false)
		s.hosts.reading.Unlock()
	}
	vendor, ok := list.vendors[name]
	if !ok && !list.confirmed { // a replica that is behind refuses nobody
		s.hosts.reading.Lock()
		list = s.readHosts(ctx, true)
		s.hosts.reading.Unlock()
		vendor, ok = list.vendors[name]
	}
	return vendor, ok
}

// readHosts reads the list, of the leader where confirmed is wanted, unless
// somebody else just has. Where the directory does not answer, what was known goes
// on to count.
func (s *Shard) readHosts(ctx context.Context, confirmed bool) *hostList {
	old := s.hosts.now.Load()
	if old != nil && time.Now().Before(old.until) && (old.confirmed || !confirmed) {
		return old
	}
	ctx, cancel := context.WithTimeout(ctx, hostsLife)
	defer cancel()
	next := &hostList{confirmed: confirmed}
	var result directory.VendorHosts
	if _, err := s.ReadDirectory(ctx, Command{Op: directory.QueryVendorHosts, Result: &result}, ReadOptions{Linearizable: confirmed}); err == nil {
		next.vendors = make(map[string]cloudlicenses.VendorID, len(result.Items))
		for _, item := range result.Items {
			next.vendors[item.Host] = item.VendorID
		}
	} else if old != nil {
		next.vendors = old.vendors
	}
	next.until = time.Now().Add(hostsLife)
	s.hosts.now.CompareAndSwap(old, next) // else it was forgotten meanwhile
	return next
}
