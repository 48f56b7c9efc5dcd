package main

import (
	"bufio"
	"net"
	"os"
	"strings"
)

// resolverOf returns the DNS resolver to ask, "host:port": the one configured,
// else the first of the system's (resolv.conf(5)); empty where there is none.
func resolverOf(configured, resolvConf string) string {
	if configured != "" {
		return configured
	}
	file, err := os.Open(resolvConf)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) >= 2 && fields[0] == "nameserver" {
			return net.JoinHostPort(fields[1], "53")
		}
	}
	return ""
}
