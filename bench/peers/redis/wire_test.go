package redis

import (
	"bufio"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWire(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	const sent = "*4\r\n$5\r\nFCALL\r\n$3\r\nadd\r\n$1\r\n1\r\n$5\r\nk\xc3\xa9y \r\n" +
		"*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$4\r\n5000\r\n"
	go func() {
		defer server.Close()
		in := bufio.NewReader(server)
		for _, answer := range []string{":1\r\n:2\r\n", "-ERR no such function\r\n:1\r\n", ":0\r\n:0\r\n", "+OK\r\n"} {
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(in, got); err != nil || string(got) != sent {
				return // the client's next read fails
			}
			_, _ = server.Write([]byte(answer))
		}
	}()
	w := newWire(client)
	call := func() (int, int, error) { return w.callAndWait("add", "1", "k\u00e9y ") }

	done, replicas, err := call()
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, []int{done, replicas})

	_, replicas, err = call()
	require.ErrorContains(t, err, "ERR no such function")
	require.Equal(t, 1, replicas, "the second reply was read")

	done, replicas, err = call()
	require.NoError(t, err)
	require.Equal(t, []int{0, 0}, []int{done, replicas})

	_, _, err = call()
	require.ErrorContains(t, err, `reply "+OK`)
}
