package etcd

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

// nodeCommand is the first argument of a process that is a member.
const nodeCommand = "etcd-node"

// BecomeNode turns the process into an etcd server if it was started as one, and
// does not return then. etcd is a Go module: the server is a part of this
// program, run as a process of its own, and needs no installation.
func BecomeNode() {
	if len(os.Args) > 1 && os.Args[1] == nodeCommand {
		etcdmain.Main(append([]string{"etcd"}, os.Args[2:]...))
		os.Exit(0)
	}
}
