// Package freeport finds ports for the processes of tests and benchmarks.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below those that the system hands to outgoing
// connections (32768 on Linux): a node that was dead for a while must find its
// port again, and a listener's must not be somebody's source port.
const first, last = 12_000, 32_000

var (
	mu    sync.Mutex
	taken = map[int]bool{} // given out by this process
)

// Addr returns an address of 127.0.0.1 whose port is free for TCP and UDP.
func Addr() (string, error) {
	port, err := Ports(1)
	return Loopback(port), err
}

// Loopback returns the address of a port of 127.0.0.1.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Ports returns the first of n ports in a row that are free for TCP and UDP on
// 127.0.0.1. It never gives one out twice.
func Ports(n int) (int, error) {
	mu.Lock()
	defer mu.Unlock()
	for range 1000 {
		base := first + rand.IntN(last-first-n)
		if !free(base, n) {
			continue
		}
		for port := base; port < base+n; port++ {
			taken[port] = true
		}
		return base, nil
	}
	return 0, errors.New("no free ports between " + strconv.Itoa(first) + " and " + strconv.Itoa(last))
}

func free(base, n int) bool {
	for port := base; port < base+n; port++ {
		if taken[port] {
			return false
		}
		tcp, err := net.Listen("tcp", Loopback(port))
		if err != nil {
			return false
		}
		udp, err := net.ListenPacket("udp", Loopback(port))
		_ = tcp.Close()
		if err != nil {
			return false
		}
		_ = udp.Close()
	}
	return true
}
